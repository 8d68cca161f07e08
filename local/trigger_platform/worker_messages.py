"""Answers to the CLI about the runs it executes: runs handed out, attempts started and completed."""

from datetime import datetime

from local.trigger_platform.clock import iso, iso_or_none
from local.trigger_platform.environment import Environment
from local.trigger_platform.ids import friendly
from local.trigger_platform.models import JsonObject, Run, RunStatus, Task, Worker
from local.trigger_platform.wire_shapes import short_run, short_snapshot

# name → (vCPU, GB). Tasks read these; nothing here enforces them.
_MACHINES = {
    "micro": (0.25, 0.25),
    "small-1x": (0.5, 0.5),
    "small-2x": (1, 1),
    "medium-1x": (1, 2),
    "medium-2x": (2, 4),
    "large-1x": (4, 8),
    "large-2x": (8, 16),
}


def dequeued_message(run: Run, environment: Environment, now: datetime) -> JsonObject:
    worker, _ = _locked(run)
    return {
        "version": "1",
        "dequeuedAt": iso(now),
        "workerQueueLength": 0,
        "snapshot": short_snapshot(run.snapshot),
        "completedWaitpoints": [],
        "backgroundWorker": {
            "id": worker.id,
            "friendlyId": friendly("worker", worker.id),
            "version": worker.version,
            "runtime": worker.runtime,
        },
        "deployment": {},
        "run": {
            "id": run.id,
            "friendlyId": run.friendly_id,
            "isTest": False,
            "isReplay": False,
            "machine": _machine(run),
            "attemptNumber": (run.attempt_number or 0) + 1,
            "masterQueue": environment.id,
            "traceContext": run.trace_context,
            "annotations": {
                "triggerSource": run.trigger_source,
                "triggerAction": "trigger",
                "rootTriggerSource": run.root_trigger_source,
                "taskKind": run.task_kind,
            },
        },
        "environment": {"id": environment.id, "type": "DEVELOPMENT"},
        "organization": {"id": environment.organization_id},
        "project": {"id": environment.project_id},
        "placementTags": [{"key": "paid", "values": ["true"]}],
    }


def started_attempt(run: Run, environment: Environment, waited_since: datetime) -> JsonObject:
    return {
        "run": _attempt_run(run, environment),
        "snapshot": full_snapshot(run, environment),
        "execution": _execution(run, environment, waited_since),
        "envVars": environment.run_variables(run),
    }


def completed_attempt(run: Run, attempt_status: str, environment: Environment) -> JsonObject:
    """Return the outcome, with the whole run if it finished without being cancelled."""
    if not run.is_finished or run.status is RunStatus.CANCELED:
        cancelled = {"alreadyFinished": False} if run.is_finished else {}
        short = {"snapshot": short_snapshot(run.snapshot), "run": short_run(run)}
        return {"result": {"attemptStatus": attempt_status} | cancelled | short}
    return {
        "result": {
            "attemptStatus": attempt_status,
            "snapshot": full_snapshot(run, environment) | {"completedWaitpoints": []},
            "run": {
                "id": run.id,
                "friendlyId": run.friendly_id,
                "status": run.status.value,
                "attemptNumber": run.attempt_number,
                "spanId": run.span_id,
                "updatedAt": iso(run.updated_at),
                "associatedWaitpoint": {"id": run.waitpoint.id} if run.waitpoint else None,
                "batchId": run.batch_id,
                "createdAt": iso(run.created_at),
                "completedAt": iso_or_none(run.completed_at),
                "taskEventStore": "taskEvent",
                "parentTaskRunId": run.parent_id,
                "usageDurationMs": round(run.usage_ms),
                "costInCents": 0,
                "runtimeEnvironmentId": environment.id,
                "projectId": environment.project_id,
            },
        }
    }


def full_snapshot(run: Run, environment: Environment) -> JsonObject:
    snapshot = run.snapshot
    return {
        "id": snapshot.id,
        "engine": "V2",
        "executionStatus": snapshot.status.value,
        "description": snapshot.description,
        "isValid": True,
        "error": None,
        "previousSnapshotId": snapshot.previous_id,
        "runId": run.id,
        "runStatus": snapshot.run_status.value,
        "batchId": snapshot.batch_id,
        "attemptNumber": snapshot.attempt_number,
        "environmentId": environment.id,
        "environmentType": "DEVELOPMENT",
        "projectId": environment.project_id,
        "organizationId": environment.organization_id,
        "completedWaitpointOrder": [],
        "checkpointId": None,
        "workerId": None,
        "runnerId": None,
        "createdAt": iso(snapshot.created_at),
        "updatedAt": iso(snapshot.created_at),
        "lastHeartbeatAt": None,
        "metadata": None,
        "checkpoint": None,
        "friendlyId": friendly("snapshot", snapshot.id),
        "runFriendlyId": run.friendly_id,
    }


