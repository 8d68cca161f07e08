"""Excel workbooks (.xlsx) → rows, one sheet of them, row by row.

openpyxl's read-only mode reads the sheet as a stream; python-calamine is ten times as fast but holds a
whole sheet, as wide and as long as its furthest cell, and shows no errors (`#REF!`). Before anything is
parsed, the sizes that the archive states are bounded, and Python's zipfile gives no more of a part than it
states.
"""

import datetime
from collections.abc import Iterator
from typing import IO, Any
from zipfile import ZipFile

from api.ingest.header import SAMPLE_ROWS, find_header
from api.ingest.job import ReadJob, ReadLimits
from api.ingest.notes import Notes
from api.ingest.refusal import FileRefusedError, too_large, unreadable
from api.ingest.rows import MAX_FIELDS, Row
from api.ingest.table import MIN_FOOTED_WIDTH, LoneCell, Table

MAX_PARTS = 5_000
# Names of sheets, styles and the like are held in memory, as are the texts that cells share.
MAX_HELD_PART_BYTES = 10 * 1024 * 1024
SHARED_TEXTS = "sharedstrings.xml"
MAX_SHARED_TEXT_SHARE = 0.5
RATIO_FREE_BYTES = 10 * 1024 * 1024
MAX_LISTED_SHEETS = 20
# Excel counts no more digits than these, and shows no more.
SIGNIFICANT_DIGITS = 15


def check_archive(file: IO[bytes], limits: ReadLimits) -> None:
    """Raises FileRefusedError payload_too_large for a workbook that would grow too large."""
    with ZipFile(file) as archive:
        parts = archive.infolist()
    size = sum(part.file_size for part in parts)
    stored = sum(part.compress_size for part in parts)
    if len(parts) > MAX_PARTS or size > limits.max_bytes:
        raise too_large(
            f"Decompressed, the workbook is over {limits.max_bytes:,} bytes. Split it, or save it as CSV.",
            limit_bytes=limits.max_bytes,
        )
    if size > RATIO_FREE_BYTES and size > limits.max_ratio * max(stored, 1):
        raise too_large(
            f"Decompressed, the workbook is more than {limits.max_ratio} times as large. Save it as CSV.",
            limit_ratio=limits.max_ratio,
        )
    for part in parts:
        name = part.filename.lower()
        is_rows = "/worksheets/" in name or not name.endswith((".xml", ".rels"))
        bound = (
            limits.max_bytes * MAX_SHARED_TEXT_SHARE if name.endswith(SHARED_TEXTS) else MAX_HELD_PART_BYTES
        )
        if not is_rows and part.file_size > bound:
            raise too_large(f"The part {part.filename[:100]} of the workbook is too large. Save it as CSV.")


