"""Pipeline runs: execution attempts of a submission, and the records that come out of them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from api.models.envelope import ResultModel
from api.models.requests import Name, PageRequest, RequestModel
from api.models.step_results import RecordsRequest, StepResult, StepWarning

Dispatched = Annotated[
    bool,
    Field(
        description="False: it waits for its turn, or Trigger.dev was unreachable. It starts later by itself."
    ),
]


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
        Name | None, Field(description="The name of the new submission; by default that of the first one.")
    ] = None


class ListPipelineRunRecords(RecordsRequest):
    pipeline_run_id: UUID


class ExportPipelineRun(RequestModel):
    pipeline_run_id: UUID
    format: ExportFormat = ExportFormat.CSV


class FailedStep(ResultModel):
    position: int
    slug: str
    code: str | None
    message: str | None


class RunWarning(StepWarning):
    position: Annotated[int | None, Field(description="Of its step; null: about the run as a whole.")] = None
    slug: str | None = None


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
        Field(description="Why the run failed: `{code, message, details?, position?, slug?}`."),
    ]
    failed_steps: Annotated[
        list[FailedStep],
        Field(description="The steps that failed. A run goes on after a step with `continue_on_error`."),
    ]
    warnings: Annotated[
        list[RunWarning],
        Field(description="What people should check although nothing failed. Complete when the run ends."),
    ]
    retry_of: Annotated[UUID | None, Field(description="The run that this one retries.")]
    record_count: int
    admitted: Annotated[
        bool, Field(description="False: the run waits for its turn, since other runs of the org are active.")
    ]
    dispatched: Annotated[bool, Field(description="Whether Trigger.dev has accepted the run.")]
    trigger_run_id: str | None
    trace_id: Annotated[
        str, Field(description="The W3C trace of the request that created the run, and of all its work.")
    ]
    request_id: Annotated[str | None, Field(description="The `X-Request-Id` of that request.")]
    created_by: UUID | None
    created_at: datetime
    admitted_at: datetime | None
    dispatched_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


class PipelineRunWithSteps(PipelineRun):
    progress: Annotated[
        float, Field(ge=0, le=1, description="The share that is done. All steps count the same.")
    ]
    steps: list[StepResult]


class PipelineRunDetail(PipelineRunWithSteps):
    blueprint_snapshot: Annotated[
        Any, Field(description="The blueprint at the time when the run was created; it never changes.")
    ]


class PipelineRunCreated(ResultModel):
    pipeline_run: PipelineRunWithSteps
    dispatched: Dispatched


class RunRecord(ResultModel):
    """An output record has only `id` and `data`. The other fields say which step removed it, and why."""

    id: str
    data: dict[str, Any] | None
    reason: str | None = None
    message: str | None = None
    details: dict[str, Any] | None = None
    position: Annotated[int | None, Field(description="0: rejected at ingestion.")] = None
    slug: str | None = None


class RunFields(ResultModel):
    fields: list[str]
