"""Submissions: batches of records of one company, tied to one blueprint."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field

from api.models.envelope import ResultModel
from api.models.pipeline_runs import Dispatched, PipelineRunWithSteps
from api.models.requests import Name, PageRequest, RequestModel

MAX_RECORDS = 10_000
FORMAT_DESCRIPTION = "By default it follows from the file's name or content type."


class SubmissionSource(StrEnum):
    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"


class SubmissionStatus(StrEnum):
    RECEIVING = "receiving"
    RECEIVED = "received"
    EXPIRED = "expired"


class UploadFormat(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"


class CreateSubmission(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "company_id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10",
                    "blueprint_id": "0d3e2b6e-3b1f-4a7d-9b57-2c0f5a6f1e21",
                    "records": [{"email": "ada@example.com", "name": "Ada"}],
                }
            ]
        }
    )

    company_id: UUID
    blueprint_id: UUID
    name: Name | None = None
    records: Annotated[
        list[dict[str, Any]],
        Field(
            min_length=1,
            max_length=MAX_RECORDS,
            description="JSON objects; the n-th gets the id `n`. Send integers beyond 2^53 as text.",
        ),
    ]


class UploadSubmission(RequestModel):
    """The form fields of an upload, apart from its `file`."""

    company_id: UUID
    blueprint_id: UUID
    name: Name | None = None
    format: Annotated[UploadFormat | None, Field(description=FORMAT_DESCRIPTION)] = None


class ListSubmissions(PageRequest):
    company_id: UUID | None = None


class GetSubmission(RequestModel):
    submission_id: UUID


class Submission(ResultModel):
    id: UUID
    org_id: UUID
    company_id: UUID
    blueprint_id: UUID
    name: str | None
    source: SubmissionSource
    status: SubmissionStatus
    record_count: int
    rejected_count: int
    chunk_count: int
    fields: list[str] | None
    retry_of_run_id: Annotated[
        UUID | None, Field(description="The run whose rejected records are submitted again here.")
    ]
    created_by: UUID | None
    created_at: datetime
    received_at: datetime | None


class SubmissionCreated(ResultModel):
    """The answer of SQL; the API adds whether Trigger.dev accepted the run."""

    submission: Submission
    pipeline_run: PipelineRunWithSteps


class SubmissionOpened(ResultModel):
    submission: Submission
    replayed: bool
    pipeline_run: PipelineRunWithSteps | None


class ChunkAppended(ResultModel):
    chunk_index: int


class SubmissionAccepted(SubmissionCreated):
    dispatched: Dispatched
