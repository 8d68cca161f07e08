"""Slow, endless and broken bodies, sent to the middleware as a server would pass them on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.errors import ApiError
from api.json_text import JsonBounds, RefusedJsonError
from api.request_body import BodyBounds, BodyPace, RequestBody

PACE = BodyPace(idle_seconds=0.1, grace_seconds=0.15, bytes_per_second=1_000)
Sender = Callable[[], AsyncIterator[bytes]]


async def send_body(
    sender: Sender, *, is_parsed: bool = True, content_type: str = "application/json"
) -> bytes:
    """What the app behind the middleware gets of a body; raises what the middleware raises."""
    got = bytearray()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message: Message = {"more_body": True}
        while message.get("more_body", False):
            message = await receive()
            got.extend(message.get("body", b""))

    chunks = sender()

    async def receive() -> Message:
        async for chunk in chunks:
            return {"type": "http.request", "body": chunk, "more_body": True}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    bounds = BodyBounds(10_000, JsonBounds(elements=100) if is_parsed else None)
    middleware = RequestBody(app, bounds, {}, PACE)
    headers = [(b"content-type", content_type.encode())]
    await middleware({"type": "http", "path": "/v1/a/b", "headers": headers}, receive, send)
    return bytes(got)


async def in_halves() -> AsyncIterator[bytes]:
    yield b'{"a":'
    await asyncio.sleep(0.02)
    yield b" 1}"


async def never() -> AsyncIterator[bytes]:
    yield b"{"
    await asyncio.sleep(60)


async def byte_by_byte() -> AsyncIterator[bytes]:
    for _ in range(1_000):
        yield b" "
        await asyncio.sleep(0.02)


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 1_000


@pytest.mark.parametrize("is_parsed", [True, False])
async def test_a_body_arrives_whole(is_parsed: bool) -> None:
    assert await send_body(in_halves, is_parsed=is_parsed) == b'{"a": 1}'


@pytest.mark.parametrize("is_parsed", [True, False])
@pytest.mark.parametrize(
    ("sender", "code"),
    [(never, "request_timeout"), (byte_by_byte, "request_timeout"), (endless, "payload_too_large")],
)
async def test_slow_and_endless_senders_are_refused(sender: Sender, code: str, is_parsed: bool) -> None:
    with pytest.raises(ApiError) as raised:
        async with asyncio.timeout(5):
            await send_body(sender, is_parsed=is_parsed)
    assert raised.value.code == code


async def test_json_beyond_its_bounds_does_not_reach_the_app() -> None:
    async def nested() -> AsyncIterator[bytes]:
        yield b"[" * 101

    with pytest.raises(RefusedJsonError):
        await send_body(nested)
    assert await send_body(nested, content_type="text/plain") == b"[" * 101


async def test_a_request_that_waits_after_its_body_is_not_slow() -> None:
    waited: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waited.append(await receive())

    messages: list[Message] = [{"type": "http.request", "body": b"{}"}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        await asyncio.sleep(0 if len(messages) == 2 else 2 * PACE.idle_seconds)
        return messages.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError(message)

    middleware = RequestBody(app, BodyBounds(100), {}, PACE)
    await middleware({"type": "http", "path": "/", "headers": []}, receive, send)
    assert waited == [{"type": "http.disconnect"}]
