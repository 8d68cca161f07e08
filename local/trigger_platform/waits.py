"""Waits for runs, batches and moments. A waiting run releases its slot, and needs one again to go on."""

from datetime import datetime

from local.trigger_platform.clock import Timers
from local.trigger_platform.errors import PlatformError
from local.trigger_platform.ids import new_id
from local.trigger_platform.models import (
    Batch,
    Block,
    ExecutionStatus,
    JsonObject,
    Run,
    RunStatus,
    Waitpoint,
    WaitpointKind,
)
from local.trigger_platform.packets import dump_json
from local.trigger_platform.queues import RunQueues
from local.trigger_platform.snapshots import Snapshots
from local.trigger_platform.state import State

_CAN_WAIT = frozenset({ExecutionStatus.EXECUTING, ExecutionStatus.EXECUTING_WITH_WAITPOINTS})


class Waits:
    def __init__(self, state: State, queues: RunQueues, snapshots: Snapshots, timers: Timers) -> None:
        self._state = state
        self._queues = queues
        self._snapshots = snapshots
        self._timers = timers

    def for_moment(self, run: Run, moment: datetime) -> Waitpoint:
        """Make the run wait until the moment. Raises PlatformError (422) if it is not executing."""
        self.check(run, "wait")
        waitpoint = Waitpoint(new_id(), WaitpointKind.DATETIME, completed_after=moment)
        self.block(run, Block(waitpoint))
        self._timers.at(("waitpoint", waitpoint.id), moment, lambda: self.complete(waitpoint))
        return waitpoint

    def for_run(self, parent: Run, child: Run, batch: Batch | None, index: int | None) -> None:
        """Make the parent wait for the child, which may be finished already."""
        if child.waitpoint is None:
            child.waitpoint = Waitpoint(new_id(), WaitpointKind.RUN, run_id=child.id)
        self.block(parent, Block(child.waitpoint, batch.id if batch else None, index))
        if child.is_finished:
            self.complete_for(child)

    def for_batch(self, parent: Run, batch: Batch) -> None:
        batch.waitpoint = Waitpoint(new_id(), WaitpointKind.BATCH, batch_id=batch.id)
        self.block(parent, Block(batch.waitpoint, batch.id))

    @staticmethod
    def check(run: Run, purpose: str) -> None:
        """Raise PlatformError (422) unless the run is executing, so that it can wait."""
        if run.snapshot.status not in _CAN_WAIT:
            raise PlatformError(422, f"Cannot {purpose} as the waiting run has a status of {run.status}")

    def block(self, run: Run, block: Block) -> None:
        """Make an executing run wait for one more waitpoint."""
        run.blocks.append(block)
        block.waitpoint.waiting_run_ids.add(run.id)
        if run.snapshot.status is ExecutionStatus.EXECUTING:
            self._snapshots.move(
                run,
                ExecutionStatus.EXECUTING_WITH_WAITPOINTS,
                RunStatus.EXECUTING,
                "Run was blocked by a waitpoint.",
                batch_id=block.batch_id,
            )
            self._snapshots.notify(run)
            self._queues.release(run.id)

    def unblock(self, run: Run) -> None:
        """Remove the waitpoints of a run that goes on or whose attempt is over."""
        for block in run.blocks:
            block.waitpoint.waiting_run_ids.discard(run.id)
            if block.waitpoint.kind is WaitpointKind.DATETIME:
                self._timers.cancel(("waitpoint", block.waitpoint.id))
        run.blocks.clear()

    def complete_for(self, child: Run) -> None:
        """Complete a finished run's waitpoint with its output or error."""
        if child.waitpoint is None:
            return
        if child.status is RunStatus.COMPLETED_SUCCESSFULLY:
            self.complete(child.waitpoint, child.output, child.output_type)
        else:
            self.complete(child.waitpoint, error=child.error or {})

    def complete(
        self,
        waitpoint: Waitpoint,
        output: str | None = None,
        output_type: str | None = None,
        error: JsonObject | None = None,
    ) -> None:
        """Complete a waitpoint, once, and let the runs go on that wait for nothing else."""
        if waitpoint.completed_at is None:
            waitpoint.completed_at = self._timers.now()
            waitpoint.output = output if error is None else dump_json(error)
            waitpoint.output_type = output_type
            waitpoint.output_is_error = error is not None
        for run_id in list(waitpoint.waiting_run_ids):
            run = self._state.runs.get(run_id)
            if run:
                self._continue(run)

    def try_complete_batch(self, batch: Batch) -> None:
        """Complete the batch if it has all its items and all their runs are finished."""
        runs = [self._state.runs.get(run_id) for run_id in batch.run_ids.values()]
        if batch.completed or not batch.sealed or any(run and not run.is_finished for run in runs):
            return
        batch.completed = True
        self._state.note_batch_finished(batch)
        if batch.waitpoint:
            self.complete(batch.waitpoint, "Batch waitpoint completed", "application/json")

    def resume(self, run: Run) -> None:
        """Let a run that has a slot again go on in the process where it waits."""
        completed = tuple(run.blocks)
        batch_id = run.snapshot.batch_id
        self.unblock(run)
        self._snapshots.move(
            run,
            ExecutionStatus.EXECUTING,
            RunStatus.EXECUTING,
            "Run was continued, whilst still executing.",
            batch_id=batch_id,
            completed=completed,
        )
        self._snapshots.tell_worker(run)

    def _continue(self, run: Run) -> None:
        if run.snapshot.status is not ExecutionStatus.EXECUTING_WITH_WAITPOINTS:
            return
        if any(block.waitpoint.completed_at is None for block in run.blocks):
            return
        if self._queues.reacquire(run.id, run.queue, run.concurrency_key):
            self.resume(run)
            return
        self._snapshots.move(
            run,
            ExecutionStatus.QUEUED_EXECUTING,
            RunStatus.EXECUTING,
            "Run can continue, but is waiting for concurrency",
            batch_id=run.snapshot.batch_id,
        )
