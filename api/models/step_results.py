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
    attempt: int
    chunk_count: int | None
    chunks_written: int
    records_in: int
    records_added: int
    records_out: int
    records_rejected: int
    records_dropped: int
    error: dict[str, Any] | None
    started_at: datetime | None
    finished_at: datetime | None
