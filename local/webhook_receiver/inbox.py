"""The messages that the receiver got, the newest of them in memory."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from local.webhook_receiver import SIGNED_PATH
from local.webhook_receiver.signature import is_signed

Verdict = Literal["accepted", "wrong signature", "unreadable"]

_STATUS: Mapping[Verdict, int] = {"accepted": 204, "wrong signature": 401, "unreadable": 422}
_BYTES_KEPT = 64 * 1024 * 1024


class Message(BaseModel):
    """A request and its answer. `records` is null if the body is not a message of `deliver-webhook`."""

    model_config = ConfigDict(frozen=True)

    number: int
    received_at: datetime
    path: str
    verdict: Verdict
    status: int
    webhook_id: str | None
    pipeline_run_id: str | None
    records: int | None


class Inbox:
    """Keeps messages up to 64 MB; then the oldest go. Several threads may use it."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._kept: deque[tuple[Message, bytes]] = deque()
        self._bytes = 0
        self._count = 0
        self._lock = threading.Lock()

    def receive(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """Keeps the request and returns the HTTP status of its answer. Header names are in lower case."""
        pipeline_run_id, records = _read(body)
        verdict: Verdict = "accepted"
        if path == SIGNED_PATH:
            if not is_signed(self._secret, headers, body):
                verdict = "wrong signature"
            elif records is None:
                verdict = "unreadable"
        with self._lock:
            self._count += 1
            message = Message(
                number=self._count,
                received_at=datetime.now(UTC),
                path=path,
                verdict=verdict,
                status=_STATUS[verdict],
                webhook_id=headers.get("webhook-id"),
                pipeline_run_id=pipeline_run_id,
                records=records,
            )
            self._kept.append((message, body))
            self._bytes += len(body)
            while self._bytes > _BYTES_KEPT and len(self._kept) > 1:
                self._bytes -= len(self._kept.popleft()[1])
        return message.status

    def messages(self) -> list[Message]:
        """The kept messages, newest first."""
        with self._lock:
            return [message for message, _ in reversed(self._kept)]

    def body(self, number: int) -> bytes | None:
        with self._lock:
            return next((body for message, body in self._kept if message.number == number), None)


def _read(body: bytes) -> tuple[str | None, int | None]:
    """The run and the number of records that a message of `deliver-webhook` names."""
    try:
        data: Any = json.loads(body)["data"]
        return str(data["pipeline_run_id"]), len(data["records"])
    except (ValueError, KeyError, TypeError):
        return None, None
