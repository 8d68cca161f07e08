"""The rules for every answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fuzz.callers import Caller
from tests.fuzz.cases import Case

_ERRORS_PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
_ROW = re.compile(r"^\| `([a-z][a-z0-9_]*)` \| (\d{3}) \|", re.MULTILINE)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_DOCUMENTED = [status_code_conformance, content_type_conformance, response_schema_conformance]
# The answers to an invalid credential. An unreadable body may be refused before the credential is checked.
_REFUSALS = {401, 405, 413, 415, 422, 429}


@dataclass(frozen=True)
class Problem:
    """Two answers with the same problem have equal `kind` and `sentence`."""

    kind: str
    sentence: str


@dataclass(frozen=True)
class Exchange:
    case: Case
    caller: Caller
    response: Response

    @property
    def endpoint(self) -> str:
        return str(self.case.path)

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def text(self) -> str:
        return self.response.content.decode("utf-8", "replace")

    @property
    def sent(self) -> str:
        body = self.response.request.body
        if isinstance(body, str):
            return body
        return body.decode("utf-8", "replace") if isinstance(body, bytes) else ""


def listed_codes(page: str) -> dict[str, int]:
    """The status of each code in the tables of docs/errors.md."""
    return {code: int(status) for code, status in _ROW.findall(page)}


class Checks:
    """`is_hidden` tells ids that the caller must not see. An answer may repeat the ids of its request."""

    def __init__(self, is_hidden: Callable[[Caller, str], bool]) -> None:
        self._is_hidden = is_hidden
        self._codes: Mapping[str, int] = listed_codes(_ERRORS_PAGE.read_text())

    def problems(self, exchange: Exchange) -> list[Problem]:
        found = list(self._own(exchange))
        # A 5xx is a problem by itself; whether it is documented does not matter.
        if exchange.status < 500:
            found += self._against_document(exchange)
        return found

    def _own(self, exchange: Exchange) -> Iterator[Problem]:
        if exchange.status >= 500:
            yield Problem("server error", f"{exchange.status} {_code(exchange)}")
        if exchange.caller.dead and exchange.status not in _REFUSALS and exchange.endpoint.startswith("/v1/"):
            yield Problem("dead credential", f"{exchange.caller.kind} is answered {exchange.status}")
        if exchange.status >= 400:
            yield from self._envelope(exchange)
        shown = _ids_in(exchange.text) - _ids_in(exchange.sent)
        if any(self._is_hidden(exchange.caller, found) for found in shown):
            yield Problem("another tenant's", f"{exchange.caller.kind} is shown ids out of its reach")
        marker = exchange.caller.strangers.marker
        if marker in exchange.text and marker not in exchange.sent:
            yield Problem("another tenant's", f"{exchange.caller.kind} is shown another org's data")

    def _envelope(self, exchange: Exchange) -> Iterator[Problem]:
        error = _error(exchange)
        if error is None or set(error) != {"code", "message", "details", "request_id"}:
            yield Problem("envelope", f"{exchange.status} without the error envelope")
            return
        if error["request_id"] != exchange.response.headers.get("x-request-id", [""])[0]:
            yield Problem("envelope", "request_id is not X-Request-Id")
        status = self._codes.get(str(error["code"]))
        if status is None:
            yield Problem("unlisted code", f"{error['code']} is not in docs/errors.md")
        elif status != exchange.status:
            yield Problem("unlisted code", f"{error['code']} with {exchange.status}, listed with {status}")

    def _against_document(self, exchange: Exchange) -> list[Problem]:
        try:
            exchange.case.validate_response(exchange.response, checks=list(_DOCUMENTED))
        except FailureGroup as group:
            return [
                Problem("off the document", f"{exchange.status}: {failure.title}: {failure.message[:300]}")
                for failure in group.exceptions
            ]
        return []


def _ids_in(text: str) -> set[str]:
    return {found.lower() for found in _UUID.findall(text)}


def _error(exchange: Exchange) -> Mapping[str, object] | None:
    try:
        body = exchange.response.json()
    except ValueError:
        return None
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else None


def _code(exchange: Exchange) -> object:
    return (_error(exchange) or {}).get("code")
