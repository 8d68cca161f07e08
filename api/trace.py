"""The trace that a request belongs to, as W3C Trace Context says: its caller's, or one that begins here."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self

# A later version may have more fields at its end; ff is none.
# https://www.w3.org/TR/trace-context/#traceparent-header
TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
MAX_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of work in a trace: 32 and 16 hexadecimal digits, and whether the trace is recorded."""

    trace_id: str
    span_id: str
    is_sampled: bool

    @classmethod
    def begin(cls) -> Self:
        """Of a new trace. It counts as recorded, since our logs have it."""
        return cls(secrets.token_hex(16), secrets.token_hex(8), True)

    @classmethod
    def of_caller(cls, traceparent: str) -> Self | None:
        """The caller's own piece of work; None when it names none in the exact form."""
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
    """A span while its work is done. Here nobody collects what it comes to."""

    span: Span

    def ended(self, status: int | None, **attributes: object) -> None:
        """`status` is the one of the answer; None when there was none."""

    def named(self, name: str) -> None:
        """Once it is known what the work is."""


class Tracing:
    """Spans that have ids, for the log and for whoever is called, and that go nowhere.

    `api.telemetry` has those that are exported.
    """

    @contextmanager
    def request(self, caller: Span | None, method: str, path: str) -> Iterator[Work]:
        """The work on a request of ours, in its caller's trace or in a new one."""
        yield Work(caller.child() if caller else Span.begin())

    @contextmanager
    def call(self, parent: Span, method: str, url: str, route: str) -> Iterator[Work]:
        """A call that is part of the work; `route` is its path without what differs from call to call."""
        yield Work(parent)

    def close(self) -> None:
        """Sends what is left. Blocks."""


_current: ContextVar[Span | None] = ContextVar("span", default=None)


def current_span() -> Span | None:
    """Of the request that is worked on."""
    return _current.get()


def set_current_span(span: Span) -> None:
    _current.set(span)
