"""Creates runs and batches, or finds earlier ones by their idempotency key."""

from local.trigger_platform import ids
from local.trigger_platform.clock import Timers
from local.trigger_platform.dispatch import Dispatch
from local.trigger_platform.durations import format_duration, parse_moment
from local.trigger_platform.errors import PlatformError
from local.trigger_platform.models import (
    KEY_RELEASING_STATUSES,
    Batch,
    ExecutionStatus,
    JsonObject,
    Run,
    RunStatus,
)
from local.trigger_platform.packets import INLINE_LIMIT, STORE_TYPE, PacketStore
from local.trigger_platform.snapshots import first_snapshot
from local.trigger_platform.state import State
from local.trigger_platform.trigger_request import (
    BatchItem,
    BatchRequest,
    Caller,
    TriggerOptions,
    TriggerRequest,
)
from local.trigger_platform.waits import Waits
from local.trigger_platform.workers import Workers, own_queue

_DEFAULT_TTL = "10m"


class Triggering:
    def __init__(
        self,
        state: State,
        dispatch: Dispatch,
        workers: Workers,
        waits: Waits,
        packets: PacketStore,
        timers: Timers,
    ) -> None:
        self._state = state
        self._dispatch = dispatch
        self._workers = workers
        self._waits = waits
        self._packets = packets
        self._timers = timers

    def trigger(
        self,
        task_id: str,
        request: TriggerRequest,
        caller: Caller,
        batch: Batch | None = None,
        index: int | None = None,
    ) -> tuple[Run, bool]:
        """Create a run, or find one by its idempotency key. Return it and whether it was found.

        Raises PlatformError (422) for options out of bounds.
        """
        repeated = self._state.requests.get(caller.request_key or "")
        if repeated in self._state.runs:
            return self._state.runs[repeated], False
        options = request.options
        self.check(options)
        parent = self._state.runs.get(ids.bare(options.parent_run_id or ""))
        waiting_parent = parent if options.resume_parent_on_completion else None
        if waiting_parent:
            self._waits.check(waiting_parent, f"trigger {task_id}")
        elif options.resume_parent_on_completion:
            raise PlatformError(404, "Parent run not found in the calling environment")
        key = caller.idempotency_key or options.idempotency_key or None
        run = self._earlier_run(task_id, key) if key else None
        is_cached = run is not None
        if run is None:
            run = self._create(task_id, request, caller, parent, batch)
            if key:
                run.idempotency_key = key
                self._state.keyed[task_id, key] = run.id
        if batch is not None and index is not None:
            batch.run_ids[index] = run.id
            run.member_of.add(batch.id)
        if waiting_parent:
            self._waits.for_run(waiting_parent, run, batch, index)
        if not is_cached:
            self._dispatch.start(run)
            self._state.remember_request(caller.request_key, run.id)
        return run, is_cached

    def create_batch(self, request: BatchRequest, caller: Caller) -> tuple[Batch, bool]:
        """Create a batch whose items follow. A parent that waits for it waits from now on."""
        key = f"batch:{request.idempotency_key}" if request.idempotency_key else None
        repeated = self._state.requests.get(key or "") or self._state.requests.get(caller.request_key or "")
        if repeated in self._state.batches:
            return self._state.batches[repeated], True
        parent = self._state.find(request.parent_run_id) if request.parent_run_id else None
        batch = Batch(ids.new_id(), request.run_count, parent.id if parent else None)
        if parent and request.resume_parent_on_completion:
            self._waits.check(parent, "start a batch")
            self._waits.for_batch(parent, batch)
        self._state.batches[batch.id] = batch
        self._state.remember_request(key, batch.id)
        self._state.remember_request(caller.request_key, batch.id)
        return batch, False

    def add_items(self, batch: Batch, items: list[BatchItem], caller: Caller) -> tuple[int, int]:
        """Start a run for each new item; seal the batch when it is full. Return (accepted, already known)."""
        accepted = known = 0
        parent = self._state.runs.get(batch.parent_id or "")
        for item in items:
            if item.index in batch.run_ids:
                known += 1
                continue
            if parent:
                item.options.parent_run_id = parent.friendly_id
                item.options.resume_parent_on_completion = batch.waitpoint is not None
            item_caller = caller.model_copy(update={"request_key": None, "idempotency_key": None})
            self.trigger(item.task, item, item_caller, batch, item.index)
            accepted += 1
        batch.sealed = len(batch.run_ids) >= batch.run_count
        self._waits.try_complete_batch(batch)
        return accepted, known

    def check(self, options: TriggerOptions) -> None:
        """Raise PlatformError (422) if the options cannot be honoured."""
        options.check()
        if options.delay and parse_moment(options.delay, self._timers.now()) is None:
            raise PlatformError(422, f"Invalid delay {options.delay}")

    def _earlier_run(self, task_id: str, key: str) -> Run | None:
        run = self._state.runs.get(self._state.keyed.get((task_id, key), ""))
        if run is None:
            return None
        if run.status in KEY_RELEASING_STATUSES:
            self._state.drop_key(run)
            return None
        return run

    def _create(
        self,
        task_id: str,
        request: TriggerRequest,
        caller: Caller,
        parent: Run | None,
        batch: Batch | None,
    ) -> Run:
        options = request.options
        now = self._timers.now()
        worker = self._workers.by_version(options.lock_to_version) if options.lock_to_version else None
        known = worker or self._workers.current
        task = known.tasks.get(task_id) if known else None
        delay_until = parse_moment(options.delay, now) if options.delay else None
        status = RunStatus.DELAYED if delay_until else RunStatus.PENDING
        # A run that a task starts joins its trace. Any other starts a trace and has the caller's as external.
        traceparent, span_id = ids.new_traceparent(caller.traceparent if caller.from_worker else None)
        trace_context: JsonObject = {"traceparent": traceparent}
        if not caller.from_worker:
            trace_context["external"] = {"traceparent": caller.traceparent} if caller.traceparent else {}
        source = "schedule" if caller.is_schedule else "sdk" if caller.from_worker else "api"
        is_scheduled = bool(task and task.cron)
        run = Run(
            id=ids.new_id(),
            task_id=task_id,
            queue=own_queue(task_id),
            asked_queue=options.queue.name if options.queue else None,
            created_at=now,
            updated_at=now,
            status=status,
            snapshot=first_snapshot(
                now,
                ExecutionStatus.DELAYED if delay_until else ExecutionStatus.RUN_CREATED,
                status,
            ),
            payload=request.payload_data(),
            payload_type=options.payload_type,
            trace_context=trace_context,
            span_id=span_id,
            trigger_source=source,
            root_trigger_source=parent.root_trigger_source if parent else source,
            task_kind="SCHEDULED" if is_scheduled else "STANDARD",
            concurrency_key=options.concurrency_key or None,
            tags=options.tag_list(),
            ttl=_ttl(options.ttl if options.ttl is not None else task.ttl if task else None),
            delay_until=delay_until,
            idempotency_key_options=options.idempotency_key_options,
            max_attempts=options.max_attempts,
            max_duration=options.max_duration,
            machine=options.machine,
            parent_id=parent.id if parent else None,
            root_id=(parent.root_id or parent.id) if parent else None,
            depth=parent.depth + 1 if parent else 0,
            resumes_parent=options.resume_parent_on_completion,
            batch_id=batch.id if batch else None,
            worker=worker,
        )
        if run.payload is not None and len(run.payload.encode()) > INLINE_LIMIT:
            path = f"{run.friendly_id}/payload.json"
            self._packets.put(path, run.payload.encode(), run.payload_type)
            run.payload, run.payload_type = path, STORE_TYPE
        self._state.runs[run.id] = run
        if parent:
            parent.child_ids.append(run.id)
        return run


def _ttl(ttl: str | int | None) -> str | None:
    if ttl is None:
        return _DEFAULT_TTL
    return format_duration(ttl) if isinstance(ttl, int) else ttl
