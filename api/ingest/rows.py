"""The rows of a file: each becomes an encoded record or a rejected row."""

import json
import re
from dataclasses import dataclass
from typing import IO, Final

MAX_RECORD_BYTES: Final = 1_000_000
MAX_RAW_CHARACTERS: Final = 10_000
MAX_FIELDS: Final = 2_000
# Bytes that are invalid in the encoding of the file arrive as lone surrogates (surrogateescape).
UNDECODABLE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """`encoded` is the JSON text of `{"id", "data"}`, which is sent unchanged."""

    encoded: bytes


@dataclass(frozen=True, slots=True)
class RejectedRow:
    encoded: bytes
    reason: str
    line: int
    message: str


Row = EncodedRecord | RejectedRow


def accept(record_id: int, data_json: str) -> EncodedRecord:
    return EncodedRecord(f'{{"id":"{record_id}","data":{data_json}}}'.encode())


def reject(
    record_id: int, line: int, reason: str, message: str, raw: str, **details: int | bool
) -> RejectedRow:
    """Keeps the raw text of the row, with a NUL or an undecodable byte as an escape."""
    shown = raw.rstrip("\r\n")
    kept = shown[:MAX_RAW_CHARACTERS]
    if len(shown) > MAX_RAW_CHARACTERS:
        details["raw_truncated"] = True
    rejected = {
        "id": str(record_id),
        "reason": reason,
        "message": message,
        "details": {"line": line, **details},
        "data": {"raw": storable(kept)},
    }
    encoded = json.dumps(rejected, ensure_ascii=False, separators=(",", ":")).encode()
    return RejectedRow(encoded, reason, line, message)


def storable(text: str) -> str:
    """Escapes NUL and lone surrogates, which PostgreSQL's jsonb cannot hold."""
    # surrogateescape restores the undecodable bytes, backslashreplace writes them as \x81.
    return (
        text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
    )


@dataclass(frozen=True, slots=True)
class Line:
    """A physical line with its end. `number` counts from 1. If `too_long`, `text` is only the beginning."""

    number: int
    text: str
    too_long: bool = False


class LineReader:
    """Reads physical lines, and holds at most MAX_RECORD_BYTES of one."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self._number = 0

    def next(self) -> Line | None:
        text = self._text.readline(MAX_RECORD_BYTES + 1)
        if not text:
            return None
        self._number += 1
        if len(text) <= MAX_RECORD_BYTES or text.endswith(("\n", "\r")):
            return Line(self._number, text)
        beginning = text[: MAX_RAW_CHARACTERS + 1]
        while text and not text.endswith(("\n", "\r")):
            text = self._text.readline(MAX_RECORD_BYTES + 1)
        return Line(self._number, beginning, too_long=True)
