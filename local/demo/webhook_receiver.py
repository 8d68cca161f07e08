"""The customer's webhook receiver: an HTTP server on loopback that checks every signature.

Signatures follow the Standard Webhooks specification: HMAC-SHA256 over `id.timestamp.body`. The key is the
base64 after `whsec_`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from local.errors import DemoError

_TOLERANCE_SECONDS = 300


@dataclass(frozen=True)
class Deliveries:
    """What arrived for one run. A batch that is delivered again counts once."""

    batches: int
    records: int
    bad_signatures: int
    unreadable: int


@dataclass(frozen=True)
class _Batch:
    pipeline_run_id: str
    records: int

    @classmethod
    def read(cls, body: bytes) -> _Batch:
        data = json.loads(body)["data"]
        return cls(data["pipeline_run_id"], len(data["records"]))


class WebhookReceiver:
    """Listens inside a `with` block."""

    def __init__(self, port: int, secret: str) -> None:
        self.url = f"http://127.0.0.1:{port}/companies"
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self._batches: dict[str, _Batch] = {}
        self._bad_signatures = 0
        self._unreadable = 0
        self._lock = threading.Lock()
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        except OSError as error:
            raise DemoError(
                f"Port {port} of the demo's webhook receiver is taken. "
                "End the program that uses it, or choose other ports with --port-base.",
                log=None,
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def deliveries(self, pipeline_run_id: str) -> Deliveries:
        """What has arrived for a run so far. An earlier, interrupted run may still be delivering."""
        with self._lock:
            batches = [batch for batch in self._batches.values() if batch.pipeline_run_id == pipeline_run_id]
            records = sum(batch.records for batch in batches)
            return Deliveries(len(batches), records, self._bad_signatures, self._unreadable)

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """Records a request and returns the HTTP status of its answer. Header names are in lower case."""
        with self._lock:
            if not self._is_signed(headers, body):
                self._bad_signatures += 1
                return 401
            try:
                self._batches[headers["webhook-id"]] = _Batch.read(body)
            except (ValueError, KeyError, TypeError):
                self._unreadable += 1
                return 422
            return 204

    def _is_signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        timestamp = headers.get("webhook-timestamp", "")
        if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > _TOLERANCE_SECONDS:
            return False
        signed = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        offered = headers.get("webhook-signature", "").split(" ")
        return any(hmac.compare_digest(expected, signature) for signature in offered)


def _handler(receiver: WebhookReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = receiver.receive({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Prints nothing: the demo prints a report."""

    return Handler
