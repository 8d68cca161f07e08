"""The platform's clock, its named timers and its wake-up signal. Tests replace the clock."""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable, Hashable
from datetime import UTC, datetime, timedelta

logger = logging.getLogger(__name__)

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """The current time in whole milliseconds, the precision of the API."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def iso(moment: datetime) -> str:
    """Return `2026-11-21T20:43:46.225Z`, the format of all times in answers."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


class Timers:
    """One-shot timers with names. Scheduling a name again replaces its timer."""

    def __init__(self, now: Now) -> None:
        self.now = now
        self._heap: list[tuple[datetime, int, Hashable]] = []
        self._scheduled: dict[Hashable, tuple[int, Callable[[], None]]] = {}
        self._sequence = itertools.count()
        self._changed = asyncio.Event()

    def after(self, name: Hashable, seconds: float, action: Callable[[], None]) -> None:
        self.at(name, self.now() + timedelta(seconds=seconds), action)

    def at(self, name: Hashable, moment: datetime, action: Callable[[], None]) -> None:
        sequence = next(self._sequence)
        self._scheduled[name] = (sequence, action)
        heapq.heappush(self._heap, (moment, sequence, name))
        # Each heartbeat replaces its timer. Without this, replaced entries would pile up.
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._scheduled):
            self._heap = [entry for entry in self._heap if self._is_live(entry)]
            heapq.heapify(self._heap)
        self._changed.set()

    def cancel(self, name: Hashable) -> None:
        self._scheduled.pop(name, None)

    def run_due(self) -> None:
        """Run every due action. One that raises is logged and does not stop the others."""
        while self._heap and (not self._is_live(self._heap[0]) or self._heap[0][0] <= self.now()):
            entry = heapq.heappop(self._heap)
            if not self._is_live(entry):
                continue
            _, action = self._scheduled.pop(entry[2])
            try:
                action()
            except Exception:
                logger.exception("timer %r failed", entry[2])

    async def run(self) -> None:
        """Run timers for as long as the process lives."""
        while True:
            self._changed.clear()
            self.run_due()
            delay = (self._heap[0][0] - self.now()).total_seconds() if self._heap else None
            try:
                await asyncio.wait_for(self._changed.wait(), None if delay is None else max(delay, 0))
            except TimeoutError:
                continue

    def _is_live(self, entry: tuple[datetime, int, Hashable]) -> bool:
        scheduled = self._scheduled.get(entry[2])
        return scheduled is not None and scheduled[0] == entry[1]


class Signal:
    """Wakes all coroutines that wait for it, such as held dequeue requests."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def fire(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Return on the next `fire`, or after the given time."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return
