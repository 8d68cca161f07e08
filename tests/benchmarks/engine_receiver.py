"""The webhook receiver of the benchmark: it stores requests as bytes and parses them only afterwards."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[bytes] = []

    def take_ids(self) -> list[str]:
        """The ids of the records that have arrived since the last call, sorted."""
        bodies, self.bodies = self.bodies, []
        return sorted(record["id"] for body in bodies for record in json.loads(body)["data"]["records"])


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Listens on a free port while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            """Prints nothing."""

        def do_POST(self) -> None:
            listening.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    listening = Receiver(f"http://127.0.0.1:{server.server_port}/records")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield listening
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
