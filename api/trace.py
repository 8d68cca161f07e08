"""The trace of a request, in the form of W3C Trace Context: the caller's trace or a new one."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self

# Later versions may add fields at the end. The version ff is invalid.
# https://www.w3.org/TR/trace-context/#traceparent-header
TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
MAX_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Span:
    """A span of a trace: ids of 32 and 16 hexadecimal digits, and whether the trace is recorded."""

    trace_id: str
    span_id: str
    is_sampled: bool

    @classmethod
    def begin(cls) -> Self:
        """The first span of a new trace, which is recorded, since our logs have it."""
        return cls(secrets.token_hex(16), secrets.token_hex(8), True)

    @classmethod
    def of_caller(cls, traceparent: str) -> Self | None:
        """The caller's span; None if the header is not well-formed."""
        found = TRACEPARENT.fullmatch(traceparent) if len(traceparent) <= MAX_LENGTH else None
        if found is None or (found[1] == "00" and found[5]):
            return None
        if not found[2].strip("0") or not found[3].strip("0"):
            return None
        return cls(found[2], found[3], bool(int(found[4], 16) & 1))

    def child(self) -> "Span":
        return Span(self.trace_id, secrets.token_hex(8), self.is_sampled)

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"


@dataclass(slots=True)
class Work:
    """A span while it is open. This class records nothing."""

    span: Span

    def ended(self, status: int | None, **attributes: object) -> None:
        """`status` is that of the answer, or None if there was no answer."""

    def named(self, name: str) -> None:
        """Names the span once the route is known."""


class Tracing:
    """Creates spans for the log and for the services that the API calls, without exporting them.

    `api.telemetry` exports them.
    """

    @contextmanager
    def request(self, caller: Span | None, method: str, path: str) -> Iterator[Work]:
        """The span of a request to the API."""
        yield Work(caller.child() if caller else Span.begin())

    @contextmanager
    def call(self, parent: Span, method: str, url: str, route: str) -> Iterator[Work]:
        """The span of a call to another service; `route` is its path without ids."""
        yield Work(parent)

    def close(self) -> None:
        """Exports the remaining spans. Blocks."""


_current: ContextVar[Span | None] = ContextVar("span", default=None)


def current_span() -> Span | None:
    """The span of the current request."""
    return _current.get()


def set_current_span(span: Span) -> None:
    _current.set(span)
