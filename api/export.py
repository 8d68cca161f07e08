"""Streams a run's output records as CSV or NDJSON, page by page, with flat memory."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from api.auth.caller import Caller
from api.bodies.answers import RENDER_EXPORT, RENDER_WIDE_EXPORT, WIDE_COLUMNS, csv_lines
from api.errors import ApiError, ErrorCode
from api.models.pipeline_runs import ExportFormat, RunFields
from api.offload.pool import OffloadPool

PAGE_SIZE: Final = 1000
# A CSV has a cell for each column in each line, even an empty one: a page is up to 1,000 times this many
# cells.
MAX_CSV_COLUMNS: Final = 2000
# A page goes out in pieces, so that the server waits for a slow reader after each.
PIECE_BYTES: Final = 64 * 1024
ID_COLUMN: Final = "record_id"
MEDIA_TYPES: Final = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.NDJSON: "application/x-ndjson",
}


async def open_export(
    caller: Caller, offload: OffloadPool, pipeline_run_id: UUID, export_format: ExportFormat
) -> AsyncIterator[bytes]:
    """Renders the first page, so that a refusal is an ordinary error, and returns the byte stream."""
    head = b""
    options: dict[str, Any] = {"format": export_format}
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
        options["fields"] = fields
    pages = _Pages(caller, offload, str(pipeline_run_id), options)
    return _stream(head, await pages.render(), pages)


@dataclass(slots=True)
class _Pages:
    caller: Caller
    offload: OffloadPool
    pipeline_run_id: str
    options: dict[str, Any]
    cursor: str | None = None
    is_last: bool = False

    async def render(self) -> bytes:
        """Fetches the next page and renders it."""
        arguments = {
            "p_pipeline_run_id": self.pipeline_run_id,
            "p_kind": "output",
            "p_cursor": self.cursor,
            "p_limit": PAGE_SIZE,
        }
        page = await self.caller.call_raw("list_pipeline_run_records", arguments, repeatable=True)
        is_wide = len(self.options.get("fields", ())) > WIDE_COLUMNS
        job = RENDER_WIDE_EXPORT if is_wide else RENDER_EXPORT
        rendered = await self.offload.run(job, self.caller.org_id, page, self.options)
        cursor, _, text = rendered.partition(b"\n")
        self.cursor = json.loads(cursor)
        self.is_last = self.cursor is None
        return text


async def _stream(head: bytes, text: bytes, pages: _Pages) -> AsyncIterator[bytes]:
    if head:
        yield head
    while True:
        for start in range(0, len(text), PIECE_BYTES):
            yield text[start : start + PIECE_BYTES]
        if pages.is_last:
            return
        text = await pages.render()
