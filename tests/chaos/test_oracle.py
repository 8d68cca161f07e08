"""A history that breaks a rule of the oracle violates that rule and no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.chaos.history import Chunk, Delivery, History, Run, Step
from tests.chaos.oracle import RULES, violations

AT = datetime(2026, 1, 1, tzinfo=UTC)
IDS = ("1", "2", "3")


def step(position: int, slug: str, status: str = "succeeded") -> Step:
    return Step(position, slug, status, 1, 1, 3, 0, 3, 0, 0)


def run(run_id: str = "a") -> Run:
    return Run(
        id=run_id,
        case="case",
        status="succeeded",
        error_code=None,
        record_count=3,
        statuses=("queued", "running", "succeeded"),
        cancel_confirmed=False,
        started_at=AT,
        finished_at=AT,
        restart_count=0,
        steps=(step(1, "normalize-company"), step(2, "deliver-webhook")),
        chunks=tuple(Chunk(position, 0, f"content {position}", IDS, AT) for position in (1, 2)),
    )


def delivery(key: str = "msg_1", ids: tuple[str, ...] = IDS, answer: str = "ok") -> Delivery:
    return Delivery("a", key, f"{key} {ids}", ids, answer, is_signed=True)


def history(**changes: Any) -> History:  # noqa: ANN401
    sound = History(
        accepted={"a": "case"},
        runs=[run()],
        deliveries=[delivery(answer="reset"), delivery()],
        undisturbed={"case": {(1, 0): "content 1", (2, 0): "content 2"}},
    )
    return replace(sound, **changes)


def with_run(**changes: Any) -> History:  # noqa: ANN401
    return history(runs=[replace(run(), **changes)])


def with_step(**changes: Any) -> History:  # noqa: ANN401
    return with_run(steps=(replace(step(1, "normalize-company"), **changes), step(2, "deliver-webhook")))


def with_chunk(**changes: Any) -> History:  # noqa: ANN401
    first, second = run().chunks
    return with_run(chunks=(replace(first, **changes), second))


BROKEN: dict[str, list[Callable[[], History]]] = {
    "every run ends without an operator": [lambda: with_run(status="running", statuses=("running",))],
    "the runs are exactly those that the API accepted": [
        lambda: history(accepted={"a": "case", "b": "case"}),
        lambda: history(
            runs=[run(), run("b")], deliveries=[delivery(), replace(delivery("msg_b"), run_id="b")]
        ),
    ],
    "a run's status takes one path": [
        lambda: with_run(statuses=("running", "queued", "running")),
        lambda: with_run(statuses=("running", "failed")),
    ],
    "a run is cancelled if and only if its cancelling was confirmed": [
        lambda: with_run(cancel_confirmed=True),
        lambda: with_run(status="cancelled", statuses=("running",)),
    ],
    "a run fails only from a fault": [
        lambda: with_run(status="failed", error_code="internal_error", statuses=("running",)),
        lambda: with_run(status="failed", error_code="chunk_conflict", statuses=("running",)),
    ],
    "the ledger accounts for every record": [
        lambda: with_step(records_out=2),
        lambda: with_step(records_in=2, records_rejected=0, records_out=2),
        lambda: with_step(chunks_written=0, chunk_count=1),
        lambda: with_step(status="running"),
        lambda: with_step(chunk_count=2),
        lambda: with_chunk(record_ids=("1", "2", "2")),
    ],
    "a chunk is what an undisturbed run writes": [
        lambda: with_chunk(content="something else"),
        lambda: history(undisturbed={"case": {(1, 0): "content 1"}}),
    ],
    "a delivery is signed and has a key, and a key has one content": [
        lambda: history(deliveries=[delivery(), replace(delivery(), content="something else")]),
        lambda: history(deliveries=[delivery(), replace(delivery(), is_signed=False)]),
        lambda: history(deliveries=[replace(delivery(), key="")]),
    ],
    "a record is delivered under one key": [
        lambda: history(deliveries=[delivery(), delivery("msg_2", ("3",))]),
    ],
    "the API answers as documented": [lambda: history(surprises=["submissions/create answered 500"])],
    "a record that counts as delivered has arrived": [
        lambda: history(deliveries=[]),
        lambda: history(deliveries=[delivery(answer="reset"), delivery(answer="500")]),
        lambda: history(deliveries=[delivery(ids=("1", "2"))]),
        lambda: history(
            runs=[
                replace(
                    run(),
                    status="failed",
                    error_code="worker_lost",
                    statuses=("running",),
                    steps=(step(1, "normalize-company"), step(2, "deliver-webhook", "failed")),
                )
            ],
            deliveries=[],
        ),
    ],
}


def test_a_sound_history_breaks_no_rule() -> None:
    assert violations(history()) == []


def test_every_rule_is_broken_here() -> None:
    assert BROKEN.keys() == RULES.keys()


@pytest.mark.parametrize(
    ("rule", "broken"), [(rule, number) for rule in BROKEN for number in range(len(BROKEN[rule]))]
)
def test_a_broken_history_breaks_its_rule_alone(rule: str, broken: int) -> None:
    found = violations(BROKEN[rule][broken]())
    assert {violation.partition(":")[0] for violation in found} == {rule}, found
