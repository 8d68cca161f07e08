"""The errors of the API: one exception, one list of codes, one handler.

`docs/errors.md` explains each code to the caller. `data_api.py` passes on the codes that only SQL raises, so
they are not listed here.
"""

import json
import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Self

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from api.invalid_fields import describe
from api.json_text import RefusedJsonError
from api.logs import current_request_id

logger = logging.getLogger(__name__)


class ErrorCode(StrEnum):
    """The codes that Python itself raises, each with its HTTP status."""

    status: int

    # Only the members below give a status; looking one up by its code gives none.
    def __new__(cls, code: str, status: int = 500) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.status = status
        return member

    MISSING_CREDENTIAL = "missing_credential", 401
    INVALID_TOKEN = "invalid_token", 401
    TOKEN_EXPIRED = "token_expired", 401
    API_TOKEN_MALFORMED = "api_token_malformed", 401
    FORBIDDEN = "forbidden", 403
    NOT_FOUND = "not_found", 404
    METHOD_NOT_ALLOWED = "method_not_allowed", 405
    REQUEST_TIMEOUT = "request_timeout", 408
    CONFLICT = "conflict", 409
    PAYLOAD_TOO_LARGE = "payload_too_large", 413
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", 415
    INVALID_REQUEST = "invalid_request", 422
    REQUEST_TOO_COMPLEX = "request_too_complex", 422
    INVALID_RECORDS = "invalid_records", 422
    INVALID_STEP_CONFIG = "invalid_step_config", 422
    INVALID_RUN_IF = "invalid_run_if", 422
    UNKNOWN_STEP = "unknown_step", 422
    UNREADABLE_FILE = "unreadable_file", 422
    SUBMISSION_EMPTY = "submission_empty", 422
    TOO_MANY_REQUESTS = "too_many_requests", 429
    QUOTA_EXCEEDED = "quota_exceeded", 429
    INTERNAL_ERROR = "internal_error", 500
    DATA_API_UNAVAILABLE = "data_api_unavailable", 503
    AUTH_UNAVAILABLE = "auth_unavailable", 503
    STATEMENT_TIMEOUT = "statement_timeout", 504


# For router errors, and for an RPC that failed without a code.
CODE_OF_STATUS: Final[Mapping[int, ErrorCode]] = {
    400: ErrorCode.INVALID_REQUEST,
    401: ErrorCode.INVALID_TOKEN,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    408: ErrorCode.REQUEST_TIMEOUT,
    409: ErrorCode.CONFLICT,
    413: ErrorCode.PAYLOAD_TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    422: ErrorCode.INVALID_REQUEST,
    429: ErrorCode.TOO_MANY_REQUESTS,
    503: ErrorCode.DATA_API_UNAVAILABLE,
}


class ApiError(HTTPException):
    """The exception that becomes an error answer.

    It is an HTTPException because FastAPI wraps every other exception that is raised while a body is read.
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
        status = ErrorCode(code).status if status is None else status
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
    return _ErrorResponse({"error": body}, status_code=error.status_code, headers=headers)


class _ErrorResponse(JSONResponse):
    def render(self, content: Any) -> bytes:  # noqa: ANN401 (as in the class above it)
        """Half a surrogate pair that the caller sent becomes its escape: it has no other form."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(
            errors="backslashreplace"
        )


def as_api_error(request: Request, error: Exception) -> ApiError:
    """Translates any exception for the caller. The text of an unknown exception goes to the log only."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, RefusedJsonError):
        return ApiError(ErrorCode.INVALID_REQUEST, str(error))
    if isinstance(error, RequestValidationError):
        return _invalid_request(request, error)
    if isinstance(error, StarletteHTTPException):
        return _router_error(request, error)
    logger.error("unhandled %s", type(error).__name__, exc_info=error)
    return internal_error()


def internal_error() -> ApiError:
    return ApiError(
        ErrorCode.INTERNAL_ERROR, "The request failed because of a defect. Report it with the request id."
    )


def _invalid_request(request: Request, error: RequestValidationError) -> ApiError:
    found = error.errors()
    # FastAPI leaves a body as bytes when its content type is not JSON.
    if any(item["loc"] == ("body",) and isinstance(item.get("input"), bytes) for item in found):
        return ApiError(
            ErrorCode.UNSUPPORTED_MEDIA_TYPE,
            "Send the body as application/json.",
            details={"content_type": request.headers.get("content-type", "")[:100]},
        )
    message, details = describe(found)
    return ApiError(ErrorCode.INVALID_REQUEST, message, details=details)


def _router_error(request: Request, error: StarletteHTTPException) -> ApiError:
    code = CODE_OF_STATUS.get(error.status_code)
    messages = {
        404: f"There is no endpoint {request.url.path}.",
        405: f"{request.url.path} does not answer {request.method}. Product endpoints are POST.",
    }
    if code is None:
        logger.error("unexpected HTTP %s from the framework", error.status_code, exc_info=error)
        return internal_error()
    return ApiError(code, messages.get(error.status_code, str(error.detail)), headers=error.headers)


def install_error_handler(app: FastAPI) -> None:
    """Registers one handler for every exception that the framework passes to handlers.

    `middleware.RequestContext` catches unknown exceptions: the framework answers those outside all
    middleware, so its answer would lack the request id.
    """

    async def handle(request: Request, error: Exception) -> JSONResponse:
        return error_response(as_api_error(request, error))

    for kind in (ApiError, RefusedJsonError, RequestValidationError, StarletteHTTPException):
        app.add_exception_handler(kind, handle)
