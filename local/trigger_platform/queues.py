"""Queues with a limit per concurrency key, and the slots that executing runs hold."""

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable

# (queue, concurrency key): the limit of a queue applies to each key separately.
Group = tuple[str, str]


class RunQueues:
    """Decides which run starts next. It knows runs by their id only.

    Scores are times of queueing. In a group the run with the lowest score goes first; of all groups, the one
    whose first run has the lowest score. A run holds its slot from `take` to `release`.
    """

    def __init__(self, max_executing: int) -> None:
        self.max_executing = max_executing
        self.changed: Callable[[], None] = lambda: None
        self._limits: dict[str, int | None] = {}
        self._waiting: dict[Group, list[tuple[float, int, str]]] = {}
        self._waiting_ids: dict[str, int] = {}
        self._slots: dict[str, Group] = {}
        self._executing: Counter[Group] = Counter()
        self._resuming: deque[tuple[str, Group]] = deque()
        self._sequence = itertools.count()

    def set_limits(self, limits: dict[str, int | None]) -> None:
        """Apply the limits of a new worker. Queues that it does not name keep theirs."""
        self._limits.update(limits)
        self.changed()

    def enqueue(self, run_id: str, queue: str, concurrency_key: str | None, score: float) -> None:
        sequence = next(self._sequence)
        self._waiting_ids[run_id] = sequence
        group = self._waiting.setdefault((queue, concurrency_key or ""), [])
        heapq.heappush(group, (score, sequence, run_id))
        self.changed()

    def take(self) -> str | None:
        """Give the next run a slot and return it, or None if no run may start now."""
        best: Group | None = None
        for group in list(self._waiting):
            heap = self._waiting[group]
            while heap and self._waiting_ids.get(heap[0][2]) != heap[0][1]:
                heapq.heappop(heap)  # it was removed from the queue
            if not heap:
                del self._waiting[group]
            elif self._has_room(group) and (best is None or heap[0] < self._waiting[best][0]):
                best = group
        if best is None:
            return None
        _, _, run_id = heapq.heappop(self._waiting[best])
        del self._waiting_ids[run_id]
        self._acquire(run_id, best)
        return run_id

    def remove(self, run_id: str) -> None:
        """Take a run out of its queue and free its slot."""
        self._waiting_ids.pop(run_id, None)
        self._resuming = deque(entry for entry in self._resuming if entry[0] != run_id)
        self.release(run_id)

    def holds_slot(self, run_id: str) -> bool:
        return run_id in self._slots

    def release(self, run_id: str) -> None:
        """Free the run's slot. Repeating it is harmless."""
        group = self._slots.pop(run_id, None)
        if group is not None:
            self._executing[group] -= 1
            if not self._executing[group]:
                del self._executing[group]
            self.changed()

    def reacquire(self, run_id: str, queue: str, concurrency_key: str | None) -> bool:
        """Give a resuming run a slot. False if none is free: the run then goes before all new ones."""
        group = (queue, concurrency_key or "")
        if self._has_room(group):
            self._acquire(run_id, group)
            return True
        self._resuming.append((run_id, group))
        return False

    def take_resumable(self) -> list[str]:
        """Give the runs that `reacquire` put off the slots that are free now, and return those runs."""
        resumed = []
        for entry in list(self._resuming):
            if self._has_room(entry[1]):
                self._resuming.remove(entry)
                self._acquire(*entry)
                resumed.append(entry[0])
        return resumed

    def _acquire(self, run_id: str, group: Group) -> None:
        self._slots[run_id] = group
        self._executing[group] += 1

    def _has_room(self, group: Group) -> bool:
        if len(self._slots) >= self.max_executing:
            return False
        limit = self._limits.get(group[0])
        return limit is None or self._executing[group] < limit
