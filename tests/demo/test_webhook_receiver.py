"""The demo's receiver accepts only deliveries with a valid Standard Webhooks signature."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator

import httpx
import pytest

from local.demo.webhook_receiver import WebhookReceiver
from local.errors import DemoError
from tests.support.stack import free_port_base

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver(free_port_base(), SECRET) as listening:
        yield listening


def body(run: str, count: int) -> bytes:
    records = [{"id": str(number), "data": {}} for number in range(count)]
    return json.dumps({"data": {"pipeline_run_id": run, "records": records}}).encode()


def signed(webhook_id: str, content: bytes, *, key: bytes = KEY, at: float | None = None) -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    message = f"{webhook_id}.{timestamp}.".encode() + content
    signature = base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode()
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }


def send(receiver: WebhookReceiver, headers: dict[str, str], content: bytes) -> int:
    return httpx.post(receiver.url, content=content, headers=headers, trust_env=False).status_code


def test_signed_batches_are_counted_by_run(receiver: WebhookReceiver) -> None:
    for webhook_id, run, count in (("a", "run-1", 3), ("b", "run-1", 2), ("c", "run-2", 7)):
        content = body(run, count)
        assert send(receiver, signed(webhook_id, content), content) == 204
    seen = receiver.deliveries("run-1")
    assert (seen.batches, seen.records, seen.bad_signatures, seen.unreadable) == (2, 5, 0, 0)


def test_a_batch_that_comes_again_counts_once(receiver: WebhookReceiver) -> None:
    content = body("run-1", 3)
    for _ in range(2):
        assert send(receiver, signed("a", content), content) == 204
    assert receiver.deliveries("run-1").records == 3


def test_one_valid_signature_of_several_is_enough(receiver: WebhookReceiver) -> None:
    content = body("run-1", 1)
    headers = signed("a", content)
    headers["webhook-signature"] = f"v1,bm90IHRoaXMgb25l {headers['webhook-signature']}"
    assert send(receiver, headers, content) == 204


@pytest.mark.parametrize("reason", ["other key", "other body", "too old", "no headers"])
def test_what_is_not_signed_now_with_the_key_is_refused(receiver: WebhookReceiver, reason: str) -> None:
    content = body("run-1", 1)
    headers = {
        "other key": signed("a", content, key=b"another key of thirty-two bytes!"),
        "other body": signed("a", body("run-1", 2)),
        "too old": signed("a", content, at=time.time() - 600),
        "no headers": {},
    }[reason]
    assert send(receiver, headers, content) == 401
    seen = receiver.deliveries("run-1")
    assert (seen.batches, seen.bad_signatures) == (0, 1)


def test_a_signed_body_without_records_is_refused(receiver: WebhookReceiver) -> None:
    content = b'{"data": {"pipeline_run_id": "run-1", "records": null}}'
    assert send(receiver, signed("a", content), content) == 422
    assert receiver.deliveries("run-1").unreadable == 1


def test_a_taken_port_is_told_in_a_sentence(receiver: WebhookReceiver) -> None:
    with pytest.raises(DemoError, match="is taken"):
        WebhookReceiver(int(receiver.url.split(":")[2].split("/")[0]), SECRET)
