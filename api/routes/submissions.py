"""Submissions: batches of records, as JSON or as a file."""

import asyncio
import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from api.auth.caller import CurrentCaller
from api.data_api import encode_json
from api.dispatch import dispatch_submission
from api.errors import ApiError, ErrorCode
from api.idempotency import Idempotency, IdempotencyScope
from api.ingest.depth import MAX_DEPTH, is_too_deep
from api.ingest.numbers import changing_field
from api.ingest.pool import UploadPool
from api.ingest.profile import RecordProfile
from api.ingest.rows import MAX_FIELDS, MAX_NAME_CHARACTERS
from api.ingest.upload import Upload, ingest
from api.models.envelope import Data, Page
from api.models.submissions import (
    CreateSubmission,
    GetSubmission,
    ListSubmissions,
    Submission,
    SubmissionAccepted,
    SubmissionCreated,
    UploadSubmission,
    upload_schema,
)
from api.trigger_client import Trigger

MAX_FORM_FIELDS = 20
UPLOAD_SCHEMA = upload_schema()

router = APIRouter(prefix="/v1/submissions", tags=["submissions"])


@router.post("/create", status_code=202, summary="Submit records as JSON and start their first run")
async def create_submission(
    body: CreateSubmission, caller: CurrentCaller, trigger: Trigger, idempotency: Idempotency
) -> Data[SubmissionAccepted]:
    # In a thread, because ten megabytes take a moment to check, hash and encode.
    arguments = await asyncio.to_thread(_encode_submission, body, idempotency)
    created = await caller.call("create_submission", arguments, SubmissionCreated)
    return Data(data=await dispatch_submission(caller, trigger, created))


def _encode_submission(body: CreateSubmission, idempotency: IdempotencyScope) -> bytes:
    _refuse_depth(body.records)
    _refuse_changing_numbers(body.records)
    fields = list(dict.fromkeys(field for record in body.records for field in record))
    profile = RecordProfile(MAX_FIELDS, MAX_NAME_CHARACTERS)
    profile.add(body.records)
    found = {"p_fields": fields[:MAX_FIELDS], "p_columns": profile.as_json()}
    try:
        sent = body.rpc_arguments() | idempotency.arguments(body)
    except UnicodeEncodeError as error:
        message = "A record holds half a surrogate pair, which is not text."
        raise ApiError(ErrorCode.INVALID_RECORDS, message) from error
    return encode_json(sent | found)


def _refuse_depth(records: list[dict[str, Any]]) -> None:
    for row, record in enumerate(records, start=1):
        if is_too_deep(record):
            message = f"Record {row} is nested more than {MAX_DEPTH} levels deep."
            raise ApiError(ErrorCode.INVALID_RECORDS, message, details={"row": row})


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
    summary="Submit records as a file (CSV, NDJSON, .xlsx) and start their first run",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": UPLOAD_SCHEMA}},
        }
    },
)
async def upload_submission(
    request: Request, caller: CurrentCaller, trigger: Trigger, idempotency: Idempotency
) -> Data[SubmissionAccepted]:
    """Refuses a caller without a credential before the file arrives."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise ApiError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, "Send the file as multipart/form-data.")
    pool: UploadPool = request.app.state.upload_pool
    with pool.admit(str(caller.context.org_id)):
        form = await _receive(request, pool.limits.receive_seconds)
        try:
            fields, file = _read_form(form)
            created = await ingest(caller, Upload(fields, file, idempotency), pool, request)
        finally:
            await form.close()
    return Data(data=await dispatch_submission(caller, trigger, created))


async def _receive(request: Request, seconds: float) -> FormData:
    try:
        async with asyncio.timeout(seconds):
            return await request.form(max_files=1, max_fields=MAX_FORM_FIELDS)
    except TimeoutError as error:
        message = f"The file took longer than {seconds:g} seconds to arrive."
        raise ApiError(ErrorCode.INVALID_REQUEST, message) from error


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
