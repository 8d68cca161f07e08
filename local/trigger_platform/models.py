"""The platform's records: runs with their latest snapshot, waitpoints, batches, workers and their tasks."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from local.trigger_platform.ids import friendly

JsonObject = dict[str, Any]


class RunStatus(StrEnum):
    DELAYED = "DELAYED"
    PENDING = "PENDING"
    PENDING_VERSION = "PENDING_VERSION"
    DEQUEUED = "DEQUEUED"
    EXECUTING = "EXECUTING"
    CANCELED = "CANCELED"
    COMPLETED_SUCCESSFULLY = "COMPLETED_SUCCESSFULLY"
    COMPLETED_WITH_ERRORS = "COMPLETED_WITH_ERRORS"
    SYSTEM_FAILURE = "SYSTEM_FAILURE"
    CRASHED = "CRASHED"
    EXPIRED = "EXPIRED"
    TIMED_OUT = "TIMED_OUT"


# These release the run's idempotency key: the same key then starts a new run.
KEY_RELEASING_STATUSES = frozenset(
    {
        RunStatus.COMPLETED_WITH_ERRORS,
        RunStatus.SYSTEM_FAILURE,
        RunStatus.CRASHED,
        RunStatus.TIMED_OUT,
        RunStatus.EXPIRED,
    }
)


class ExecutionStatus(StrEnum):
    """A run's state as its worker sees it; finer than RunStatus."""

    RUN_CREATED = "RUN_CREATED"
    DELAYED = "DELAYED"
    QUEUED = "QUEUED"
    QUEUED_EXECUTING = "QUEUED_EXECUTING"
    PENDING_EXECUTING = "PENDING_EXECUTING"
    EXECUTING = "EXECUTING"
    EXECUTING_WITH_WAITPOINTS = "EXECUTING_WITH_WAITPOINTS"
    PENDING_CANCEL = "PENDING_CANCEL"
    FINISHED = "FINISHED"


# The states in which a worker process holds the run.
WITH_WORKER = frozenset(
    {
        ExecutionStatus.PENDING_EXECUTING,
        ExecutionStatus.EXECUTING,
        ExecutionStatus.EXECUTING_WITH_WAITPOINTS,
        ExecutionStatus.QUEUED_EXECUTING,
        ExecutionStatus.PENDING_CANCEL,
    }
)


class WaitpointKind(StrEnum):
    RUN = "RUN"
    BATCH = "BATCH"
    DATETIME = "DATETIME"


@dataclass(slots=True, eq=False)
class Waitpoint:
    """Something that a run can wait for: another run, a batch, or a moment."""

    id: str
    kind: WaitpointKind
    run_id: str | None = None
    batch_id: str | None = None
    completed_after: datetime | None = None
    completed_at: datetime | None = None
    output: str | None = None
    output_type: str | None = None
    output_is_error: bool = False
    waiting_run_ids: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Block:
    """A waitpoint that a run waits for, and the place of the child in the parent's batch, if it has one."""

    waitpoint: Waitpoint
    batch_id: str | None = None
    batch_index: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run's state between two changes. Workers name it in their messages, so late ones can be refused."""

    id: str
    previous_id: str | None
    status: ExecutionStatus
    description: str
    run_status: RunStatus
    attempt_number: int | None
    batch_id: str | None
    completed: tuple[Block, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Task:
    id: str
    file_path: str
    export_name: str | None
    queue: str
    retry: JsonObject | None
    max_duration: float | None
    ttl: str | int | None
    machine: str
    cron: str | None
    timezone: str


@dataclass(frozen=True, slots=True)
class Worker:
    """One build of the tasks that the CLI registered."""

    id: str
    version: str
    content_hash: str
    runtime: str
    tasks: dict[str, Task]
    queue_limits: dict[str, int | None]


@dataclass(slots=True, eq=False)
class Batch:
    id: str
    run_count: int
    parent_id: str | None
    waitpoint: Waitpoint | None = None
    run_ids: dict[int, str] = field(default_factory=dict)
    sealed: bool = False
    completed: bool = False


@dataclass(slots=True, eq=False)
class Run:
    id: str
    task_id: str
    queue: str
    created_at: datetime
    updated_at: datetime
    status: RunStatus
    snapshot: Snapshot
    payload: str | None
    payload_type: str
    trace_context: JsonObject
    span_id: str
    trigger_source: str
    root_trigger_source: str
    task_kind: str = "STANDARD"
    # The queue that the caller named. Without one, the task's own queue applies once the task is known.
    asked_queue: str | None = None
    concurrency_key: str | None = None
    tags: list[str] = field(default_factory=list)
    ttl: str | None = None
    delay_until: datetime | None = None
    idempotency_key: str | None = None
    idempotency_key_options: JsonObject | None = None
    max_attempts: int | None = None
    max_duration: float | None = None
    machine: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    depth: int = 0
    resumes_parent: bool = False
    batch_id: str | None = None
    # The batches that wait for this run: a run found by its idempotency key can belong to several.
    member_of: set[str] = field(default_factory=set)

    # Set when a worker takes the run; it then stays with that worker's version.
    worker: Worker | None = None
    retry: JsonObject | None = None
    started_at: datetime | None = None
    executed_at: datetime | None = None
    attempt_number: int | None = None
    # Snapshots issued since the current attempt began: see Engine.complete_attempt.
    attempt_snapshot_ids: set[str] = field(default_factory=set)

    completed_at: datetime | None = None
    expired_at: datetime | None = None
    output: str | None = None
    output_type: str = "application/json"
    error: JsonObject | None = None
    usage_ms: float = 0
    waitpoint: Waitpoint | None = None
    blocks: list[Block] = field(default_factory=list)
    child_ids: list[str] = field(default_factory=list)

    @property
    def friendly_id(self) -> str:
        return friendly("run", self.id)

    @property
    def is_finished(self) -> bool:
        return self.snapshot.status is ExecutionStatus.FINISHED
