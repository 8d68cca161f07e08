"""The receiver gives every bad answer that it can draw, and records it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.chaos import receiver as bad_day
from tests.chaos.receiver import ChaosReceiver, chaos_receiver

BODY: dict[str, Any] = {"data": {"pipeline_run_id": "a", "records": [{"id": "1"}, {"id": "2"}]}}


async def deliver(receiver: ChaosReceiver) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.post(receiver.url, json=BODY, headers={"Idempotency-Key": "msg_1"})


@pytest.mark.parametrize(
    ("answer", "status", "is_acknowledged"), [("ok", 200, True), ("429", 429, False), ("500", 500, False)]
)
async def test_the_receiver_records_each_delivery_with_its_answer(
    monkeypatch: pytest.MonkeyPatch, answer: str, status: int, is_acknowledged: bool
) -> None:
    monkeypatch.setattr(bad_day, "_WEIGHTS", {answer: 1})
    with chaos_receiver(seed=1) as receiver:
        receiver.is_calm = False
        response = await deliver(receiver)
    (delivery,) = receiver.deliveries
    assert response.status_code == status
    assert ("retry-after" in response.headers) == (status == 429)
    assert (delivery.run_id, delivery.key, delivery.record_ids) == ("a", "msg_1", ("1", "2"))
    assert (delivery.is_acknowledged, delivery.is_signed) == (is_acknowledged, False)


@pytest.mark.parametrize("answer", ["truncated", "cut off", "reset"])
async def test_an_answer_that_breaks_off_is_an_error_to_the_sender(
    monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(bad_day, "_WEIGHTS", {answer: 1})
    with chaos_receiver(seed=1) as receiver:
        receiver.is_calm = False
        with pytest.raises(httpx.TransportError):
            await deliver(receiver)
    assert [delivery.answer for delivery in receiver.deliveries] == [answer]


async def test_a_calm_receiver_takes_everything() -> None:
    with chaos_receiver(seed=1) as receiver:
        assert [(await deliver(receiver)).status_code for _ in range(20)] == [200] * 20


async def test_a_delivery_in_an_ambush_waits_for_its_end_and_gets_no_answer() -> None:
    with chaos_receiver(seed=1) as receiver:
        delivering = asyncio.create_task(deliver(receiver))
        async with receiver.ambush(10) as port:
            assert port is not None
            assert not delivering.done()
        with pytest.raises(httpx.TransportError):
            await delivering
        assert (await deliver(receiver)).status_code == 200
    assert [delivery.answer for delivery in receiver.deliveries] == ["reset", "ok"]


async def test_an_ambush_without_a_delivery_ends() -> None:
    with chaos_receiver(seed=1) as receiver:
        async with receiver.ambush(0.1) as port:
            assert port is None
