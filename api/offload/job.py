"""What another process can do: a pure function of bytes, without the framework and without secrets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from api.json_text import RefusedJsonError

Options = Mapping[str, Any]
Work = Callable[[bytes, Options], bytes]


class JobRefusedError(Exception):
    """The input is refused: `code` is one of `api.errors.ErrorCode`, the message is for the caller."""

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = dict(details or {})


@dataclass(frozen=True, slots=True)
class Job:
    """`work` is a function of a module. For up to `inline_bytes` it takes under 10 ms, and runs in place."""

    work: Work
    inline_bytes: int

    @property
    def name(self) -> str:
        return f"{self.work.__module__}:{self.work.__qualname__}"


def run_here(work: Work, payload: bytes, options: Options) -> bytes:
    """Raises JobRefusedError for what the work refuses."""
    try:
        return work(payload, options)
    except RefusedJsonError as error:
        raise JobRefusedError("invalid_request", str(error)) from error
    except (MemoryError, RecursionError) as error:
        raise too_complex() from error


def too_complex() -> JobRefusedError:
    return JobRefusedError(
        "request_too_complex",
        "The request takes too much time or memory to check. Split it, or make it simpler.",
    )
