"""Who may upload at the same time, and the processes that read: shares of the overall number for each org.

The counts are those of one API process. Uploads have nothing to do with the threads and connections of
other requests.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from api.errors import ApiError, ErrorCode
from api.ingest.job import ReadLimits
from api.ingest.process import ReadingProcess

RETRY_AFTER_SECONDS = "5"


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """`max_open` counts uploads from their first byte to their end, `processes` those that are being read."""

    read: ReadLimits
    max_open: int = 16
    max_open_per_org: int = 4
    processes: int = 2
    receive_seconds: float = 600.0
    read_seconds: float = 120.0
    wait_seconds: float = 60.0

    @property
    def processes_per_org(self) -> int:
        """One org never has them all, unless there is only one."""
        return max(1, self.processes - 1)


class UploadPool:
    """Admits uploads, and lends a reading process to one after another in the order they came."""

    def __init__(self, limits: UploadLimits) -> None:
        self.limits = limits
        self._open: Counter[str] = Counter()
        self._reading: Counter[str] = Counter()
        self._changed = asyncio.Condition()
        self._idle: list[ReadingProcess] = []
        self._all: set[ReadingProcess] = set()

    @contextmanager
    def admit(self, org_id: str) -> Iterator[None]:
        """Raises ApiError too_many_uploads: at once, before the file arrives."""
        if self._open[org_id] >= self.limits.max_open_per_org:
            raise _too_many(
                "Your organisation has as many uploads under way as it may have at the same time."
            )
        if self._open.total() >= self.limits.max_open:
            raise _too_many("There are as many uploads under way as this server takes at the same time.")
        self._open[org_id] += 1
        try:
            yield
        finally:
            self._release(self._open, org_id)

    @asynccontextmanager
    async def process(self, org_id: str) -> AsyncIterator[ReadingProcess]:
        """A process for one file. Raises ApiError too_many_uploads when none comes free in time."""
        await self._take_turn(org_id)
        try:
            process = await self._idle_or_new()
            try:
                yield process
            finally:
                self._give_back(process)
        finally:
            self._release(self._reading, org_id)
            async with self._changed:
                self._changed.notify_all()

    async def _take_turn(self, org_id: str) -> None:
        def has_room() -> bool:
            of_org = self._reading[org_id] < self.limits.processes_per_org
            return of_org and self._reading.total() < self.limits.processes

        try:
            async with asyncio.timeout(self.limits.wait_seconds), self._changed:
                await self._changed.wait_for(has_room)
                self._reading[org_id] += 1
        except TimeoutError as error:
            raise _too_many("Other uploads are being read.") from error

    async def _idle_or_new(self) -> ReadingProcess:
        while self._idle:
            process = self._idle.pop()
            if process.is_alive:
                return process
            self._all.discard(process)
        process = await ReadingProcess.start()
        self._all.add(process)
        return process

    def _give_back(self, process: ReadingProcess) -> None:
        if process.is_idle:
            self._idle.append(process)
        else:
            process.kill()
            self._all.discard(process)

    @staticmethod
    def _release(counts: Counter[str], org_id: str) -> None:
        counts[org_id] -= 1
        if not counts[org_id]:
            del counts[org_id]

    async def close(self) -> None:
        for process in self._all:
            process.kill()
        await asyncio.gather(*(process.wait() for process in self._all))


def _too_many(message: str) -> ApiError:
    return ApiError(ErrorCode.TOO_MANY_UPLOADS, message, headers={"Retry-After": RETRY_AFTER_SECONDS})
