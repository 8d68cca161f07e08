"""The client of the Data API (PostgREST): calls an RPC as the caller and translates its errors.

It is plain HTTP instead of the package `postgrest`. That package drops the status and headers of an error,
needs a client object for each caller, and cannot send a body that is JSON already.
"""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Protocol, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel

from api.errors import CODE_OF_STATUS, ApiError, ErrorCode, internal_error
from api.http_client import HttpAnswer, HttpClient, UnreachableError
from api.json_text import encode_json
from api.logs import note
from api.models.requests import RequestModel

logger = logging.getLogger(__name__)

Result = TypeVar("Result", bound=BaseModel)
Arguments = RequestModel | Mapping[str, object] | bytes | None

TIMEOUT_SECONDS = 30.0
CHECK_SECONDS = 3.0
CHECK_PATH = "/rest/v1/orgs?select=id&limit=1"
RETRY_AFTER_SECONDS = "2"
REPEAT_AFTER_SECONDS = 0.3
STABLE_CODE = re.compile(r"[a-z][a-z0-9_]{2,63}")
# PostgreSQL's messages of class 23 quote identifiers only; the values are in its details.
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
    "23505": (ErrorCode.CONFLICT, "A row with the same unique value already exists."),
    "23503": (ErrorCode.CONFLICT, "The request refers to a missing row, or another row refers to this one."),
    "23P01": (ErrorCode.CONFLICT, "The request conflicts with an existing row."),
    "23502": (ErrorCode.INVALID_REQUEST, "A required value is missing."),
    "23514": (ErrorCode.INVALID_REQUEST, "A value breaks a rule of the data model."),
    "22P05": (ErrorCode.INVALID_REQUEST, "Text cannot hold the NUL character."),
    "22": (ErrorCode.INVALID_REQUEST, "A value has the wrong form."),
    # The same statement would take as long again, so the answer has no Retry-After.
    "57014": (
        ErrorCode.STATEMENT_TIMEOUT,
        "The request took the database too long. Nothing was written. Ask for less at once.",
    ),
}


class Credential(Protocol):
    """A verified credential. Each call asks for the bearer again, since a context JWT lives a minute."""

    def data_api_bearer(self) -> str: ...


class DataApi:
    """The connection that all requests share; it holds no credential of a caller."""

    def __init__(self, http: HttpClient, publishable_key: str) -> None:
        self._http = http
        self._publishable_key = publishable_key

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

    async def check(self, nobody: str) -> str:
        """`ok`, `unauthorized` or `unreachable`, for the bearer of a caller who does not exist.

        PostgREST, its database and our schema must list no orgs for it. A refusal would fill their logs.
        """
        headers = {"apikey": self._publishable_key, "Authorization": f"Bearer {nobody}"}
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                response = await self._http.send("GET", CHECK_PATH, headers, route="/rest/v1/orgs")
        except (UnreachableError, TimeoutError):
            return "unreachable"
        if response.status in (401, 403):
            return "unauthorized"
        return "ok" if response.status == 200 and response.body.strip() == b"[]" else "unreachable"


class DataApiCaller:
    """The Data API with one credential, limited to what that credential may do."""

    def __init__(self, data_api: DataApi, credential: Credential) -> None:
        self._data_api = data_api
        self._credential = credential

    async def call(
        self,
        name: str,
        arguments: Arguments,
        result: type[Result],
        more: Mapping[str, object] | None = None,
        *,
        repeatable: bool = False,
    ) -> Result:
        """Calls `public.<name>` and returns its typed result; raises ApiError.

        `arguments` are a request body, the named arguments of the RPC, or those as JSON text. `more` adds
        named arguments. A `repeatable` call is sent once more if the Data API was unreachable.
        """
        return result.model_validate_json(await self.call_raw(name, arguments, more, repeatable=repeatable))

    async def call_raw(
        self,
        name: str,
        arguments: Arguments,
        more: Mapping[str, object] | None = None,
        *,
        repeatable: bool = False,
    ) -> bytes:
        """As `call`, but returns the JSON text."""
        body = _encode_arguments(arguments, more or {})
        try:
            return await self._data_api.send(self._credential.data_api_bearer(), name, body)
        except ApiError as error:
            if error.code != ErrorCode.DATA_API_UNAVAILABLE or not repeatable:
                raise
            logger.warning("repeating %s after: %s", name, error)
        await asyncio.sleep(REPEAT_AFTER_SECONDS)
        return await self._data_api.send(self._credential.data_api_bearer(), name, body)


def _encode_arguments(arguments: Arguments, more: Mapping[str, object]) -> bytes:
    if isinstance(arguments, bytes):
        assert not more, "JSON text is the whole body"
        return arguments
    if isinstance(arguments, RequestModel):
        arguments = arguments.rpc_arguments()
    named = {**(arguments or {}), **more}
    if pipeline_run_id := named.get("p_pipeline_run_id"):
        note(pipeline_run_id=str(pipeline_run_id))
    return encode_json(named)


def unavailable() -> ApiError:
    return ApiError(
        ErrorCode.DATA_API_UNAVAILABLE,
        "The database cannot be reached. Nothing is half-written: repeat the request shortly.",
        headers={"Retry-After": RETRY_AFTER_SECONDS},
    )


def translate_error(name: str, response: HttpAnswer) -> ApiError:
    """Translates an error of PostgREST, or of a gateway before it, into what the caller may know."""
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
            logger.info("the database refused %s: %s %s", name, code, error.get("message"))
            return ApiError(native, message, details=_broken_rule(code, error.get("message")))
    if response.status in (502, 503, 504) or code.startswith(UNAVAILABLE):
        logger.warning("%s: the Data API answered %s %s", name, response.status, code)
        return unavailable()
    if response.status in (413, 429):
        retry_after = response.headers.get("Retry-After")
        return ApiError(
            CODE_OF_STATUS[response.status],
            "The call is too large for the Data API." if response.status == 413 else "Too many requests.",
            headers={"Retry-After": retry_after} if retry_after else None,
        )
    text = response.body[:2000].decode("utf-8", "replace")
    logger.error("%s failed: the Data API answered %s %s", name, response.status, text)
    return internal_error()


def _authored_error(status: int, error: Mapping[str, Any]) -> ApiError:
    """An error that our own SQL raised, with a message and a code for the caller."""
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
    """The name of the constraint or column that a write broke, without the values."""
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


async def _data_api(request: Request) -> DataApi:
    data_api: DataApi = request.app.state.data_api
    return data_api


DataApiClient = Annotated[DataApi, Depends(_data_api)]
