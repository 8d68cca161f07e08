"""The one client of the Data API (PostgREST): calls an RPC as the caller and translates its errors.

It is plain HTTP, not `postgrest`: that package's errors drop the HTTP status and its headers, it would
need a client object for each caller, and it cannot send a body that is encoded already (chunks).
"""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Protocol, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel

from api.errors import CODE_OF_STATUS, ApiError, ErrorCode
from api.http_client import HttpAnswer, HttpClient, UnreachableError
from api.logs import note

logger = logging.getLogger(__name__)

Result = TypeVar("Result", bound=BaseModel)

TIMEOUT_SECONDS = 30.0
CHECK_SECONDS = 3.0
RETRY_AFTER_SECONDS = "2"
REPEAT_AFTER_SECONDS = 0.3
STABLE_CODE = re.compile(r"[a-z][a-z0-9_]{2,63}")
# PostgreSQL quotes identifiers, never values, in the messages of class 23; values stand in its details.
BROKEN_RULE = re.compile(r'\b(constraint|column) "([a-z_][a-z0-9_]{0,62})"')

# PostgREST's own codes and PostgreSQL's SQLSTATEs, by prefix.
# https://docs.postgrest.org/en/stable/references/errors.html
UNAVAILABLE: Final = (
    "PGRST000",
    "PGRST001",
    "PGRST002",
    "PGRST003",
    "08",
    "53",
    "57",
    "40",
    "55P03",
    "25006",
)
NATIVE_ERRORS: Final[Mapping[str, tuple[ErrorCode, str]]] = {
    "PGRST301": (ErrorCode.INVALID_TOKEN, "The Data API did not accept the token."),
    "PGRST302": (ErrorCode.INVALID_TOKEN, "The Data API did not accept the token."),
    "PGRST303": (ErrorCode.INVALID_TOKEN, "The Data API did not accept the claims of the token."),
    "42501": (ErrorCode.FORBIDDEN, "The caller's role does not allow this."),
    "23505": (ErrorCode.CONFLICT, "Something with the same unique value exists already."),
    "23503": (ErrorCode.CONFLICT, "Something that this refers to does not exist, or still refers to this."),
    "23P01": (ErrorCode.CONFLICT, "It conflicts with something that exists already."),
    "23502": (ErrorCode.INVALID_REQUEST, "A required value is missing."),
    "23514": (ErrorCode.INVALID_REQUEST, "A value breaks a rule of the data model."),
    "22P05": (ErrorCode.INVALID_REQUEST, "Text cannot hold the NUL character."),
    "22": (ErrorCode.INVALID_REQUEST, "A value has the wrong form."),
}


class Credential(Protocol):
    """What a verified credential offers here; asked for each call, since a context JWT lives a minute."""

    def data_api_bearer(self) -> str: ...


class DataApi:
    """The connection, shared by all requests; it holds no caller."""

    def __init__(self, http: HttpClient, publishable_key: str) -> None:
        self._http = http
        self._publishable_key = publishable_key

    def as_caller(self, credential: Credential) -> "DataApiCaller":
        return DataApiCaller(self, credential)

    async def send(self, bearer: str, name: str, body: bytes) -> bytes:
        headers = {
            "apikey": self._publishable_key,
            "Authorization": f"Bearer {bearer}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        try:
            response = await self._http.send("POST", f"/rest/v1/rpc/{name}", headers, body)
        except UnreachableError as error:
            logger.warning("the Data API did not answer: %s", error)
            raise unavailable() from error
        if response.is_success:
            return response.body
        raise translate_error(name, response)

    async def check(self) -> bool:
        """Whether PostgREST, its database and our schema answer: they must refuse an anonymous caller."""
        headers = {"apikey": self._publishable_key, "Content-Type": "application/json"}
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                response = await self._http.send("POST", "/rest/v1/rpc/auth_context", headers, b"{}")
        except (UnreachableError, TimeoutError):
            return False
        return response.status in (401, 403)


class DataApiCaller:
    """The Data API as one caller: whoever holds it can do what its credential may do, and nothing else."""

    def __init__(self, data_api: DataApi, credential: Credential) -> None:
        self._data_api = data_api
        self._credential = credential

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | bytes,
        result: type[Result],
        *,
        repeatable: bool = False,
    ) -> Result:
        """Calls `public.<name>` and returns its typed result; raises ApiError.

        `arguments` are named RPC arguments, or the JSON body itself. A `repeatable` call is tried once
        more when the Data API was unreachable; every other call is sent once.
        """
        return result.model_validate_json(await self.call_raw(name, arguments, repeatable=repeatable))

    async def call_raw(
        self, name: str, arguments: Mapping[str, Any] | bytes, *, repeatable: bool = False
    ) -> bytes:
        """As `call`, for a result that is handed on as JSON text."""
        if isinstance(arguments, bytes):
            body = arguments
        else:
            body = encode_json(arguments)
            if pipeline_run_id := arguments.get("p_pipeline_run_id"):
                note(pipeline_run_id=str(pipeline_run_id))
        try:
            return await self._data_api.send(self._credential.data_api_bearer(), name, body)
        except ApiError as error:
            if error.code != ErrorCode.DATA_API_UNAVAILABLE or not repeatable:
                raise
            logger.warning("repeating %s after: %s", name, error)
        await asyncio.sleep(REPEAT_AFTER_SECONDS)
        return await self._data_api.send(self._credential.data_api_bearer(), name, body)


