"""The webhook receiver believes only signed messages on the demo's path, and shows each in its inbox."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from local.demo.deliveries import Deliveries, read_deliveries
from local.errors import DemoError
from local.webhook_receiver import SIGNED_PATH, inbox
from local.webhook_receiver.__main__ import Receiver
from local.webhook_receiver.inbox import Inbox

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@pytest.fixture
def url() -> Iterator[str]:
    receiver = Receiver(0, SECRET)
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{receiver.server_port}"
    receiver.shutdown()
    receiver.server_close()
    thread.join()


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


def send(url: str, headers: dict[str, str], content: bytes, path: str = SIGNED_PATH) -> int:
    return httpx.post(url + path, content=content, headers=headers, trust_env=False).status_code


def get(url: str, path: str) -> httpx.Response:
    return httpx.get(url + path, trust_env=False)


def test_signed_batches_are_counted_by_run(url: str) -> None:
    for webhook_id, run, count in (("a", "run-1", 3), ("b", "run-1", 2), ("c", "run-2", 7)):
        content = body(run, count)
        assert send(url, signed(webhook_id, content), content) == 204
    assert read_deliveries(url, "run-1") == Deliveries(batches=2, records=5, refused=0)


def test_a_batch_that_comes_again_counts_once(url: str) -> None:
    content = body("run-1", 3)
    for _ in range(2):
        assert send(url, signed("a", content), content) == 204
    assert read_deliveries(url, "run-1").records == 3


def test_one_valid_signature_of_several_is_enough(url: str) -> None:
    content = body("run-1", 1)
    headers = signed("a", content)
    headers["webhook-signature"] = f"v1,bm90IHRoaXMgb25l {headers['webhook-signature']}"
    assert send(url, headers, content) == 204


@pytest.mark.parametrize("reason", ["other key", "other body", "too old", "no headers"])
def test_what_is_not_signed_now_with_the_key_is_refused(url: str, reason: str) -> None:
    content = body("run-1", 1)
    headers = {
        "other key": signed("a", content, key=b"another key of thirty-two bytes!"),
        "other body": signed("a", body("run-1", 2)),
        "too old": signed("a", content, at=time.time() - 600),
        "no headers": {},
    }[reason]
    assert send(url, headers, content) == 401
    assert read_deliveries(url, "run-1") == Deliveries(batches=0, records=0, refused=1)


def test_a_signed_body_without_records_is_refused(url: str) -> None:
    content = b'{"data": {"pipeline_run_id": "run-1", "records": null}}'
    assert send(url, signed("a", content), content) == 422


def test_any_other_path_takes_any_message(url: str) -> None:
    assert send(url, {}, b"not even JSON", "/my/own/endpoint?x=1") == 204
    (message,) = get(url, "/messages").json()
    assert (message["path"], message["verdict"]) == ("/my/own/endpoint?x=1", "accepted")
    assert get(url, f"/messages/{message['number']}").content == b"not even JSON"


def test_the_inbox_is_a_page_with_the_newest_message_first_and_runs_nothing(url: str) -> None:
    assert "No message yet" in get(url, "/").text
    for webhook_id in ("first", "<script>second"):
        assert send(url, {"webhook-id": webhook_id}, b"{}", "/anything") == 204
    page = get(url, "/")
    assert page.text.index("&lt;script&gt;second") < page.text.index("first</td>")
    assert "<script" not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert get(url, "/messages/9").status_code == 404


def test_the_inbox_forgets_the_oldest_messages_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "_BYTES_KEPT", 100)
    kept = Inbox(SECRET)
    for number in range(5):
        kept.receive(f"/{number}", {}, b"x" * 40)
    assert [message.path for message in kept.messages()] == ["/4", "/3"]
    assert kept.body(1) is None


def test_a_receiver_that_is_away_is_told_in_a_sentence() -> None:
    with pytest.raises(DemoError, match="does not answer"):
        read_deliveries("http://127.0.0.1:9", "run-1")
