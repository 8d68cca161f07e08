"""Moves runs into the queue, out to the worker, and back into the queue for another attempt."""

from collections.abc import Callable
from datetime import datetime

from local.trigger_platform.clock import Signal, Timers
from local.trigger_platform.durations import parse_duration
from local.trigger_platform.models import ExecutionStatus, Run, RunStatus, Task, Worker
from local.trigger_platform.queues import RunQueues
from local.trigger_platform.snapshots import Snapshots
from local.trigger_platform.state import State
from local.trigger_platform.waits import Waits
from local.trigger_platform.workers import Workers

_WAITING_TO_START = frozenset({RunStatus.PENDING, RunStatus.PENDING_VERSION, RunStatus.DELAYED})


class Dispatch:
    def __init__(
        self,
        state: State,
        queues: RunQueues,
        workers: Workers,
        snapshots: Snapshots,
        waits: Waits,
        timers: Timers,
    ) -> None:
        self.runs_ready = Signal()
        self.expired: Callable[[Run], None] = lambda run: None
        self._state = state
        self._queues = queues
        self._workers = workers
        self._snapshots = snapshots
        self._waits = waits
        self._timers = timers
        queues.changed = self._slots_changed

    def start(self, run: Run) -> None:
        """Queue a new run, or hold it until its delay is over."""
        if run.delay_until:
            self._timers.at(("delay", run.id), run.delay_until, lambda: self._enqueue(run))
        else:
            self._enqueue(run)

    def workers_changed(self) -> None:
        """Apply the new worker's queue limits, and queue the runs that waited for their task."""
        if self._workers.current:
            self._queues.set_limits(self._workers.current.queue_limits)
        for run in [run for run in self._state.runs.values() if run.status is RunStatus.PENDING_VERSION]:
            self._enqueue(run)

    def take(self, limit: int = 10) -> list[Run]:
        """Hand out queued runs, as many as there are free slots."""
        taken: list[Run] = []
        while len(taken) < limit and (run_id := self._queues.take()):
            run = self._state.runs[run_id]
            worker, task = self._resolve(run)
            if not worker or not task:
                # A newer build without this task has replaced the one that had it.
                self._queues.remove(run_id)
                self._enqueue(run)
                continue
            run.worker = worker
            run.retry = run.retry or task.retry
            run.max_attempts = run.max_attempts or (task.retry or {}).get("maxAttempts")
            run.max_duration = run.max_duration or task.max_duration
            run.machine = run.machine or task.machine
            run.started_at = run.started_at or self._timers.now()
            run.attempt_snapshot_ids.clear()
            self._snapshots.move(
                run,
                ExecutionStatus.PENDING_EXECUTING,
                RunStatus.DEQUEUED,
                "Run was dequeued for execution",
            )
            taken.append(run)
        return taken

    def requeue(self, run: Run, at: datetime) -> None:
        """Take the run from its worker and queue it again at the given time."""
        self._queues.remove(run.id)
        self._waits.unblock(run)
        description = "Requeued the run after a failure"
        self._snapshots.move(run, ExecutionStatus.QUEUED, RunStatus.PENDING, description)
        run.attempt_snapshot_ids.clear()
        self._timers.at(("retry", run.id), at, lambda: self._enqueue(run, description))

    def _enqueue(self, run: Run, description: str = "Run was QUEUED") -> None:
        if run.status not in _WAITING_TO_START:
            return
        worker, task = self._resolve(run)
        if task:
            run.queue = run.asked_queue or task.queue
        is_known = bool(worker and task and run.queue in worker.queue_limits)
        status = RunStatus.PENDING if is_known else RunStatus.PENDING_VERSION
        if run.ttl and run.status is not RunStatus.PENDING_VERSION and run.attempt_number is None:
            ttl = parse_duration(run.ttl)
            if ttl:
                self._timers.after(("ttl", run.id), ttl.total_seconds(), lambda: self._expire(run))
        self._snapshots.move(run, ExecutionStatus.QUEUED, status, description)
        if is_known:
            queued_at = run.delay_until or run.created_at
            self._queues.enqueue(run.id, run.queue, run.concurrency_key, queued_at.timestamp())

    def _resolve(self, run: Run) -> tuple[Worker | None, Task | None]:
        worker = run.worker or self._workers.current
        return worker, worker.tasks.get(run.task_id) if worker else None

    def _slots_changed(self) -> None:
        for run_id in self._queues.take_resumable():
            self._waits.resume(self._state.runs[run_id])
        self.runs_ready.fire()

    def _expire(self, run: Run) -> None:
        if run.status in _WAITING_TO_START:
            self.expired(run)
