"""Moves runs between states. Each move makes a snapshot, and a timer watches for the worker's reaction."""

from collections.abc import Callable
from datetime import datetime

from local.trigger_platform.clock import Timers
from local.trigger_platform.ids import new_id
from local.trigger_platform.models import Block, ExecutionStatus, Run, RunStatus, Snapshot

# The CLI drops a notification that arrives while it handles another one. It would then notice the change only
# at its next poll, up to 5 s later, so a notification is repeated while its snapshot is the latest.
_REPEAT_AFTER_SECONDS = (0.1, 0.4, 1.2)

_HELD = frozenset(
    {
        ExecutionStatus.EXECUTING,
        ExecutionStatus.EXECUTING_WITH_WAITPOINTS,
        ExecutionStatus.QUEUED_EXECUTING,
    }
)
_HANDED_OVER = frozenset({ExecutionStatus.PENDING_EXECUTING, ExecutionStatus.PENDING_CANCEL})


def first_snapshot(now: datetime, status: ExecutionStatus, run_status: RunStatus) -> Snapshot:
    return Snapshot(
        id=new_id(),
        previous_id=None,
        status=status,
        description="Run was created",
        run_status=run_status,
        attempt_number=None,
        batch_id=None,
        completed=(),
        created_at=now,
    )


class Snapshots:
    def __init__(self, timers: Timers, heartbeat_timeout: float, pending_timeout: float) -> None:
        self.notify: Callable[[Run], None] = lambda run: None
        self.stalled: Callable[[Run], None] = lambda run: None
        self._timers = timers
        self.heartbeat_timeout = heartbeat_timeout
        self._pending_timeout = pending_timeout

    def move(
        self,
        run: Run,
        status: ExecutionStatus,
        run_status: RunStatus,
        description: str,
        *,
        batch_id: str | None = None,
        completed: tuple[Block, ...] = (),
    ) -> Snapshot:
        """Give the run a new snapshot, and watch it if its worker has to act."""
        now = self._timers.now()
        run.status = run_status
        run.updated_at = now
        run.snapshot = Snapshot(
            id=new_id(),
            previous_id=run.snapshot.id,
            status=status,
            description=description,
            run_status=run_status,
            attempt_number=run.attempt_number,
            batch_id=batch_id,
            completed=completed,
            created_at=now,
        )
        run.attempt_snapshot_ids.add(run.snapshot.id)
        self.watch(run)
        return run.snapshot

    def watch(self, run: Run) -> None:
        """Start the timer, anew if it runs, after which the run counts as lost."""
        status, snapshot_id = run.snapshot.status, run.snapshot.id
        if status not in _HELD and status not in _HANDED_OVER:
            self._timers.cancel(("heartbeat", run.id))
            return
        seconds = self.heartbeat_timeout if status in _HELD else self._pending_timeout

        def check() -> None:
            if run.snapshot.id == snapshot_id:
                self.stalled(run)

        self._timers.after(("heartbeat", run.id), seconds, check)

    def tell_worker(self, run: Run) -> None:
        """Notify the worker of the latest snapshot, repeatedly until another one follows."""
        self.notify(run)
        self._repeat(run, run.snapshot.id, 0)

    def _repeat(self, run: Run, snapshot_id: str, index: int) -> None:
        if index == len(_REPEAT_AFTER_SECONDS):
            self._timers.cancel(("notify", run.id))
            return

        def again() -> None:
            if run.snapshot.id == snapshot_id:
                self.notify(run)
                self._repeat(run, snapshot_id, index + 1)

        self._timers.after(("notify", run.id), _REPEAT_AFTER_SECONDS[index], again)
