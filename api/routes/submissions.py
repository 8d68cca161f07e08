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
from api.trigger_client import Trigger, TriggerClient

MAX_FORM_FIELDS = 20
UPLOAD_SCHEMA = upload_schema()

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
    _refuse_depth(body.records)
    _refuse_changing_numbers(body.records)
    fields = list(dict.fromkeys(field for record in body.records for field in record))
    profile = RecordProfile(MAX_FIELDS, MAX_NAME_CHARACTERS)
    profile.add(body.records)
    found = {"p_fields": fields[:MAX_FIELDS], "p_columns": profile.as_json()}
    try:
        sent = body.rpc_arguments() | idempotency_arguments(idempotency_key, "/v1/submissions/create", body)
    except UnicodeEncodeError as error:
        message = "A record holds half a surrogate pair, which is no text."
        raise ApiError(ErrorCode.INVALID_RECORDS, message) from error
    return encode_json(sent | found)


def _refuse_depth(records: list[dict[str, Any]]) -> None:
    for row, record in enumerate(records, start=1):
        if is_too_deep(record):
            message = f"Record {row} is nested more than {MAX_DEPTH} levels deep."
            raise ApiError(ErrorCode.INVALID_RECORDS, message, details={"row": row})


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
    summary="Submit records as a file (CSV, NDJSON, .xlsx); their first run starts",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": UPLOAD_SCHEMA}},
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
    pool: UploadPool = request.app.state.upload_pool
    with pool.admit(context.org_id):
        form = await _receive(request, pool.limits.receive_seconds)
        try:
            fields, file = _read_form(form)
            upload = Upload(fields, file, idempotency_key)
            created = await ingest(rpc, upload, context.org_id, pool, request)
        finally:
            await form.close()
    return await _accept(rpc, trigger, created)


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
