"""Every error the API answers with: one exception, one list of codes, one handler.

`docs/errors.md` explains each code to the caller. Codes that only SQL raises arrive as the `hint` of a
PostgREST error and pass through `data_api.py` unchanged, so they are not repeated here.
"""

import json
import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from api.logs import current_request_id

logger = logging.getLogger(__name__)

MAX_REPORTED_FIELD_ERRORS = 20


class ErrorCode(StrEnum):
    """The codes that Python itself raises."""

    MISSING_CREDENTIAL = "missing_credential"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 (a code, not a secret)
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    API_TOKEN_MALFORMED = "api_token_malformed"  # noqa: S105
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    CONFLICT = "conflict"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    INVALID_REQUEST = "invalid_request"
    INVALID_RECORDS = "invalid_records"
    INVALID_STEP_CONFIG = "invalid_step_config"
    INVALID_RUN_IF = "invalid_run_if"
    UNKNOWN_STEP = "unknown_step"
    UNREADABLE_FILE = "unreadable_file"
    UNDECODABLE_FILE = "undecodable_file"
    SUBMISSION_EMPTY = "submission_empty"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOO_MANY_UPLOADS = "too_many_uploads"
    INTERNAL_ERROR = "internal_error"
    DATA_API_UNAVAILABLE = "data_api_unavailable"
    AUTH_UNAVAILABLE = "auth_unavailable"


STATUS: Final[Mapping[ErrorCode, int]] = {
    ErrorCode.MISSING_CREDENTIAL: 401,
    ErrorCode.INVALID_TOKEN: 401,
    ErrorCode.TOKEN_EXPIRED: 401,
    ErrorCode.API_TOKEN_MALFORMED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.CONFLICT: 409,
    ErrorCode.PAYLOAD_TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: 415,
    ErrorCode.INVALID_REQUEST: 422,
    ErrorCode.INVALID_RECORDS: 422,
    ErrorCode.INVALID_STEP_CONFIG: 422,
    ErrorCode.INVALID_RUN_IF: 422,
    ErrorCode.UNKNOWN_STEP: 422,
    ErrorCode.UNREADABLE_FILE: 422,
    ErrorCode.UNDECODABLE_FILE: 422,
    ErrorCode.SUBMISSION_EMPTY: 422,
    ErrorCode.TOO_MANY_REQUESTS: 429,
    ErrorCode.TOO_MANY_UPLOADS: 429,
    ErrorCode.INTERNAL_ERROR: 500,
    ErrorCode.DATA_API_UNAVAILABLE: 503,
    ErrorCode.AUTH_UNAVAILABLE: 503,
}

# What a status means when nothing more precise is known (router errors, an RPC that gave no code).
CODE_OF_STATUS: Final[Mapping[int, ErrorCode]] = {
    400: ErrorCode.INVALID_REQUEST,
    401: ErrorCode.INVALID_TOKEN,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    409: ErrorCode.CONFLICT,
    413: ErrorCode.PAYLOAD_TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    422: ErrorCode.INVALID_REQUEST,
    429: ErrorCode.TOO_MANY_REQUESTS,
    503: ErrorCode.DATA_API_UNAVAILABLE,
}


class ApiError(HTTPException):
    """The one exception that becomes an error answer.

    It is an HTTPException so that FastAPI lets it through unchanged where it would wrap anything else
    (while it reads a body).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = str(code)
        self.message = message
        self.details = dict(details) if details else {}
        status = STATUS[ErrorCode(code)] if status is None else status
        super().__init__(status, detail=message, headers=dict(headers) if headers else None)

    def __str__(self) -> str:
        return f"{self.status_code} {self.code}: {self.message}"


def error_response(error: ApiError) -> JSONResponse:
    """Renders `{"error": {"code", "message", "details", "request_id"}}`."""
    headers = dict(error.headers or {})
    if error.status_code == 401:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="data-engine-x"')
    body = {
        "code": error.code,
        "message": error.message,
        "details": error.details,
        "request_id": current_request_id(),
    }
    return _ErrorBody({"error": body}, status_code=error.status_code, headers=headers)


class _ErrorBody(JSONResponse):
    """What was sent may come back in the path of an error, with half a surrogate pair in it, which no
    encoding has.
    """

    def render(self, content: object) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def as_api_error(request: Request, error: Exception) -> ApiError:
    """Turns anything raised while serving into what the caller may see; the rest goes to the log."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid_request(request, error)
    if isinstance(error, StarletteHTTPException):
        return _router_error(request, error)
    logger.error("unhandled %s", type(error).__name__, exc_info=error)
    return ApiError(
        ErrorCode.INTERNAL_ERROR,
        "Something went wrong on our side. Quote the request id when you report it.",
    )


def _invalid_request(request: Request, error: RequestValidationError) -> ApiError:
    found = error.errors()
    # What did not say that it is JSON arrives as bytes.
    if any(item["loc"] == ("body",) and isinstance(item.get("input"), bytes) for item in found):
        return ApiError(
            ErrorCode.UNSUPPORTED_MEDIA_TYPE,
            "Send the body as application/json.",
            details={"content_type": request.headers.get("content-type", "")[:100]},
        )
    return ApiError(
        ErrorCode.INVALID_REQUEST,
        "The request does not match what this endpoint expects.",
        details={
            # Never the `input` of an error: it may be a secret, or ten megabytes.
            "errors": [
                {"path": _field_path(item["loc"]), "type": item["type"], "message": item["msg"]}
                for item in found[:MAX_REPORTED_FIELD_ERRORS]
            ],
            "error_count": len(found),
        },
    )


def _field_path(location: tuple[str | int, ...]) -> str:
    parts = [str(part) for part in location]
    return ".".join(parts[1:] if parts[:1] == ["body"] and len(parts) > 1 else parts)


def _router_error(request: Request, error: StarletteHTTPException) -> ApiError:
    code = CODE_OF_STATUS.get(error.status_code)
    messages = {
        404: f"There is no endpoint {request.url.path}.",
        405: f"{request.url.path} does not answer {request.method}; product endpoints are POST.",
    }
    if code is None:
        logger.error("unexpected HTTP %s from the framework", error.status_code, exc_info=error)
        return ApiError(ErrorCode.INTERNAL_ERROR, "Something went wrong on our side.")
    return ApiError(code, messages.get(error.status_code, str(error.detail)), headers=error.headers)


def install_error_handler(app: FastAPI) -> None:
    """Registers the handler for every kind of exception the framework can hand over.

    Unknown exceptions are caught in `middleware.RequestContext` instead, since the framework answers
    those outside all middleware, where the request id header would be missing.
    """

    async def handle(request: Request, error: Exception) -> JSONResponse:
        return error_response(as_api_error(request, error))

    for kind in (ApiError, RequestValidationError, StarletteHTTPException):
        app.add_exception_handler(kind, handle)
