"""Dependencies of the routes: the platform, the caller's credential, bodies of limited size."""

import hmac
import json
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from local.trigger_platform.errors import PlatformError
from local.trigger_platform.platform import Platform
from local.trigger_platform.trigger_request import Caller

MAX_TRIGGER_BYTES = 3 * 1024 * 1024
MAX_COMPLETION_BYTES = 10 * 1024 * 1024
MAX_SMALL_BYTES = 256 * 1024

ModelT = TypeVar("ModelT", bound=BaseModel)


class MissingAuthorizationError(Exception):
    """The Authorization header is missing: answered as problem+json, unlike a wrong key."""


def _platform(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


PlatformOf = Annotated[Platform, Depends(_platform)]


def _check_bearer(request: Request, expected: str, message: str) -> None:
    given = request.headers.get("authorization")
    if given is None:
        raise MissingAuthorizationError
    if not hmac.compare_digest(given.encode(), f"Bearer {expected}".encode()):
        raise PlatformError(401, message)


def require_secret_key(request: Request, platform: PlatformOf) -> None:
    """Admit the environment's secret key: it is the API's, the tasks' and, after login, the CLI's."""
    _check_bearer(request, platform.environment.secret_key, "Invalid API key")


def require_access_token(request: Request, platform: PlatformOf) -> None:
    """Admit the personal access token with which the CLI logs in."""
    _check_bearer(request, platform.environment.access_token, "Invalid or Missing Access Token")


def require_project(project_ref: str, platform: PlatformOf) -> None:
    if project_ref != platform.environment.project_ref:
        raise PlatformError(404, "Project not found")


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body. Raises PlatformError (413) as soon as it is larger than allowed."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise PlatformError(413, "Request body too large")
    return bytes(body)


async def read_model(request: Request, model: type[ModelT], limit: int = MAX_SMALL_BYTES) -> ModelT:
    """Return the JSON body as a model. Raises PlatformError: 400 if it is empty, no JSON, or wrong."""
    body = await read_body(request, limit)
    if not body:
        raise PlatformError(400, "Request body is empty")
    return parse_model(body, model)


def parse_model(body: bytes, model: type[ModelT]) -> ModelT:
    try:
        return model.model_validate(json.loads(body))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PlatformError(400, f"Validation error: {first['msg']} at {place!r}") from error
    except ValueError as error:
        raise PlatformError(400, "Invalid JSON in request body") from error


def caller_of(request: Request, scope: str) -> Caller:
    """Read the caller from the headers. `scope` separates the request keys of different targets."""
    headers = request.headers
    key = headers.get("idempotency-key")
    if key and len(key) > 2048:
        raise PlatformError(400, "idempotency-key must be 2048 characters or less")
    request_key = headers.get("x-trigger-request-idempotency-key")
    return Caller(
        idempotency_key=key or None,
        request_key=f"{scope} {request_key}" if request_key else None,
        traceparent=headers.get("traceparent"),
        from_worker=headers.get("x-trigger-worker") is not None,
    )
