"""Waiting for a condition, the only way in which these tests let time pass."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

_Seen = TypeVar("_Seen")
_POLL_SECONDS = 0.1


async def eventually(
    look: Callable[[], Awaitable[_Seen]], holds: Callable[[_Seen], bool], *, seconds: float = 60
) -> _Seen:
    """What `look` saw as soon as it holds; fails with what was seen last when the time is up."""
    deadline = time.monotonic() + seconds
    while not holds(seen := await look()):
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still: {seen}"
        await asyncio.sleep(_POLL_SECONDS)
    return seen
