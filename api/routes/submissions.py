"""Submissions: a batch of records as JSON, or as a file."""

import asyncio
import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from api.auth.context import CallerRpc, CurrentContext
from api.data_api import DataApiCaller, encode_json
from api.dispatch import dispatch
from api.errors import ApiError, ErrorCode
from api.idempotency import IdempotencyKey, idempotency_arguments
from api.ingest.numbers import changing_field
from api.ingest.rows import MAX_FIELDS
from api.ingest.upload import ingest
from api.models.envelope import Data, Page
from api.models.submissions import (
    CreateSubmission,
    GetSubmission,
    ListSubmissions,
    Submission,
    SubmissionAccepted,
    SubmissionCreated,
    UploadSubmission,
)
from api.trigger_client import Trigger, TriggerClient

router = APIRouter(prefix="/v1/submissions", tags=["submissions"])


@router.post("/create", status_code=202, summary="Submit records as JSON; their first run starts")
async def create_submission(
    body: CreateSubmission,
    context: CurrentContext,
    rpc: CallerRpc,
    trigger: Trigger,
    idempotency_key: IdempotencyKey = None,
) -> Data[SubmissionAccepted]:
    arguments = await asyncio.to_thread(_encode_submission, body, idempotency_key)
    created = await rpc.call("create_submission", arguments, SubmissionCreated)
    return await _accept(rpc, trigger, created)


def _encode_submission(body: CreateSubmission, idempotency_key: str | None) -> bytes:
    """Ten megabytes take a moment to look through, hash and print: this runs in a thread."""
    _refuse_changing_numbers(body.records)
    fields = list(dict.fromkeys(field for record in body.records for field in record))
    arguments = body.rpc_arguments() | {"p_fields": fields[:MAX_FIELDS]}
    return encode_json(arguments | idempotency_arguments(idempotency_key, "/v1/submissions/create", body))


def _refuse_changing_numbers(records: list[dict[str, Any]]) -> None:
    """Before the body is printed: a number that Python knows exactly is one that the worker may not."""
    for row, record in enumerate(records, start=1):
        if (field := changing_field(record)) is not None:
            raise ApiError(
                ErrorCode.INVALID_RECORDS,
                f"Record {row} has a number in {json.dumps(field[:100], ensure_ascii=False)} "
                "that would lose digits or is out of range; send it as text.",
                details={"row": row, "field": field[:100]},
            )


@router.post(
    "/upload",
    status_code=202,
    summary="Submit records as a CSV or NDJSON file, plain or gzip; their first run starts",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file", "company_id", "blueprint_id"],
                        "properties": {
                            "file": {"type": "string", "format": "binary"},
                            "company_id": {"type": "string", "format": "uuid"},
                            "blueprint_id": {"type": "string", "format": "uuid"},
                            "name": {"type": "string", "maxLength": 200},
                            "format": {
                                "type": "string",
                                "enum": ["csv", "ndjson"],
                                "description": "Told from the file's name or content type when left out.",
                            },
                        },
                    }
                }
            },
        }
    },
)
async def upload_submission(
    request: Request,
    context: CurrentContext,
    rpc: CallerRpc,
    trigger: Trigger,
    idempotency_key: IdempotencyKey = None,
) -> Data[SubmissionAccepted]:
    """Reads the form by itself, so that a caller without a credential is refused before the file arrives."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise ApiError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, "Send the file as multipart/form-data.")
    async with request.form(max_files=1, max_fields=10) as form:
        fields, file = _read_form(form)
        max_bytes: int = request.app.state.max_upload_bytes
        created = await ingest(rpc, fields, file, idempotency_key, max_bytes)
    return await _accept(rpc, trigger, created)


def _read_form(form: FormData) -> tuple[UploadSubmission, UploadFile]:
    parts: dict[str, Any] = dict(form)
    file = parts.pop("file", None)
    errors: list[Any] = []
    if not isinstance(file, UploadFile):
        errors.append({"loc": ("file",), "type": "missing", "msg": "A file is required"})
    try:
        fields = UploadSubmission.model_validate(
            {name: value for name, value in parts.items() if value != ""}
        )
    except ValidationError as error:
        errors += error.errors()
    if errors:
        raise RequestValidationError(errors)
    return fields, file


async def _accept(
    rpc: DataApiCaller, trigger: TriggerClient, created: SubmissionCreated
) -> Data[SubmissionAccepted]:
    run = await dispatch(rpc, trigger, created.pipeline_run)
    accepted = SubmissionAccepted(submission=created.submission, pipeline_run=run, dispatched=run.dispatched)
    return Data(data=accepted)


@router.post("/list", summary="List submissions, the newest first")
async def list_submissions(
    context: CurrentContext, rpc: CallerRpc, body: ListSubmissions | None = None
) -> Page[Submission]:
    arguments = (body or ListSubmissions()).rpc_arguments()
    return await rpc.call("list_submissions", arguments, Page[Submission])


@router.post("/get", summary="Get a submission")
async def get_submission(body: GetSubmission, context: CurrentContext, rpc: CallerRpc) -> Data[Submission]:
    arguments = body.rpc_arguments()
    return Data(data=await rpc.call("get_submission", arguments, Submission))
