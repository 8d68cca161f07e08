"""Submissions: batches of records of one company, tied to one blueprint."""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints

from api.ingest.encodings import find_codec
from api.ingest.job import FileFormat, RaggedRow
from api.ingest.rows import MAX_FIELDS, MAX_NAME_CHARACTERS
from api.models.envelope import ResultModel
from api.models.pipeline_runs import Dispatched, PipelineRunWithSteps
from api.models.requests import Name, PageRequest, RequestModel

MAX_RECORDS = 10_000
FORMAT_DESCRIPTION = "By default it follows from the file's name or content type."


class SubmissionSource(StrEnum):
    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"
    XLSX = "xlsx"


class SubmissionStatus(StrEnum):
    RECEIVING = "receiving"
    RECEIVED = "received"
    EXPIRED = "expired"


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


def _known_encoding(name: str) -> str:
    codec = find_codec(name)
    if codec is None:
        raise ValueError(
            "is no encoding that files are read in; usual ones are utf-8, windows-1252, cp932, gb18030"
        )
    return codec


def _one_character(value: str) -> str:
    character = {"tab": "\t", "\\t": "\t"}.get(value.lower(), value)
    if len(character) != 1 or character in '"\r\n\0' or "\ud800" <= character <= "\udfff":
        raise ValueError("must be one character (`tab` stands for a tab), and no quote or line end")
    return character


def _names(value: object) -> object:
    """A JSON list, or names with commas between them, as a form field holds them."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError("must be a JSON list of names, or names separated by commas") from error
    return value.split(",")


def _storable(name: str) -> str:
    if "\0" in name or any("\ud800" <= character <= "\udfff" for character in name):
        raise ValueError("must not hold NUL or half a surrogate pair")
    return name


FieldName = Annotated[
    str,
    StringConstraints(max_length=MAX_NAME_CHARACTERS, strip_whitespace=True),
    AfterValidator(_storable),
]


class UploadSubmission(RequestModel):
    """The form fields of an upload, apart from its `file`."""

    company_id: UUID
    blueprint_id: UUID
    name: Annotated[Name | None, Field(description="By default the name of the file.")] = None
    format: Annotated[FileFormat | None, Field(description=FORMAT_DESCRIPTION)] = None
    encoding: Annotated[
        Annotated[str, StringConstraints(max_length=40), AfterValidator(_known_encoding)] | None,
        Field(description="Of a text file, as `windows-1250`, `cp932` or `mac-roman`. Detected by default."),
    ] = None
    delimiter: Annotated[
        Annotated[str, AfterValidator(_one_character)] | None,
        Field(description="One character, or `tab`. Detected by default."),
    ] = None
    skip_lines: Annotated[
        int | None,
        Field(
            ge=0,
            le=10_000,
            description="Lines above the header. By default the lines of a clear title are skipped.",
        ),
    ] = None
    header: Annotated[
        Annotated[tuple[FieldName, ...], Field(min_length=1, max_length=MAX_FIELDS), BeforeValidator(_names)]
        | None,
        Field(description="Names for a file without a header: a JSON list, or separated by commas."),
    ] = None
    on_ragged_row: Annotated[
        RaggedRow,
        Field(description="Whether a row is padded or rejected if it is shorter than the header."),
    ] = RaggedRow.PAD
    sheet: Annotated[
        Annotated[str, StringConstraints(max_length=100), AfterValidator(_storable)] | None,
        Field(description="Of a workbook: its name, or its number from 1. By default the first one."),
    ] = None
    warn_rejected_share: Annotated[
        float,
        Field(ge=0, le=1, description="The run warns when more than this share of the rows was rejected."),
    ] = 0.2


def upload_schema() -> dict[str, Any]:
    """The form with its file, as OpenAPI describes it. A form has no null: a field is left out."""
    schema = UploadSubmission.model_json_schema()
    kinds = schema.pop("$defs", {})
    fields: dict[str, Any] = {"file": {"type": "string", "format": "binary"}}
    for name, field in schema["properties"].items():
        kind = field.pop("anyOf", [field])[0]
        reference = kind.pop("$ref", "").rpartition("/")[2]
        if field.get("default", ...) is None:
            del field["default"]
        fields[name] = {**kinds.get(reference, {}), **kind, **field}
    fields["header"] = {"type": "string", "description": fields["header"]["description"]}
    return {"type": "object", "required": ["file", *schema["required"]], "properties": fields}


class ListSubmissions(PageRequest):
    company_id: UUID | None = None


class GetSubmission(RequestModel):
    submission_id: UUID


class ColumnProfile(ResultModel):
    """What ingestion counted of a column: values that are not blank, in capitals, in lower case, numbers."""

    name: str
    filled: int
    capitals: int
    lower_case: int
    numeric: int
    field: Annotated[
        str | None,
        Field(description="The field that it became in the run `columns_reported_by`; null: none."),
    ] = None


class ReadAs(ResultModel):
    """How a file was read."""

    model_config = ConfigDict(extra="allow")

    format: FileFormat
    encoding: str | None = None
    encoding_confidence: float | None = None
    encoding_source: str | None = None
    delimiter: str | None = None
    skipped_lines: int = 0
    header: str | None = None
    sheet: str | None = None
    notes: Annotated[
        dict[str, int], Field(description="What was done so that rows could be read, with how often.")
    ] = Field(default_factory=dict)
    noted_cells: Annotated[
        list[dict[str, Any]], Field(description="The first cells with bytes that are no text.")
    ] = Field(default_factory=list)


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
    columns: Annotated[
        list[ColumnProfile] | None, Field(description="In the order of the source; null in lists.")
    ] = None
    columns_reported_by: Annotated[
        UUID | None,
        Field(description="The newest run with a step that said what became of the columns; null: none yet."),
    ] = None
    read_as: Annotated[ReadAs | None, Field(description="How the file was read; null for JSON.")] = None
    warn_rejected_share: float = 0.2
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
