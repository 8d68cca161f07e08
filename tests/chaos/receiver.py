"""A customer's webhook on a bad day: it draws its answers at random and records every delivery."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from tests.chaos.history import Delivery
from tests.support.loopback_server import Handler, listening
from tests.support.webhook_receiver import Receiver

_SLOW_SECONDS = (0.2, 2.0)
_LONGEST_AMBUSH_SECONDS = 60
# The weights of its answers on a bad day. Two in three deliveries succeed.
_WEIGHTS = {"ok": 66, "slow": 6, "429": 6, "500": 8, "truncated": 4, "cut off": 5, "reset": 5}


class ChaosReceiver:
    """Answers everything with 200 while it `is_calm`."""

    def __init__(self, luck: random.Random) -> None:
        self.is_calm = True
        self.deliveries: list[Delivery] = []
        self.url = ""
        self._luck = luck
        self._changed = threading.Condition()
        self._lies_in_wait = False
        self._caught: int | None = None
        self._signatures = Receiver("")  # checks them as the end-to-end tests do
        self.secret = self._signatures.secret
        self.released = threading.Event()

    @property
    def answers(self) -> Counter[str]:
        return Counter(delivery.answer for delivery in self.deliveries)

    @asynccontextmanager
    async def ambush(self, seconds: float) -> AsyncIterator[int | None]:
        """Keeps the next delivery waiting while the block runs, then resets its connection.

        Yields the sender's port, or None if no delivery comes in time.
        """
        with self._changed:
            self._lies_in_wait, self._caught = True, None
        try:
            yield await asyncio.to_thread(self._catch, seconds)
        finally:
            with self._changed:
                self._lies_in_wait = False
                self._changed.notify_all()

    def _catch(self, seconds: float) -> int | None:
        with self._changed:
            self._changed.wait_for(lambda: self._caught is not None, seconds)
            return self._caught

    def receive(self, headers: dict[str, str], body: bytes, client_port: int) -> tuple[str, float]:
        """Records the request. Returns the answer, and the seconds to wait before it."""
        content = json.loads(body)["data"]
        with self._changed:
            answer = "ok" if self.is_calm else self._luck.choices([*_WEIGHTS], [*_WEIGHTS.values()])[0]
            answer = "reset" if self._lies_in_wait else answer
            wait = self._luck.uniform(*_SLOW_SECONDS) if answer == "slow" else 0.0
            self.deliveries.append(
                Delivery(
                    run_id=content["pipeline_run_id"],
                    key=headers.get("idempotency-key", ""),
                    content=hashlib.sha256(body).hexdigest(),
                    record_ids=tuple(record["id"] for record in content["records"]),
                    answer=answer,
                    is_signed=self._signatures.is_signed(headers, body),
                )
            )
            if self._lies_in_wait:
                self._caught = self._caught or client_port
                self._changed.notify_all()
                self._changed.wait_for(lambda: not self._lies_in_wait, _LONGEST_AMBUSH_SECONDS)
        return answer, wait


@contextmanager
def chaos_receiver(seed: int) -> Iterator[ChaosReceiver]:
    """Listens on a free port while the block runs."""
    receiver = ChaosReceiver(random.Random(seed))  # noqa: S311 (to be repeatable)

    class Webhook(Handler):
        def respond(self) -> None:
            body = self.read_body()
            if len(body) < int(self.headers["Content-Length"]):
                self.close_connection = True  # the sender was killed: this is no delivery
                return
            answer, wait = receiver.receive(self.named_headers, body, self.client_address[1])
            receiver.released.wait(wait)
            if answer == "reset":
                # With a linger time of 0, closing resets the connection.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            if answer == "cut off":
                self.wfile.write(b"HTTP/1.1 20")
                self.close_connection = True
                return
            self.send_response({"429": 429, "500": 500}.get(answer, 200))
            if answer == "429":
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "1000" if answer == "truncated" else "0")
            self.end_headers()
            if answer == "truncated":
                self.wfile.write(b"{")
                self.close_connection = True

        def handle(self) -> None:
            with suppress(OSError):  # the sender was killed meanwhile
                super().handle()

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

    with listening(Webhook) as url:
        receiver.url = f"{url}/records"
        try:
            yield receiver
        finally:
            receiver.released.set()
