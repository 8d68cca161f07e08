"""CSV → rows, for files as people have them: RFC 4180, and what programs and people make of it.

Rules:
- `dialect.py` finds the delimiter and the header, `quoting.py` mends quotes; the caller's options come first.
- Names are trimmed; an empty one becomes `column_<n>` (its 1-based position), a repeated one gets `_2`,
  `_3`, …
- Values stay text, exactly as given; an empty field is "", never null. The guard `="…"` is taken off.
- A short row is padded, blank fields beyond the header are cut; a row with more fields than that is rejected.
- A stray quote inside an unquoted field is text. A quoted field that goes on after its closing quote, or
  is never closed, costs the line it began on, and reading resumes at the next line.
"""

from collections.abc import Iterator
from typing import Any

from api.ingest.dialect import DELIMITERS, find_dialect, is_blank, read_sample
from api.ingest.job import ReadJob
from api.ingest.lines import Lines
from api.ingest.notes import Notes
from api.ingest.quoting import repair, unguard, unwrap
from api.ingest.records import Malformed, Records
from api.ingest.refusal import too_large, unreadable
from api.ingest.rows import Row, reject, reject_too_large
from api.ingest.table import MIN_FOOTED_WIDTH, LoneCell, Table

# A row with another delimiter than the file must fall into so many fields to be taken for one.
MIN_OTHER_DELIMITER_FIELDS = 3


class CsvRows:
    """Iterates the data rows. `fields` is known from the start."""

    def __init__(self, lines: Iterator[Lines], job: ReadJob) -> None:
        """Raises FileRefusedError unreadable_file when there is no usable header."""
        self._job = job
        self._notes = Notes()
        self._blank_lines = 0
        self._records = Records(lines)
        skipped = self._skip_blank_beginning()
        first_lines = self._records.peek()
        options = job.options
        self._dialect = find_dialect(first_lines, options, skipped)
        first = self._dialect.first_line
        self._skipped_lines = skipped + first
        self._count_blank(sum(map(is_blank, first_lines[:first])))
        self._delimiter = self._dialect.delimiter
        self._rows = self._records.read(
            first, self._delimiter, skips_initial_space=self._dialect.skips_initial_space
        )
        sample = read_sample(first_lines[first:], self._dialect)
        header = list(options.header) if options.header else self._read_header()
        below = sample if options.header else sample[1:]
        self._table = Table(header, [row.cells for row in below], options.on_ragged_row, self._notes)

    @property
    def fields(self) -> list[str]:
        return self._table.fields

    @property
    def undecodable_rows(self) -> int:
        return self._notes.undecodable_rows

    def columns(self) -> list[dict[str, Any]]:
        return self._table.columns()

    def read_as(self) -> dict[str, Any]:
        self._notes.add("nul_characters", self._records.nul_count)
        return {
            "format": "csv",
            "delimiter": self._dialect.shown_delimiter,
            "skipped_lines": self._skipped_lines,
            "header": "option" if self._job.options.header else "file",
            "sheet": None,
            "notes": self._notes.counts(),
            "noted_cells": self._notes.cells(),
        }

    def __iter__(self) -> Iterator[Row]:
        return self._table.settle(self._read())

    def _read(self) -> Iterator[Row | LoneCell]:
        records, table = self._records, self._table
        number, max_rows = 0, self._job.limits.max_rows
        for fields in self._rows:
            if isinstance(fields, list):
                if len(fields) < 2 and self._is_blank(fields):
                    self._count_blank(1)
                    continue
                number += 1
                if len(fields) == table.width and not records.needs_care:
                    yield table.add(number, records.line, fields) or self._too_large(number)
                else:
                    yield self._read_with_care(number, fields)
            else:
                number += 1
                yield self._read_malformed(number, fields)
            if number > max_rows:
                raise too_large(f"The file has more than {max_rows:,} rows. Split it.", limit_rows=max_rows)

    def _is_blank(self, fields: list[str]) -> bool:
        return not fields or (not fields[0].strip(" ") and is_blank(self._records.raw))

    def _count_blank(self, count: int) -> None:
        self._blank_lines += count
        limit = self._job.limits.max_blank_lines
        if self._blank_lines > limit:
            raise unreadable(f"The file has more than {limit:,} blank lines.", limit_blank_lines=limit)

    def _read_with_care(self, number: int, fields: list[str]) -> Row | LoneCell:
        raw = self._records.raw
        if len(fields) != self._table.width:
            fields = self._split_otherwise(fields, raw)
        if len(fields) == 1 and self._table.width >= MIN_FOOTED_WIDTH:
            return LoneCell(number, self._records.line, fields, raw)
        unguarded = list(map(unguard, fields))
        if unguarded != fields:
            self._notes.add("unguarded_cells", sum(map(str.__ne__, fields, unguarded)))
        return self._table.add_any(number, self._records.line, unguarded, raw)

    def _split_otherwise(self, fields: list[str], raw: str) -> list[str]:
        """A line that was quoted whole, or one that somebody wrote with another delimiter."""
        inner = unwrap(fields, raw, self._delimiter)
        if inner is not None:
            self._notes.add("unwrapped_lines")
            return inner
        width = self._table.width
        if len(fields) == 1 and width >= MIN_OTHER_DELIMITER_FIELDS:
            for delimiter in DELIMITERS:
                if fields[0].count(delimiter) == width - 1:
                    self._notes.add("other_delimiter_rows")
                    return fields[0].split(delimiter)
        return fields

    def _read_malformed(self, number: int, malformed: Malformed) -> Row:
        line = malformed.line
        if malformed.is_too_long:
            return self._too_large(number)
        fields = repair(line, self._delimiter, self._table.width)
        if fields is None:
            message = f"The row is not well-formed CSV: {malformed.problem}."
            return reject(number, self._records.line, "malformed_row", message, line)
        self._notes.add("repaired_rows")
        return self._table.add_any(number, self._records.line, list(map(unguard, fields)), line)

    def _too_large(self, number: int) -> Row:
        return reject_too_large(number, self._records.line, self._records.raw)

    def _skip_blank_beginning(self) -> int:
        """Whole blocks of blank lines, so that the header is among the lines that are looked at."""
        skipped = 0
        while (lines := self._records.peek()) and all(map(is_blank, lines)):
            skipped += self._records.skip_peeked()
            self._count_blank(len(lines))
        return skipped

    def _read_header(self) -> list[str]:
        names = next(self._rows, None)
        while names == []:
            names = next(self._rows, None)
        if names is None:
            raise unreadable("The file has no header.")
        if isinstance(names, Malformed):
            raise unreadable("The header of the file is not well-formed CSV.")
        raw = self._records.raw
        inner = unwrap(names, raw, self._delimiter)
        if inner is not None:
            self._notes.add("unwrapped_lines")
        return list(map(unguard, inner or names))
