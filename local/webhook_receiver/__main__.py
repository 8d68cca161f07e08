"""`python -m local.webhook_receiver --port N`; the secret is in WEBHOOK_SECRET."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

from local.webhook_receiver.inbox import Inbox
from local.webhook_receiver.page import render

_MAX_BYTES = 32 * 1024 * 1024
_ALLOWED = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


class Receiver(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, port: int, secret: str) -> None:
        self.inbox = Inbox(secret)
        super().__init__(("127.0.0.1", port), Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        if length > _MAX_BYTES:
            self.close_connection = True
            self._answer(413)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        status = self.server.inbox.receive(self.path, headers, self.rfile.read(length))
        print(f"POST {self.path} {status}", flush=True)
        self._answer(status)

    def do_GET(self) -> None:
        """`/` is the inbox as a page, `/messages` as JSON, `/messages/N` the body of one message."""
        inbox = self.server.inbox
        if self.path == "/":
            self._answer(200, render(inbox.messages()).encode(), "text/html; charset=utf-8")
        elif self.path == "/messages":
            listed = [message.model_dump(mode="json") for message in inbox.messages()]
            self._answer(200, json.dumps(listed).encode())
        elif (number := self.path.removeprefix("/messages/")).isdecimal():
            body = inbox.body(int(number))
            self._answer(404 if body is None else 200, body or b"")
        else:
            self._answer(404)

    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing here: `do_POST` prints its own line, and reading the inbox is no event."""

    def _answer(self, status: int, body: bytes = b"", content_type: str = "application/json") -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", _ALLOWED)
            self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def main() -> int:
    parser = argparse.ArgumentParser(prog="local.webhook_receiver", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    receiver = Receiver(parser.parse_args().port, os.environ["WEBHOOK_SECRET"])

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    print(f"The webhook receiver listens on http://127.0.0.1:{receiver.server_port}", flush=True)
    receiver.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
