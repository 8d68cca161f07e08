"""Submissions: batches of records, as JSON or as a file."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from api.auth.caller import CurrentCaller
from api.bodies.answers import Answer
from api.bodies.submission import ENCODE_SUBMISSION
from api.dispatch import dispatch_submission
from api.errors import ApiError, ErrorCode
from api.idempotency import Idempotency
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
from api.offload.pool import Offload
from api.reconciler import look_at_reconciler
from api.routes.large_json import JsonOf, LargeJsonRoute, answer
from api.trigger_client import Trigger

router = APIRouter(
    prefix="/v1/submissions",
    tags=["submissions"],
    route_class=LargeJsonRoute,
    dependencies=[Depends(look_at_reconciler)],
)

SubmissionBody = Annotated[bytes, Body(), JsonOf(CreateSubmission)]


@router.post("/create", status_code=202, summary="Submit records as JSON and start their first run")
async def create_submission(
    body: SubmissionBody, caller: CurrentCaller, trigger: Trigger, idempotency: Idempotency, offload: Offload
) -> Data[SubmissionAccepted]:
    arguments = await offload.run(ENCODE_SUBMISSION, caller.org_id, body, idempotency.options())
    created = await caller.call("create_submission", arguments, SubmissionCreated)
    return Data(data=await dispatch_submission(caller, trigger, created))


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


@router.post("/list", summary="List submissions, newest first", response_model=Page[Submission])
async def list_submissions(
    caller: CurrentCaller, offload: Offload, body: ListSubmissions | None = None
) -> Response:
    return await answer(caller, offload, Answer.SUBMISSIONS, "list_submissions", body)


@router.post("/get", summary="Get a submission")
async def get_submission(body: GetSubmission, caller: CurrentCaller) -> Data[Submission]:
    return Data(data=await caller.call("get_submission", body, Submission))
