"""All runs and batches. When too many are finished, the oldest of them are dropped."""

from collections import OrderedDict, deque

from local.trigger_platform.errors import PlatformError
from local.trigger_platform.ids import bare
from local.trigger_platform.models import Batch, Run

_REQUEST_KEYS_KEPT = 2_000
_FINISHED_BYTES_KEPT = 256 * 1024 * 1024


class State:
    def __init__(self, finished_kept: int) -> None:
        self.runs: dict[str, Run] = {}
        self.batches: dict[str, Batch] = {}
        # (task, idempotency key) → run
        self.keyed: dict[tuple[str, str], str] = {}
        # The SDK repeats a request whose answer got lost under the same request key.
        self.requests: OrderedDict[str, str] = OrderedDict()
        self._finished: deque[str] = deque()
        self._finished_batches: deque[str] = deque()
        self._finished_kept = finished_kept
        self._finished_bytes = 0

    def find(self, friendly_id: str, message: str = "Not found") -> Run:
        """Return the run. Raises PlatformError (404) if it is unknown or was evicted."""
        run = self.runs.get(bare(friendly_id))
        if run is None:
            raise PlatformError(404, message)
        return run

    def find_batch(self, friendly_id: str) -> Batch:
        batch = self.batches.get(bare(friendly_id))
        if batch is None:
            raise PlatformError(404, f"Batch {friendly_id} not found")
        return batch

    def remember_request(self, request_key: str | None, entity_id: str) -> None:
        if request_key:
            self.requests[request_key] = entity_id
            while len(self.requests) > _REQUEST_KEYS_KEPT:
                self.requests.popitem(last=False)

    def drop_key(self, run: Run) -> None:
        """Let the run's idempotency key start a new run."""
        key = (run.task_id, run.idempotency_key or "")
        if self.keyed.get(key) == run.id:
            del self.keyed[key]

    def note_finished(self, run: Run) -> None:
        self._finished.append(run.id)
        self._finished_bytes += _size(run)
        while self._has_too_many():
            evicted = self.runs.pop(self._finished.popleft())
            self._finished_bytes -= _size(evicted)
            self.drop_key(evicted)
            parent = self.runs.get(evicted.parent_id or "")
            if parent:
                parent.child_ids.remove(evicted.id)

    def _has_too_many(self) -> bool:
        is_too_large = self._finished_bytes > _FINISHED_BYTES_KEPT and len(self._finished) > 1
        return is_too_large or len(self._finished) > self._finished_kept

    def note_batch_finished(self, batch: Batch) -> None:
        self._finished_batches.append(batch.id)
        while len(self._finished_batches) > self._finished_kept:
            self.batches.pop(self._finished_batches.popleft(), None)


def _size(run: Run) -> int:
    return len(run.payload or "") + len(run.output or "")
