"""Streams a run's output records as CSV or NDJSON, page by page, with flat memory."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from api.data_api import DataApiCaller
from api.errors import ApiError, ErrorCode
from api.models.pipeline_runs import ExportFormat, RunFields

PAGE_SIZE = 1000
# Every line of a CSV has a cell for each column, so a page is columns x 1,000 cells, however empty.
MAX_CSV_COLUMNS = 2000
ID_COLUMN = "record_id"
MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.NDJSON: "application/x-ndjson",
}

RenderRecords = Callable[[list[dict[str, Any]]], bytes]


async def open_export(
    rpc: DataApiCaller, pipeline_run_id: str, export_format: ExportFormat
) -> AsyncIterator[bytes]:
    """Fetches the first page, so that a refusal is still a proper error, and returns the byte stream."""
    render: RenderRecords = render_ndjson
    head = b""
    if export_format is ExportFormat.CSV:
        found = await rpc.call("list_pipeline_run_fields", {"p_pipeline_run_id": pipeline_run_id}, RunFields)
        fields = found.fields
        if len(fields) > MAX_CSV_COLUMNS:
            raise ApiError(
                ErrorCode.INVALID_REQUEST,
                f"The records have {len(fields):,} different fields; a CSV takes {MAX_CSV_COLUMNS:,}. "
                "Export them with format ndjson.",
                details={"field_count": len(fields)},
            )
        head = csv_line([ID_COLUMN, *fields])

        def render(records: list[dict[str, Any]]) -> bytes:
            return render_csv(fields, records)

    first_page = await _fetch_page(rpc, pipeline_run_id, None)
    return _stream(rpc, pipeline_run_id, first_page, head, render)


async def _stream(
    rpc: DataApiCaller,
    pipeline_run_id: str,
    page: bytes,
    head: bytes,
    render: RenderRecords,
) -> AsyncIterator[bytes]:
    if head:
        yield head
    while True:
        # In a thread: a page is up to 1,000 records to parse and print.
        text, cursor = await asyncio.to_thread(_render_page, page, render)
        if text:
            yield text
        if cursor is None:
            return
        page = await _fetch_page(rpc, pipeline_run_id, cursor)


def _render_page(page: bytes, render: RenderRecords) -> tuple[bytes, str | None]:
    parsed = json.loads(page)
    return render(parsed["items"]), parsed["next_cursor"]


async def _fetch_page(rpc: DataApiCaller, pipeline_run_id: str, cursor: str | None) -> bytes:
    arguments = {
        "p_pipeline_run_id": pipeline_run_id,
        "p_kind": "output",
        "p_cursor": cursor,
        "p_limit": PAGE_SIZE,
    }
    return await rpc.call_raw("list_pipeline_run_records", arguments, repeatable=True)


def render_ndjson(records: list[dict[str, Any]]) -> bytes:
    lines = (json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records)
    return "".join(f"{line}\n" for line in lines).encode()


def render_csv(fields: Sequence[str], records: list[dict[str, Any]]) -> bytes:
    """One line a record; a field that a record lacks is empty, as is null."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    for record in records:
        data = record["data"]
        writer.writerow([record["id"], *(csv_value(data.get(field)) for field in fields)])
    return out.getvalue().encode()


def csv_line(cells: Sequence[str]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(cells)
    return out.getvalue().encode()


def csv_value(value: object) -> str:
    """Text as it is, null as nothing, everything else as JSON: `true`, `1.5`, `{"a":1}`."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
