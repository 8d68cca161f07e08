"""Waits for a condition, so that no test sleeps for a fixed time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

_Seen = TypeVar("_Seen")
_ASYNC_POLL_SECONDS = 0.1
_POLL_SECONDS = 0.02


async def eventually(
    look: Callable[[], Awaitable[_Seen]], holds: Callable[[_Seen], bool], *, seconds: float = 60
) -> _Seen:
    """Polls `look` until its result holds, and returns it. After the time it fails with the last result."""
    deadline = time.monotonic() + seconds
    while not holds(seen := await look()):
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still: {seen}"
        await asyncio.sleep(_ASYNC_POLL_SECONDS)
    return seen


def wait_until(what: str, look: Callable[[], _Seen | None], *, seconds: float = 30) -> _Seen:
    """Polls `look` until it returns a true value, and returns that. After the time it fails with `what`."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(_POLL_SECONDS)
    return seen
