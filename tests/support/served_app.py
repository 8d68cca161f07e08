"""An app behind a real server, in a thread of the test process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from api.connections import BoundedProtocol, ConnectionLimits, OpenConnections


@contextmanager
def served(app: FastAPI, limits: ConnectionLimits | None = None) -> Iterator[str]:
    """The URL of the app on a free port, for as long as the block runs."""

    class Protocol(BoundedProtocol):
        open_connections = OpenConnections(limits or ConnectionLimits())

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, http=Protocol))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the app ended while it started"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
