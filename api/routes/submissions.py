"""Submissions: batches of records, as JSON or as a file."""

import asyncio
import json
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from api.auth.caller import CurrentCaller
from api.data_api import encode_json
from api.dispatch import dispatch_submission
from api.errors import ApiError, ErrorCode
from api.idempotency import Idempotency, IdempotencyScope
from api.ingest.numbers import changing_field
from api.ingest.rows import MAX_FIELDS
from api.ingest.upload import ingest
from api.models.envelope import Data, Page
from api.models.submissions import (
    FORMAT_DESCRIPTION,
    CreateSubmission,
    GetSubmission,
    ListSubmissions,
    Submission,
    SubmissionAccepted,
    SubmissionCreated,
    UploadSubmission,
)
from api.reconciler import look_at_reconciler
from api.trigger_client import Trigger

router = APIRouter(prefix="/v1/submissions", tags=["submissions"], dependencies=[Depends(look_at_reconciler)])


@router.post("/create", status_code=202, summary="Submit records as JSON and start their first run")
async def create_submission(
    body: CreateSubmission, caller: CurrentCaller, trigger: Trigger, idempotency: Idempotency
) -> Data[SubmissionAccepted]:
    # In a thread, because ten megabytes take a moment to check, hash and encode.
    arguments = await asyncio.to_thread(_encode_submission, body, idempotency)
    created = await caller.call("create_submission", arguments, SubmissionCreated)
    return Data(data=await dispatch_submission(caller, trigger, created))


def _encode_submission(body: CreateSubmission, idempotency: IdempotencyScope) -> bytes:
    _refuse_changing_numbers(body.records)
    fields = list(dict.fromkeys(field for record in body.records for field in record))
    arguments = body.rpc_arguments() | {"p_fields": fields[:MAX_FIELDS]}
    return encode_json(arguments | idempotency.arguments(body))


def _refuse_changing_numbers(records: list[dict[str, Any]]) -> None:
    """Refuses the numbers that Python holds exactly but the worker, which counts in doubles, does not."""
    for row, record in enumerate(records, start=1):
        if (field := changing_field(record)) is not None:
            raise ApiError(
                ErrorCode.INVALID_RECORDS,
                f"Record {row} has a number in {json.dumps(field[:100], ensure_ascii=False)} "
                "that would lose digits or is out of range. Send it as text.",
                details={"row": row, "field": field[:100]},
            )


@router.post(
    "/upload",
    status_code=202,
    summary="Submit records as a CSV or NDJSON file, plain or gzip, and start their first run",
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
                                "description": FORMAT_DESCRIPTION,
                            },
                        },
                    }
                }
            },
        }
    },
)
async def upload_submission(
    request: Request, caller: CurrentCaller, trigger: Trigger, idempotency: Idempotency
) -> Data[SubmissionAccepted]:
    """Refuses a caller without a credential before the file arrives."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise ApiError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, "Send the file as multipart/form-data.")
    async with request.form(max_files=1, max_fields=10) as form:
        fields, file = _read_form(form)
        max_bytes: int = request.app.state.max_upload_bytes
        created = await ingest(caller, fields, file, idempotency, max_bytes)
    return Data(data=await dispatch_submission(caller, trigger, created))


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


@router.post("/list", summary="List submissions, newest first")
async def list_submissions(caller: CurrentCaller, body: ListSubmissions | None = None) -> Page[Submission]:
    return await caller.call("list_submissions", body, Page[Submission])


@router.post("/get", summary="Get a submission")
async def get_submission(body: GetSubmission, caller: CurrentCaller) -> Data[Submission]:
    return Data(data=await caller.call("get_submission", body, Submission))
