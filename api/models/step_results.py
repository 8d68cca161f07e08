"""Step results: what one step did in one run, with its ledger."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from api.models.envelope import ResultModel
from api.models.requests import PageRequest, RequestModel
from api.models.steps import ExecutionMode


class StepResultStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class SkipReason(StrEnum):
    CONDITION = "condition"
    RUN_FAILED = "run_failed"
    RUN_CANCELLED = "run_cancelled"


class RecordKind(StrEnum):
    INPUT = "input"
    OUTPUT = "output"
    REJECTED = "rejected"
    DROPPED = "dropped"


class ListStepResults(PageRequest):
    pipeline_run_id: UUID


class GetStepResult(RequestModel):
    step_result_id: UUID


class ListStepResultRecords(PageRequest):
    step_result_id: UUID
    kind: RecordKind = RecordKind.OUTPUT
    limit: Annotated[int, Field(ge=1, le=1000, description="How many records at most, 1 to 1000.")] = 100


class StepResult(ResultModel):
    """records_in + records_added = records_out + records_rejected + records_dropped, once it succeeded."""

    id: UUID
    pipeline_run_id: UUID
    position: int
    slug: str
    version: str
    execution_mode: ExecutionMode
    status: StepResultStatus
    skip_reason: SkipReason | None
    continue_on_error: bool
    input_step_result_id: Annotated[
        UUID | None, Field(description="Whose output it took, once started; null: the submission.")
    ]
    reused_from: Annotated[
        UUID | None, Field(description="The step result of an earlier run that did this step.")
    ]
    resumed_from: Annotated[
        UUID | None, Field(description="The step result of an earlier run that this one goes on with.")
    ]
    delivery_key: Annotated[str, Field(description="What the step's deliveries name themselves by.")]
    attempt: int
    chunk_count: int | None
    chunks_written: int
    records_in: int
    records_added: int
    records_out: int
    records_rejected: int
    records_dropped: int
    error: dict[str, Any] | None
    progress: Annotated[float, Field(ge=0, le=1, description="How many of its chunks are written.")]
    duration_ms: Annotated[
        int | None, Field(description="From its start to its end, waits included; so far, while it runs.")
    ]
    records_per_second: Annotated[float | None, Field(description="`records_in` over its duration.")]
    reading_ms: Annotated[
        int | None,
        Field(description="Waited for chunks to arrive, as the worker measured that ended the step."),
    ]
    processing_ms: Annotated[int | None, Field(description="Spent in the step itself, measured likewise.")]
    writing_ms: Annotated[
        int | None, Field(description="Waited for written chunks to be acknowledged, measured likewise.")
    ]
    started_at: datetime | None
    finished_at: datetime | None
