"""Streams a run's output records as CSV or NDJSON, page by page, with flat memory."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from api.auth.caller import Caller
from api.errors import ApiError, ErrorCode
from api.models.pipeline_runs import ExportFormat, RunFields

PAGE_SIZE = 1000
# A CSV has a cell for each column in each line, even an empty one: a page is up to 1,000 times this many
# cells.
MAX_CSV_COLUMNS = 2000
ID_COLUMN = "record_id"
MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.NDJSON: "application/x-ndjson",
}

Record = dict[str, Any]
RenderRecords = Callable[[list[Record]], bytes]


async def open_export(
    caller: Caller, pipeline_run_id: UUID, export_format: ExportFormat
) -> AsyncIterator[bytes]:
    """Fetches the first page, so that a refusal is an ordinary error, and returns the byte stream."""
    render: RenderRecords = render_ndjson
    head = b""
    if export_format is ExportFormat.CSV:
        found = await caller.call(
            "list_pipeline_run_fields", {"p_pipeline_run_id": str(pipeline_run_id)}, RunFields
        )
        fields = found.fields
        if len(fields) > MAX_CSV_COLUMNS:
            raise ApiError(
                ErrorCode.INVALID_REQUEST,
                f"The records have {len(fields):,} different fields; a CSV can have {MAX_CSV_COLUMNS:,}. "
                "Export them with format ndjson.",
                details={"field_count": len(fields)},
            )
        head = csv_lines([[ID_COLUMN, *fields]])
        render = partial(render_csv, fields)
    first_page = await _fetch_page(caller, pipeline_run_id, None)
    return _stream(caller, pipeline_run_id, first_page, head, render)


async def _stream(
    caller: Caller, pipeline_run_id: UUID, page: bytes, head: bytes, render: RenderRecords
) -> AsyncIterator[bytes]:
    if head:
        yield head
    while True:
        # In a thread, because a page is up to 1,000 records to parse and write.
        text, cursor = await asyncio.to_thread(_render_page, page, render)
        if text:
            yield text
        if cursor is None:
            return
        page = await _fetch_page(caller, pipeline_run_id, cursor)


def _render_page(page: bytes, render: RenderRecords) -> tuple[bytes, str | None]:
    parsed = json.loads(page)
    return render(parsed["items"]), parsed["next_cursor"]


async def _fetch_page(caller: Caller, pipeline_run_id: UUID, cursor: str | None) -> bytes:
    arguments = {
        "p_pipeline_run_id": str(pipeline_run_id),
        "p_kind": "output",
        "p_cursor": cursor,
        "p_limit": PAGE_SIZE,
    }
    return await caller.call_raw("list_pipeline_run_records", arguments, repeatable=True)


def render_ndjson(records: list[Record]) -> bytes:
    return "".join(f"{_compact(record)}\n" for record in records).encode()


def render_csv(fields: Sequence[str], records: list[Record]) -> bytes:
    """One line a record; a missing field and null are both an empty cell."""
    return csv_lines(
        [record["id"], *(csv_value(record["data"].get(field)) for field in fields)] for record in records
    )


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def csv_value(value: object) -> str:
    """Text unchanged, null as an empty string, any other value as JSON: `true`, `1.5`, `{"a":1}`."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _compact(value)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
