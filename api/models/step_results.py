"""Step results: what one step did in one run, with its record counts."""

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


class RecordsRequest(PageRequest):
    kind: RecordKind = RecordKind.OUTPUT
    limit: Annotated[int, Field(ge=1, le=1000, description="The most records to return, 1 to 1000.")] = 100


class ListStepResultRecords(RecordsRequest):
    step_result_id: UUID


class StepWarning(ResultModel):
    """What people should check although nothing failed. docs/errors.md lists the codes."""

    code: str
    message: str
    details: dict[str, Any]


class ColumnUse(ResultModel):
    name: str
    field: Annotated[str | None, Field(description="The field that the column became; null: none.")]


class StepResult(ResultModel):
    """Of a succeeded step: records_in + records_added = records_out + records_rejected + records_dropped."""

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
        UUID | None, Field(description="Whose output it reads, once started; null: the submission.")
    ]
    reused_from: Annotated[
        UUID | None, Field(description="The step result of an earlier run that is reused here.")
    ]
    resumed_from: Annotated[
        UUID | None, Field(description="The step result of an earlier run that this one continues.")
    ]
    delivery_key: Annotated[str, Field(description="Identifies the deliveries. Retries of the run keep it.")]
    attempt: int
    chunk_count: int | None
    chunks_written: int
    records_in: int
    records_added: int
    records_out: int
    records_rejected: int
    records_dropped: int
    error: dict[str, Any] | None
    warnings: Annotated[list[StepWarning], Field(description="What people should check.")]
    columns: Annotated[
        list[ColumnUse] | None,
        Field(description="Which column became which field, if the step says so. Not in pipeline runs."),
    ] = None
    progress: Annotated[float, Field(ge=0, le=1, description="The share of its chunks that are written.")]
    duration_ms: Annotated[
        int | None, Field(description="From start to end, or to now while the step runs; includes waits.")
    ]
    records_per_second: Annotated[float | None, Field(description="`records_in` divided by the duration.")]
    reading_ms: Annotated[
        int | None,
        Field(description="Time spent waiting for chunks to arrive, as its last worker measured it."),
    ]
    processing_ms: Annotated[int | None, Field(description="Time spent in the step itself.")]
    writing_ms: Annotated[
        int | None, Field(description="Time spent waiting until written chunks were acknowledged.")
    ]
    started_at: datetime | None
    finished_at: datetime | None
