"""Shares of a resource: no org can fill what all orgs use."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from api.errors import ApiError, ErrorCode

RETRY_AFTER_SECONDS = "1"


@dataclass(slots=True)
class _Share:
    free: asyncio.Semaphore
    users: int = field(default=0)


class Shares:
    """Each holder uses at most `at_once`. At most `waiting` more wait, for at most `wait_seconds`."""

    def __init__(self, what: str, *, at_once: int, waiting: int, wait_seconds: float) -> None:
        """`what` completes the sentence of the refusal: "Too many … at once."."""
        self._what = what
        self._at_once = at_once
        self._most_users = at_once + waiting
        self._wait_seconds = wait_seconds
        self._shares: dict[str, _Share] = {}

    @asynccontextmanager
    async def of(self, holder: str) -> AsyncIterator[None]:
        """Waits for a place; raises ApiError too_many_requests."""
        share = self._shares.setdefault(holder, _Share(asyncio.Semaphore(self._at_once)))
        if share.users >= self._most_users:
            raise self._refusal()
        share.users += 1
        try:
            try:
                async with asyncio.timeout(self._wait_seconds):
                    await share.free.acquire()
            except TimeoutError as error:
                raise self._refusal() from error
            try:
                yield
            finally:
                share.free.release()
        finally:
            share.users -= 1
            if not share.users:
                self._shares.pop(holder, None)

    def _refusal(self) -> ApiError:
        return ApiError(
            ErrorCode.TOO_MANY_REQUESTS,
            f"Too many {self._what} at once. Repeat the request when others have ended.",
            details={"limit": self._at_once},
            headers={"Retry-After": RETRY_AFTER_SECONDS},
        )
