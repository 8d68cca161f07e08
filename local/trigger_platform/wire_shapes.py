"""Runs, snapshots and waitpoints as JSON, in the shapes of Trigger.dev's API."""

from typing import Any

from local.trigger_platform.clock import iso, iso_or_none
from local.trigger_platform.ids import friendly
from local.trigger_platform.models import Block, JsonObject, Run, RunStatus, Snapshot, WaitpointKind
from local.trigger_platform.packets import STORE_TYPE, PacketStore, parse_packet
from local.trigger_platform.state import State
from local.trigger_platform.task_errors import public_error

_COMPLETED = frozenset({"COMPLETED", "CANCELED", "FAILED", "CRASHED", "SYSTEM_FAILURE"})
API_STATUSES = _COMPLETED | {
    "PENDING_VERSION",
    "QUEUED",
    "DEQUEUED",
    "EXECUTING",
    "WAITING",
    "DELAYED",
    "EXPIRED",
    "TIMED_OUT",
}


def _present(**fields: Any) -> JsonObject:  # noqa: ANN401 (JSON)
    """Return the fields that are set: answers leave out the others."""
    return {name: value for name, value in fields.items() if value is not None}


def api_status(run: Run) -> str:
    """Return the run's public status."""
    match run.status:
        case RunStatus.PENDING:
            return "QUEUED"
        case RunStatus.COMPLETED_SUCCESSFULLY:
            return "COMPLETED"
        case RunStatus.COMPLETED_WITH_ERRORS:
            return "FAILED"
    return run.status.value


def run_summary(run: Run) -> JsonObject:
    status = api_status(run)
    return _present(
        id=run.friendly_id,
        taskIdentifier=run.task_id,
        idempotencyKey=(run.idempotency_key_options or {}).get("key") or run.idempotency_key,
        version=run.worker.version if run.worker else None,
        status=status,
        createdAt=iso(run.created_at),
        startedAt=iso_or_none(run.started_at),
        updatedAt=iso(run.updated_at),
        finishedAt=iso_or_none(run.completed_at),
        expiredAt=iso_or_none(run.expired_at),
        delayedUntil=iso_or_none(run.delay_until),
        ttl=run.ttl,
        costInCents=0,
        baseCostInCents=0,
        durationMs=round(run.usage_ms),
        isTest=False,
        depth=run.depth,
        tags=sorted(run.tags),
        isQueued=status in ("QUEUED", "DELAYED", "PENDING_VERSION"),
        isExecuting=status in ("EXECUTING", "DEQUEUED"),
        isCompleted=status in _COMPLETED,
        isFailed=status in _COMPLETED and status != "COMPLETED",
        isSuccess=status == "COMPLETED",
        isCancelled=status == "CANCELED",
        isWaiting=False,
        triggerFunction=_trigger_function(run),
        batchId=friendly("batch", run.batch_id) if run.batch_id else None,
    )


def run_details(run: Run, state: State, packets: PacketStore, environment_id: str) -> JsonObject:
    """Return what `GET /api/v3/runs/:id` answers."""

    def related(run_id: str | None) -> JsonObject | None:
        found = state.runs.get(run_id or "")
        return run_summary(found) | {"region": environment_id} if found else None

    details = run_summary(run) | {"region": environment_id}
    details |= _packet("payload", run.payload, run.payload_type, packets)
    if run.status is RunStatus.COMPLETED_SUCCESSFULLY:
        details |= _packet("output", run.output, run.output_type, packets)
    return details | _present(
        error=public_error(run.error) if run.error else None,
        attemptCount=run.attempt_number or 0,
        attempts=[],
        relatedRuns=_present(
            root=related(run.root_id),
            parent=related(run.parent_id),
            children=[child for run_id in run.child_ids if (child := related(run_id))],
        ),
    )


def short_snapshot(snapshot: Snapshot) -> JsonObject:
    return {
        "id": snapshot.id,
        "friendlyId": friendly("snapshot", snapshot.id),
        "executionStatus": snapshot.status.value,
        "description": snapshot.description,
        "createdAt": iso(snapshot.created_at),
    }


def short_run(run: Run) -> JsonObject:
    return {
        "id": run.id,
        "friendlyId": run.friendly_id,
        "status": run.snapshot.run_status.value,
        "attemptNumber": run.snapshot.attempt_number,
    }


def latest_execution(run: Run) -> JsonObject:
    """Return RunExecutionData: the latest snapshot and, for a resumed run, its completed waitpoints."""
    snapshot = run.snapshot
    return _present(
        version="1",
        snapshot=short_snapshot(snapshot),
        run=short_run(run),
        batch=_reference("batch", snapshot.batch_id),
        completedWaitpoints=[_completed_waitpoint(block) for block in _in_order(snapshot.completed)],
    )


def _in_order(blocks: tuple[Block, ...]) -> list[Block]:
    """Children by their index, then the batch itself."""
    return sorted(blocks, key=lambda block: (block.batch_index is None, block.batch_index or 0))


def _completed_waitpoint(block: Block) -> JsonObject:
    waitpoint = block.waitpoint
    by_run = None
    if waitpoint.run_id:
        # The batch in which this parent waits: a child found by its key may come from an earlier batch.
        batch = _reference("batch", block.batch_id)
        by_run = _present(id=waitpoint.run_id, friendlyId=friendly("run", waitpoint.run_id), batch=batch)
    is_batch = waitpoint.kind is WaitpointKind.BATCH
    return _present(
        id=waitpoint.id,
        index=block.batch_index,
        friendlyId=friendly("waitpoint", waitpoint.id),
        type=waitpoint.kind.value,
        completedAt=iso_or_none(waitpoint.completed_at),
        completedByTaskRun=by_run,
        completedAfter=iso_or_none(waitpoint.completed_after),
        completedByBatch=_reference("batch", waitpoint.batch_id) if is_batch else None,
        output=waitpoint.output,
        outputType=waitpoint.output_type or "application/json",
        outputIsError=waitpoint.output_is_error,
    )


def _reference(kind: str, bare_id: str | None) -> JsonObject | None:
    return {"id": bare_id, "friendlyId": friendly(kind, bare_id)} if bare_id else None


def _packet(name: str, data: str | None, data_type: str, packets: PacketStore) -> JsonObject:
    if data is not None and data_type == STORE_TYPE:
        return {f"{name}PresignedUrl": packets.url(data, "GET")}
    return _present(**{name: parse_packet(data, data_type)})


def _trigger_function(run: Run) -> str:
    return ("batchTrigger" if run.batch_id else "trigger") + ("AndWait" if run.resumes_parent else "")
