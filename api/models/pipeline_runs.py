"""Pipeline runs: execution attempts of a submission, and the records that come out of them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from api.models.envelope import ResultModel
from api.models.requests import Name, PageRequest, RequestModel
from api.models.step_results import RecordKind, StepResult


class PipelineRunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    SUCCEEDED_WITH_ERRORS = "succeeded_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ExportFormat(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"


class CreatePipelineRun(RequestModel):
    submission_id: UUID


class ListPipelineRuns(PageRequest):
    company_id: UUID | None = None
    submission_id: UUID | None = None
    status: PipelineRunStatus | None = None


class GetPipelineRun(RequestModel):
    pipeline_run_id: UUID


class CancelPipelineRun(RequestModel):
    pipeline_run_id: UUID


class RetryPipelineRun(RequestModel):
    pipeline_run_id: UUID


class RetryRejectedRecords(RequestModel):
    pipeline_run_id: UUID
    name: Annotated[
        Name | None, Field(description="Of the new submission; that of the first one when left out.")
    ] = None


class ListPipelineRunRecords(PageRequest):
    pipeline_run_id: UUID
    kind: RecordKind = RecordKind.OUTPUT
    limit: Annotated[int, Field(ge=1, le=1000, description="How many records at most, 1 to 1000.")] = 100


class ExportPipelineRun(RequestModel):
    pipeline_run_id: UUID
    format: ExportFormat = ExportFormat.CSV


class FailedStep(ResultModel):
    position: int
    slug: str
    code: str | None
    message: str | None


class PipelineRun(ResultModel):
    id: UUID
    org_id: UUID
    company_id: UUID
    submission_id: UUID
    run_number: int
    blueprint_id: UUID
    blueprint_version: int
    status: PipelineRunStatus
    error: Annotated[
        dict[str, Any] | None,
        Field(description="Of a failed run: `{code, message, details?, position?, slug?}`."),
    ]
    failed_steps: Annotated[
        list[FailedStep],
        Field(description="Which steps failed and why; a run goes on without those that may fail."),
    ]
    retry_of: Annotated[UUID | None, Field(description="The run that this one takes up where it failed.")]
    record_count: int
    admitted: Annotated[
        bool, Field(description="False: it waits its turn, since other runs of the org are in flight.")
    ]
    dispatched: Annotated[bool, Field(description="Whether Trigger.dev has taken the run.")]
    trigger_run_id: str | None
    trace_id: Annotated[
        str, Field(description="The W3C trace of the request that created it: all of its work is part of it.")
    ]
    request_id: Annotated[str | None, Field(description="The X-Request-Id of that request.")]
    created_by: UUID | None
    created_at: datetime
    admitted_at: datetime | None
    dispatched_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


class PipelineRunWithSteps(PipelineRun):
    progress: Annotated[float, Field(ge=0, le=1, description="How much is done; each step counts alike.")]
    steps: list[StepResult]


class PipelineRunDetail(PipelineRunWithSteps):
    blueprint_snapshot: Annotated[
        Any, Field(description="The blueprint as it was when the run was created; it never changes.")
    ]


class PipelineRunCreated(ResultModel):
    pipeline_run: PipelineRunWithSteps
    dispatched: Annotated[
        bool,
        Field(
            description="False: it waits its turn, or Trigger.dev could not be reached; it starts by itself."
        ),
    ]


class RunRecord(ResultModel):
    """An output record has `id` and `data` only; a verdict says which step refused or dropped it, and why."""

    id: str
    data: dict[str, Any] | None
    reason: str | None = None
    message: str | None = None
    details: dict[str, Any] | None = None
    position: Annotated[int | None, Field(description="0: refused at ingestion.")] = None
    slug: str | None = None


class RunFields(ResultModel):
    fields: list[str]
