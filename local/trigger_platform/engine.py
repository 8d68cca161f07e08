"""What happens to a run at a worker: attempts, retries, heartbeats, cancellation, loss and end."""

import logging
from collections.abc import Iterable
from datetime import datetime

from local.trigger_platform import retries, task_errors
from local.trigger_platform.clock import Timers
from local.trigger_platform.dispatch import Dispatch
from local.trigger_platform.errors import PlatformError
from local.trigger_platform.models import (
    WITH_WORKER,
    ExecutionStatus,
    JsonObject,
    Run,
    RunStatus,
)
from local.trigger_platform.queues import RunQueues
from local.trigger_platform.snapshots import Snapshots
from local.trigger_platform.state import State
from local.trigger_platform.waits import Waits

logger = logging.getLogger(__name__)

SESSION_ENDED = "Dev session ended (CLI exited)"


class Engine:
    """Every method is synchronous and runs on one event loop, so it acts as one transaction."""

    def __init__(
        self,
        state: State,
        queues: RunQueues,
        dispatch: Dispatch,
        snapshots: Snapshots,
        waits: Waits,
        timers: Timers,
        revives_cancelled: bool = False,
    ) -> None:
        self._revives_cancelled = revives_cancelled
        self._state = state
        self._queues = queues
        self._dispatch = dispatch
        self._snapshots = snapshots
        self._waits = waits
        self._timers = timers
        dispatch.expired = self._expire
        snapshots.stalled = self._stalled

    def start_attempt(self, run: Run, snapshot_id: str) -> datetime:
        """Begin the next attempt. Return when the run entered the state before it.

        Raises PlatformError: 409 if the snapshot is not the latest, 500 if the run is over or cancelled.
        """
        if run.is_finished or run.snapshot.status is ExecutionStatus.PENDING_CANCEL:
            raise PlatformError(500, "Internal Server Error")
        if run.snapshot.id != snapshot_id:
            raise PlatformError(409, "Snapshot changed inside startRunAttempt")
        if run.snapshot.status not in (ExecutionStatus.PENDING_EXECUTING, ExecutionStatus.EXECUTING):
            raise PlatformError(400, f"A run that is {run.snapshot.status} cannot be started")
        waited_since = run.snapshot.created_at
        run.attempt_number = (run.attempt_number or 0) + 1
        run.executed_at = run.executed_at or self._timers.now()
        run.attempt_snapshot_ids.clear()
        self._timers.cancel(("ttl", run.id))
        self._snapshots.move(
            run,
            ExecutionStatus.EXECUTING,
            RunStatus.EXECUTING,
            "Attempt created, starting execution",
        )
        return waited_since

    def complete_attempt(self, run: Run, snapshot_id: str, completion: JsonObject) -> str:
        """Record an attempt's outcome and return what the worker does next.

        `completion` is a TaskRunExecutionResult of `@trigger.dev/core`. Any snapshot of the current attempt
        is accepted: the worker may not know the latest one yet, and nobody else could finish the run. A
        snapshot of an earlier attempt is refused with 400.

        A cancellation does not end a run that executes. Once the worker has heard of it, its report counts as
        any other: the run may succeed, fail, or be attempted again.
        """
        if snapshot_id not in run.attempt_snapshot_ids:
            raise PlatformError(400, "Snapshot ID doesn't match the latest snapshot")
        if run.is_finished:
            raise PlatformError(400, "Run is already finished")
        run.attempt_snapshot_ids.clear()
        run.usage_ms += float((completion.get("usage") or {}).get("durationMs") or 0)
        self._waits.unblock(run)
        if run.snapshot.status is ExecutionStatus.PENDING_CANCEL and snapshot_id != run.snapshot.id:
            # The worker had not heard. The real platform refuses its report, and ends the run a minute later.
            self._finish_cancelled(run)
            return "RUN_FINISHED"
        if completion.get("ok"):
            run.output = completion.get("output")
            run.output_type = completion.get("outputType") or "application/json"
            self._finish(run, RunStatus.COMPLETED_SUCCESSFULLY, "Task completed successfully")
            return "RUN_FINISHED"
        return self._fail_attempt(run, completion["error"], completion.get("retry"))

    def heartbeat(self, run: Run, snapshot_id: str) -> None:
        """Restart the heartbeat timeout. A worker with an old snapshot does not count."""
        if run.snapshot.id == snapshot_id:
            self._snapshots.watch(run)

    def _fail_attempt(self, run: Run, error: JsonObject, worker_retry: JsonObject | None) -> str:
        decision = retries.after_failure(
            error,
            now=self._timers.now(),
            attempt_number=run.attempt_number or 1,
            max_attempts=run.max_attempts,
            worker_retry=worker_retry,
            task_retry=run.retry,
            machine=run.machine,
        )
        is_cancelled = run.snapshot.status is ExecutionStatus.PENDING_CANCEL
        if self._revives_cancelled and is_cancelled and run.attempt_number == 1:
            decision = retries.Retry(self._timers.now(), in_queue=True)
        match decision:
            case retries.Cancel():
                run.error = {"type": "STRING_ERROR", "raw": error.get("message") or "Canceled by user"}
                self._finish_cancelled(run)
            case retries.Fail():
                self._finish(run, task_errors.run_status(error), "Run failed", error=error)
            case retries.Retry(at=at, in_queue=in_queue, machine=machine):
                # A waiting run has released its slot, so it must queue for a new one. So has a cancelled run,
                # but its worker goes on without one.
                if in_queue or not (is_cancelled or self._queues.holds_slot(run.id)):
                    run.machine = machine or run.machine
                    self._dispatch.requeue(run, at)
                    return "RETRY_QUEUED"
                self._snapshots.move(
                    run,
                    ExecutionStatus.EXECUTING,
                    run.status if is_cancelled else RunStatus.EXECUTING,
                    "Attempt failed with a short delay, starting a new attempt",
                )
                self._snapshots.notify(run)
                return "RETRY_IMMEDIATELY"
        return "RUN_FINISHED"

    def cancel(self, run: Run, reason: str = "Canceled by user", *, worker_is_gone: bool = False) -> bool:
        """Cancel the run at once and then tell its worker. Return False if it was finished."""
        if run.is_finished:
            return False
        if run.snapshot.status is ExecutionStatus.PENDING_CANCEL and not worker_is_gone:
            self._snapshots.tell_worker(run)
            return True
        run.error = run.error or {"type": "STRING_ERROR", "raw": reason}
        if run.snapshot.status in WITH_WORKER and not worker_is_gone:
            self._queues.remove(run.id)
            self._waits.unblock(run)
            self._snapshots.move(run, ExecutionStatus.PENDING_CANCEL, RunStatus.CANCELED, "Run was cancelled")
            self._snapshots.tell_worker(run)
        else:
            self._finish_cancelled(run)
        return True

    def session_lost(self, runs: Iterable[Run]) -> int:
        """Cancel what a lost CLI executed, and queue again what it had not started. Return how many ended."""
        ended = 0
        for run in [run for run in runs if run.snapshot.status in WITH_WORKER]:
            if run.snapshot.status is ExecutionStatus.PENDING_EXECUTING:
                self._dispatch.requeue(run, self._timers.now())
            else:
                ended += self.cancel(run, SESSION_ENDED, worker_is_gone=True)
        return ended

    def _finish_cancelled(self, run: Run) -> None:
        self._finish(run, RunStatus.CANCELED, "Run was cancelled, not finished", error=run.error)
        for child_id in list(run.child_ids):
            child = self._state.runs.get(child_id)
            if child:
                self.cancel(child, str((run.error or {}).get("raw", "Canceled by user")))

    def _finish(self, run: Run, status: RunStatus, description: str, error: JsonObject | None = None) -> None:
        run.error = error
        run.completed_at = self._timers.now()
        for timer in ("ttl", "delay", "retry", "notify"):
            self._timers.cancel((timer, run.id))
        self._snapshots.move(run, ExecutionStatus.FINISHED, status, description)
        self._queues.remove(run.id)
        self._waits.unblock(run)
        self._state.note_finished(run)
        self._waits.complete_for(run)
        for batch_id in run.member_of:
            batch = self._state.batches.get(batch_id)
            if batch:
                self._waits.try_complete_batch(batch)

    def _expire(self, run: Run) -> None:
        run.expired_at = self._timers.now()
        message = f"Run expired because the TTL ({run.ttl}) was reached"
        self._finish(
            run,
            RunStatus.EXPIRED,
            "Run was expired because the TTL was reached",
            error={"type": "STRING_ERROR", "raw": message},
        )

    def _stalled(self, run: Run) -> None:
        """End or queue again a run whose worker has sent no heartbeat for too long."""
        logger.warning("%s lost its worker while %s", run.friendly_id, run.snapshot.status)
        if run.snapshot.status is ExecutionStatus.PENDING_EXECUTING:
            self._dispatch.requeue(run, self._timers.now())
        elif run.snapshot.status is ExecutionStatus.PENDING_CANCEL:
            self._finish_cancelled(run)
        else:
            waits = run.snapshot.status is not ExecutionStatus.EXECUTING
            code = "TASK_RUN_STALLED_EXECUTING" + ("_WITH_WAITPOINTS" if waits else "")
            seconds = round(self._snapshots.heartbeat_timeout)
            message = f"Run timed out after {seconds}s due to missing heartbeats (sent every 30s)."
            self._fail_attempt(run, task_errors.internal_error(code, message), None)
