"""The cost of a small call with each HTTP client that the API could use: `make bench-http`.

A loopback server answers 200 bytes. The clients take turns, so that the load of the machine is the same for
all. Prints the median CPU time of this process per call, and its ratio to that of api/http_client.py.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from httpx_aiohttp import AiohttpTransport

from api.http_client import HttpClient
from tests.support.stack import free_port_base

ROUNDS = 9
CALLS = 300
BODY = b'{"p_limit":50}'
HEADERS = {"apikey": "sb_publishable_x", "Authorization": "Bearer x", "Content-Type": "application/json"}
SERVER = """
import sys, uvicorn
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"200")]})
    await send({"type": "http.response.body", "body": b"x" * 200})
uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", log_level="error")
"""

Call = Callable[[], Awaitable[object]]


@asynccontextmanager
async def clients(origin: str) -> AsyncIterator[dict[str, Call]]:
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(HttpClient(origin, 10))
        plain = await stack.enter_async_context(httpx.AsyncClient(base_url=origin))
        bridged = await stack.enter_async_context(
            httpx.AsyncClient(base_url=origin, transport=AiohttpTransport())
        )
        yield {
            "aiohttp": lambda: ours.send("POST", "/rpc", HEADERS, BODY),
            "httpx on aiohttp": lambda: bridged.post("/rpc", headers=HEADERS, content=BODY),
            "httpx": lambda: plain.post("/rpc", headers=HEADERS, content=BODY),
        }


async def measure(origin: str) -> dict[str, float]:
    """CPU milliseconds per call, the median of the rounds."""
    async with clients(origin) as calls:
        spent: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(ROUNDS):
            for name, call in calls.items():
                await call()
                before = time.process_time()
                for _ in range(CALLS):
                    await call()
                spent[name].append((time.process_time() - before) / CALLS * 1000)
    return {name: statistics.median(rounds) for name, rounds in spent.items()}


def main() -> None:
    port = free_port_base()
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(port)])
    try:
        wait_for(f"http://127.0.0.1:{port}/")
        costs = asyncio.run(measure(f"http://127.0.0.1:{port}"))
    finally:
        server.terminate()
        server.wait()
    for name, cost in costs.items():
        print(f"{name:18} {cost:6.3f} ms CPU a call   {cost / costs['aiohttp']:5.1f} x aiohttp")


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(url)
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        else:
            return


if __name__ == "__main__":
    main()
