"""What reading a row of a file gives: an encoded record, or a rejected row."""

import json
from dataclasses import dataclass
from typing import Final

MAX_RECORD_BYTES: Final = 1_000_000
MAX_RAW_CHARACTERS: Final = 10_000
MAX_FIELDS: Final = 2_000
MAX_NAME_CHARACTERS: Final = 255

# The JSON text of `{"id", "data"}`, made once and sent as it is.
EncodedRecord = bytes


@dataclass(frozen=True, slots=True)
class RejectedRow:
    encoded: bytes
    reason: str
    line: int
    message: str


Row = EncodedRecord | RejectedRow


def accept(record_id: int, data_json: str) -> EncodedRecord:
    return f'{{"id":"{record_id}","data":{data_json}}}'.encode()


def reject(
    record_id: int, line: int, reason: str, message: str, raw: str, **details: int | bool
) -> RejectedRow:
    """Keeps the raw text of the row, so that it can be exported and sent again."""
    shown = raw.rstrip("\r\n")
    kept = shown[:MAX_RAW_CHARACTERS]
    if len(shown) > MAX_RAW_CHARACTERS:
        details["raw_truncated"] = True
    rejected = {
        "id": str(record_id),
        "reason": reason,
        "message": message,
        "details": {"line": line, **details},
        "data": {"raw": kept},
    }
    encoded = json.dumps(rejected, ensure_ascii=False, separators=(",", ":")).encode()
    return RejectedRow(encoded, reason, line, message)


def reject_too_large(number: int, line: int, raw: str) -> RejectedRow:
    message = f"The record is larger than {MAX_RECORD_BYTES:,} bytes."
    return reject(number, line, "record_too_large", message, raw)
