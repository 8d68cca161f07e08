"""A customer's webhook on loopback. It checks signatures, answers as told and can hold requests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.loopback_server import Handler, listening
from tests.support.waiting import eventually

SECRET_NAME = "webhook_key"
_TOLERANCE_SECONDS = 300
_LONGEST_HOLD_SECONDS = 110


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Delivery:
    """One request, recorded when its body has arrived; `status` is None until it is answered."""

    webhook_id: str
    body: dict[str, Any]
    is_signed: bool
    client_port: int
    traceparent: str
    status: int | None = None

    @property
    def pipeline_run_id(self) -> str:
        return str(self.body["data"]["pipeline_run_id"])

    @property
    def records(self) -> list[dict[str, Any]]:
        return list(self.body["data"]["records"])


class Receiver:
    """Answers with `answers` in order, and with 200 after the last of them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self.deliveries: list[Delivery] = []
        self.answers: list[Answer] = []
        self._passing: int | None = None
        self._changed = threading.Condition()

    def step(self, **config: object) -> dict[str, Any]:
        """A step of a blueprint that delivers here."""
        return {
            "slug": "deliver-webhook",
            "config": {"url": self.url, "secret_name": SECRET_NAME, "timeout_seconds": 120, **config},
        }

    def hold(self, *, after: int = 0) -> None:
        """Answers `after` more requests; later ones wait for `release`."""
        with self._changed:
            self._passing = after

    def release(self) -> None:
        with self._changed:
            self._passing = None
            self._changed.notify_all()

    def of(self, pipeline_run_id: str) -> list[Delivery]:
        return [delivery for delivery in self.deliveries if delivery.pipeline_run_id == pipeline_run_id]

    async def held(self, pipeline_run_id: str, *, seconds: float = 60) -> Delivery:
        """The run's request that waits for an answer."""

        async def waiting() -> list[Delivery]:
            return [delivery for delivery in self.of(pipeline_run_id) if delivery.status is None]

        return (await eventually(waiting, bool, seconds=seconds))[-1]

    def delivered_ids(self, pipeline_run_id: str) -> list[str]:
        """Ids of the records in accepted requests. A repeated request counts again."""
        accepted = [delivery for delivery in self.of(pipeline_run_id) if delivery.status == 200]
        return [record["id"] for delivery in accepted for record in delivery.records]

    def assert_signed_and_repeated_only_as_they_were(self) -> None:
        """Every delivery is signed, and one webhook-id never has two contents."""
        assert all(delivery.is_signed for delivery in self.deliveries)
        contents: dict[str, dict[str, Any]] = {}
        for delivery in self.deliveries:
            assert contents.setdefault(delivery.webhook_id, delivery.body) == delivery.body

    def receive(self, headers: dict[str, str], body: bytes, client_port: int) -> Answer:
        delivery = Delivery(
            headers.get("webhook-id", ""),
            json.loads(body),
            self.is_signed(headers, body),
            client_port,
            headers.get("traceparent", ""),
        )
        with self._changed:
            self.deliveries.append(delivery)
            if self._passing is not None and self._passing > 0:
                self._passing -= 1
            else:
                self._changed.wait_for(lambda: self._passing is None, _LONGEST_HOLD_SECONDS)
            answer = self.answers.pop(0) if self.answers else Answer(200)
            delivery.status = answer.status
            return answer

    def is_signed(self, headers: dict[str, str], body: bytes) -> bool:
        """Checks age and HMAC-SHA256 over `id.timestamp.body`, see https://www.standardwebhooks.com."""
        timestamp = headers.get("webhook-timestamp", "")
        if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > _TOLERANCE_SECONDS:
            return False
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        offered = headers.get("webhook-signature", "").split(" ")
        return any(hmac.compare_digest(expected, signature) for signature in offered)


@contextmanager
def webhook_receiver() -> Iterator[Receiver]:
    """Listens on a free port for as long as the block runs."""

    class Webhook(Handler):
        def respond(self) -> None:
            body = self.read_body()
            answer = receiver.receive(self.named_headers, body, self.client_address[1])
            self.answer(answer.status, answer.headers)

    with listening(Webhook) as url:
        receiver = Receiver(f"{url}/records")
        try:
            yield receiver
        finally:
            receiver.release()