def encode_json(value: object, *, sort_keys: bool = False) -> bytes:
    """Compact JSON as bytes; raises ApiError for what JSON cannot say (NaN, infinity, lone surrogates)."""
    try:
        text = json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=sort_keys
        )
        return text.encode()
    except (ValueError, RecursionError) as error:
        raise ApiError(
            ErrorCode.INVALID_REQUEST,
            "A value cannot be stored: NaN, an infinite number, half a surrogate pair or too deep a nesting.",
        ) from error


def unavailable() -> ApiError:
    return ApiError(
        ErrorCode.DATA_API_UNAVAILABLE,
        "The database is not reachable at the moment. Nothing is half-written: repeat the request shortly.",
        headers={"Retry-After": RETRY_AFTER_SECONDS},
    )


def translate_error(name: str, response: HttpAnswer) -> ApiError:
    """Maps an error answer of PostgREST, or of the gateway before it, to what the caller may know."""
    try:
        body = response.json()
    except ValueError:
        body = None
    error: Mapping[str, Any] = body if isinstance(body, dict) else {}
    code = str(error.get("code") or "")
    if re.fullmatch(r"PT[45]\d\d", code):
        return _authored_error(int(code[2:]), error)
    for prefix, (native, message) in NATIVE_ERRORS.items():
        if code.startswith(prefix):
            logger.info("%s was refused by the database: %s %s", name, code, error.get("message"))
            return ApiError(native, message, details=_broken_rule(code, error.get("message")))
    if response.status in (502, 503, 504) or code.startswith(UNAVAILABLE):
        logger.warning("%s: the Data API answered %s %s", name, response.status, code)
        return unavailable()
    if response.status in (413, 429):
        retry_after = response.headers.get("Retry-After")
        return ApiError(
            CODE_OF_STATUS[response.status],
            "The Data API refused the call: too large." if response.status == 413 else "Too many requests.",
            headers={"Retry-After": retry_after} if retry_after else None,
        )
    logger.error(
        "%s failed: the Data API answered %s %s",
        name,
        response.status,
        response.body[:2000].decode("utf-8", "replace"),
    )
    return ApiError(ErrorCode.INTERNAL_ERROR, "Something went wrong on our side.")


def _authored_error(status: int, error: Mapping[str, Any]) -> ApiError:
    """An error that our own SQL raised: message and code are written for the caller."""
    hint = str(error.get("hint") or "")
    fallback = CODE_OF_STATUS.get(status, ErrorCode.INTERNAL_ERROR)
    return ApiError(
        hint if STABLE_CODE.fullmatch(hint) else fallback,
        str(error.get("message") or "The request was refused."),
        status=status,
        details=_parse_details(error.get("details")),
        headers={"Retry-After": RETRY_AFTER_SECONDS} if status in (429, 503) else None,
    )


def _broken_rule(code: str, message: object) -> dict[str, str]:
    """The name of the constraint or column that a write broke; nothing of what was written."""
    found = BROKEN_RULE.search(str(message)) if code.startswith("23") else None
    return {found[1]: found[2]} if found else {}


def _parse_details(details: object) -> dict[str, Any]:
    if isinstance(details, str):
        try:
            details = json.loads(details)
        except ValueError:
            return {"text": details}
    if isinstance(details, dict):
        return details
    return {} if details is None else {"value": details}


def _data_api(request: Request) -> DataApi:
    data_api: DataApi = request.app.state.data_api
    return data_api


DataApiClient = Annotated[DataApi, Depends(_data_api)]
