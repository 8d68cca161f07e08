"""A page of records, as SQL answers it → the bytes that a caller gets. A page may have megabytes."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from api.models.envelope import Page
from api.models.pipeline_runs import ExportFormat, RunRecord
from api.offload.job import Job, Options

Record = dict[str, Any]

PIECE_CHARACTERS: Final = 64 * 1024


def render_list(page: bytes, options: Options) -> bytes:
    return Page[RunRecord].model_validate_json(page).model_dump_json(exclude_unset=True).encode()


def render_export(page: bytes, options: Options) -> bytes:
    """The next cursor in a line of JSON, then the rendered records. `options` are `format` and `fields`."""
    parsed = json.loads(page)
    if options["format"] == ExportFormat.CSV:
        text = render_csv(options["fields"], parsed["items"])
    else:
        text = render_ndjson(parsed["items"])
    return json.dumps(parsed["next_cursor"]).encode() + b"\n" + text


def render_ndjson(records: list[Record]) -> bytes:
    return "".join(f"{_compact(record)}\n" for record in records).encode()


def render_csv(fields: Sequence[str], records: list[Record]) -> bytes:
    """One line a record; a missing field and null are both an empty cell."""
    return csv_lines(
        [record["id"], *(csv_value(record["data"].get(field)) for field in fields)] for record in records
    )


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Encodes piece by piece, since text takes up to four times the memory of its bytes."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    encoded = bytearray()
    for row in rows:
        writer.writerow(row)
        if out.tell() > PIECE_CHARACTERS:
            encoded += out.getvalue().encode()
            out.seek(0)
            out.truncate()
    encoded += out.getvalue().encode()
    return bytes(encoded)


def csv_value(value: object) -> str:
    """Text unchanged, null as an empty string, any other value as JSON: `true`, `1.5`, `{"a":1}`."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _compact(value)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


RENDER_LIST: Final = Job(render_list, inline_bytes=256 * 1024)
RENDER_EXPORT: Final = Job(render_export, inline_bytes=16 * 1024)
# A page of a few kilobytes can become 1,000 lines of 2,000 empty cells each.
RENDER_WIDE_EXPORT: Final = Job(render_export, inline_bytes=0)
WIDE_COLUMNS: Final = 50
