"""Measures the delay of the API's event loop from outside, by small requests on an open connection.

`/healthz` does no work, so its time beyond a fraction of a millisecond is waiting: for the loop, or for a
processor. An idle server gets the same requests and waits for a processor only. The difference is the loop.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import Literal
from urllib.parse import urlsplit

EVERY_SECONDS = 0.02
# A longer delay counts as this long.
_PATIENCE_SECONDS = 10.0
_ADDRESS = "127.0.0.5"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Server = Literal["api", "idle"]


@dataclass(frozen=True)
class Delay:
    server: Server
    began: float
    seconds: float


def serve_idly(port: Queue[int]) -> None:
    """The process of the idle server. It sends its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await _read_head(reader):
            writer.write(_ANSWER)

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def watch(api_url: str, idle_port: int, delays: Queue[Delay], stop: Event) -> None:
    """The process that sends the requests to both servers."""

    async def both() -> None:
        await asyncio.gather(
            _ask("api", int(urlsplit(api_url).port or 80), delays, stop),
            _ask("idle", idle_port, delays, stop),
        )

    asyncio.run(both())


async def _ask(server: Server, port: int, delays: Queue[Delay], stop: Event) -> None:
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    while not stop.is_set():
        began = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                if writer is None or reader is None:
                    reader, writer = await asyncio.open_connection(
                        "127.0.0.1", port, local_addr=(_ADDRESS, 0)
                    )
                    began = time.monotonic()
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: probe\r\n\r\n")
                await _read_answer(reader)
        except (OSError, EOFError, TimeoutError):
            if writer is not None:
                writer.close()
            reader = writer = None
        for delay in every_delay(time.monotonic() - began):
            delays.put(Delay(server, began, delay))
        await asyncio.sleep(max(0.0, EVERY_SECONDS - (time.monotonic() - began)))


def every_delay(seconds: float) -> list[float]:
    """The delays of one long answer and of the requests that could not be sent meanwhile."""
    delays = [seconds]
    while (seconds := seconds - EVERY_SECONDS) > 0:
        delays.append(seconds)
    return delays


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


async def _read_answer(reader: asyncio.StreamReader) -> None:
    head = await _read_head(reader)
    if not head:
        raise ConnectionError("closed")
    await reader.readexactly(_length(head))


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