def _locked(run: Run) -> tuple[Worker, Task]:
    if run.worker is None:
        raise ValueError(f"{run.friendly_id} was handed out without a worker")
    return run.worker, run.worker.tasks[run.task_id]


def _machine(run: Run) -> JsonObject:
    code = run.machine if run.machine in _MACHINES else "small-1x"
    cpu, memory = _MACHINES[code]
    title = code.replace("-", " ").capitalize()
    return {"name": code, "code": code, "title": title, "cpu": cpu, "memory": memory, "centsPerMs": 0}


def _attempt_run(run: Run, environment: Environment) -> JsonObject:
    worker, task = _locked(run)
    return {
        "id": run.id,
        "createdAt": iso(run.created_at),
        "updatedAt": iso(run.updated_at),
        "executedAt": iso_or_none(run.executed_at),
        "baseCostInCents": 0,
        "projectId": environment.project_id,
        "organizationId": environment.organization_id,
        "friendlyId": run.friendly_id,
        "lockedById": f"{worker.id}-{task.id}",
        "lockedQueueId": environment.queue_id(run.queue),
        "queue": run.queue,
        "attemptNumber": run.attempt_number,
        "status": run.status.value,
        "ttl": run.ttl,
        "metadata": None,
        "metadataType": "application/json",
        "machinePreset": run.machine,
        "payload": run.payload,
        "payloadType": run.payload_type,
        "runTags": run.tags,
        "isTest": False,
        "replayedFromTaskRunFriendlyId": None,
        "idempotencyKey": run.idempotency_key,
        "idempotencyKeyOptions": run.idempotency_key_options,
        "startedAt": iso_or_none(run.started_at),
        "maxAttempts": run.max_attempts,
        "taskVersion": worker.version,
        "maxDurationInSeconds": run.max_duration,
        "usageDurationMs": round(run.usage_ms),
        "costInCents": 0,
        "traceContext": run.trace_context,
        "priorityMs": 0,
        "batchId": run.batch_id,
        "realtimeStreamsVersion": "v1",
        "runtimeEnvironmentId": environment.id,
        "parentTaskRunId": run.parent_id,
        "rootTaskRunId": run.root_id,
        "workerQueue": environment.id,
        "taskEventStore": "taskEvent",
    }


def _execution(run: Run, environment: Environment, waited_since: datetime) -> JsonObject:
    """Return TaskRunExecution, from which the worker process runs the task."""
    worker, task = _locked(run)
    idempotency_key = (run.idempotency_key_options or {}).get("key") or run.idempotency_key
    execution_run = {
        "id": run.friendly_id,
        "payload": run.payload,
        "payloadType": run.payload_type,
        "createdAt": iso(run.created_at),
        "tags": run.tags,
        "isTest": False,
        "isReplay": False,
        "idempotencyKey": idempotency_key,
        "idempotencyKeyScope": (run.idempotency_key_options or {}).get("scope"),
        "startedAt": iso(run.started_at or run.created_at),
        "maxAttempts": run.max_attempts,
        "version": worker.version,
        "maxDuration": run.max_duration,
        "durationMs": round(run.usage_ms),
        "costInCents": 0,
        "baseCostInCents": 0,
        "traceContext": run.trace_context,
        "parentTaskRunId": friendly("run", run.parent_id) if run.parent_id else None,
        "rootTaskRunId": friendly("run", run.root_id) if run.root_id else None,
        "realtimeStreamsVersion": "v1",
    }
    task_fields = {"id": task.id, "filePath": task.file_path, "exportName": task.export_name}
    execution = {
        "attempt": {
            "number": run.attempt_number,
            "startedAt": iso(waited_since),
            "id": "deprecated",
            "backgroundWorkerId": "deprecated",
            "backgroundWorkerTaskId": "deprecated",
            "status": "deprecated",
        },
        "run": {name: value for name, value in execution_run.items() if value is not None},
        "task": {name: value for name, value in task_fields.items() if value is not None},
        "queue": {"id": friendly("queue", environment.queue_id(run.queue)), "name": run.queue},
        "environment": {"id": environment.id, "slug": "dev", "type": "DEVELOPMENT"},
        "organization": {"id": environment.organization_id, "name": "Local", "slug": "local"},
        "project": {
            "id": environment.project_id,
            "name": environment.project_ref,
            "slug": environment.project_ref,
            "ref": environment.project_ref,
        },
        "machine": _machine(run),
    }
    if run.batch_id:
        execution["batch"] = {"id": friendly("batch", run.batch_id)}
    return execution