class WorkbookRows:
    """Iterates the data rows of a sheet. `fields` is known from the start."""

    def __init__(self, file: IO[bytes], job: ReadJob) -> None:
        """Raises FileRefusedError: payload_too_large, or unreadable_file when there is no such sheet or
        header.
        """
        check_archive(file, job.limits)
        self._job = job
        self._notes = Notes()
        self._blank_rows = 0
        self._sheet, cells = _open_sheet(file, job.options.sheet)
        self._rows = self._filled(cells)
        first: list[tuple[int, list[str]]] = []
        for row in self._rows:
            first.append(row)
            if len(first) == SAMPLE_ROWS:
                break
        options = job.options
        if not first:
            raise unreadable(f"The sheet {self._sheet!r} is empty.")
        index = (
            find_header([cells for _, cells in first])
            if options.header is None and options.skip_lines is None
            else 0
        )
        header = list(options.header) if options.header else first[index][1]
        self._skipped_lines = first[index][0] - 1
        self._first = first[index:] if options.header else first[index + 1 :]
        sample = [cells for _, cells in self._first]
        self._table = Table(_without_blank_end(header), sample, options.on_ragged_row, self._notes)

    @property
    def fields(self) -> list[str]:
        return self._table.fields

    @property
    def undecodable_rows(self) -> int:
        return 0

    def columns(self) -> list[dict[str, Any]]:
        return self._table.columns()

    def read_as(self) -> dict[str, Any]:
        return {
            "format": "xlsx",
            "delimiter": None,
            "skipped_lines": self._skipped_lines,
            "header": "option" if self._job.options.header else "file",
            "sheet": self._sheet,
            "notes": self._notes.counts(),
            "noted_cells": self._notes.cells(),
        }

    def __iter__(self) -> Iterator[Row]:
        return self._table.settle(self._read())

    def _read(self) -> Iterator[Row | LoneCell]:
        limit = self._job.limits.max_rows
        for number, (line, cells) in enumerate(self._all(), start=1):
            if number > limit:
                raise too_large(f"The sheet has more than {limit:,} rows. Split it.", limit_rows=limit)
            # A sheet has no ragged rows: it stores no cells that are empty.
            width = self._table.width
            if len(cells) == 1 and width >= MIN_FOOTED_WIDTH:
                yield LoneCell(number, line, cells, cells[0])
                continue
            padded = cells + [""] * (width - len(cells))
            yield self._table.add_any(number, line, padded, "\t".join(cells))

    def _all(self) -> Iterator[tuple[int, list[str]]]:
        yield from self._first
        self._first = []
        yield from self._rows

    def _filled(self, rows: Iterator[tuple[object, ...]]) -> Iterator[tuple[int, list[str]]]:
        """Rows with anything in them, with their number in the sheet. Raises FileRefusedError."""
        limit = self._job.limits.max_blank_lines
        skip = self._job.options.skip_lines or 0
        try:
            for line, row in enumerate(rows, start=1):
                if line <= skip:
                    continue
                cells = _without_blank_end([as_text(value) for value in row])
                if len(cells) > MAX_FIELDS:
                    raise unreadable(f"Row {line} of the sheet has over {MAX_FIELDS:,} cells.")
                if cells:
                    yield line, cells
                else:
                    self._blank_rows += 1
                    if self._blank_rows > limit:
                        raise unreadable(
                            f"The sheet has more than {limit:,} blank rows.", limit_blank_lines=limit
                        )
        except (FileRefusedError, MemoryError):
            raise
        except Exception as error:
            raise _broken() from error


def _open_sheet(file: IO[bytes], wanted: str | None) -> tuple[str, Iterator[tuple[object, ...]]]:
    # Only here: most files are no workbooks.
    from openpyxl import load_workbook

    try:
        workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheets = {sheet.title: sheet for sheet in workbook.worksheets}
        visible = [name for name, sheet in sheets.items() if sheet.sheet_state == "visible"]
    except MemoryError:
        raise
    except Exception as error:
        raise _broken() from error
    name = _choose_sheet(wanted, list(sheets), visible)
    # What a sheet says of its own size is often wrong.
    sheets[name].reset_dimensions()
    return name, sheets[name].iter_rows(values_only=True)


def _choose_sheet(wanted: str | None, names: list[str], visible: list[str]) -> str:
    if not names:
        raise unreadable("The workbook has no sheet with cells.")
    if wanted is None:
        return (visible or names)[0]
    for name in names:
        if name.strip().casefold() == wanted.strip().casefold():
            return name
    if wanted.isdecimal() and 1 <= int(wanted[:6]) <= len(names):
        return names[int(wanted) - 1]
    raise unreadable(
        "The workbook has no sheet of the name that the form field `sheet` says.",
        sheets=names[:MAX_LISTED_SHEETS],
    )


def _broken() -> FileRefusedError:
    return unreadable(
        "The Excel workbook is broken, or protected. Open it in Excel and save it again, or as CSV."
    )


def _without_blank_end(cells: list[str]) -> list[str]:
    while cells and not cells[-1].strip():
        cells.pop()
    return cells


def as_text(value: object) -> str:
    """What a person reads in the cell: dates as ISO 8601, whole numbers without a point, TRUE and FALSE."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime.datetime):
        whole = value.replace(microsecond=0)
        return whole.date().isoformat() if whole.time() == datetime.time() else whole.isoformat()
    if isinstance(value, datetime.time):
        return value.replace(microsecond=0).isoformat()
    return str(value)


def _number(value: float) -> str:
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return f"{value:.{SIGNIFICANT_DIGITS}g}"
