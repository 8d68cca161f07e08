"""Rows of cells under a header → records, whatever kind of file the cells come from."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

from api.ingest.header import field_names
from api.ingest.job import RaggedRow
from api.ingest.notes import Notes
from api.ingest.plausibility import REPLACEMENT
from api.ingest.profile import PROFILE_BYTES, ColumnProfile, TableProfile
from api.ingest.rows import MAX_FIELDS, MAX_RECORD_BYTES, Row, accept, reject, reject_too_large

# So many lines at the end of a file may be what a program writes under its report.
MAX_FOOTER_LINES = 5
MIN_FOOTED_WIDTH = 3


@dataclass(frozen=True, slots=True)
class LoneCell:
    """A row of one cell where rows have several: it is short, or the footer of a report."""

    number: int
    line: int
    cells: list[str]
    raw: str


class Table:
    """`width` counts the columns; nameless ones at the end of the header count once a row has something
    there.
    """

    def __init__(
        self, header: Sequence[str], sample: Sequence[Sequence[str]], on_ragged_row: RaggedRow, notes: Notes
    ) -> None:
        """`sample` are the first rows below the header. Raises FileRefusedError unreadable_file."""
        self._declared = len(header)
        named = _trimmed_width(header)
        used = max((_trimmed_width(row[: self._declared]) for row in sample), default=0)
        self.fields = field_names(header[: max(named, used, 1)])
        self._named = min(named, len(self.fields))
        self._pads = on_ragged_row is RaggedRow.PAD
        self._notes = notes
        self._profile = TableProfile(self.fields)
        self._unprofiled: list[Sequence[str]] = []
        self._unprofiled_bytes = 0
        self._set_columns()

    def _set_columns(self) -> None:
        self.width = len(self.fields)
        names = (encode_basestring(name).replace("%", "%%") for name in self.fields)
        self._template = "{" + ",".join(f"{name}:%s" for name in names) + "}"

    def add(self, number: int, line: int, cells: list[str]) -> bytes | None:
        """The encoded record of as many cells as there are columns; None when it is too large."""
        record = accept(number, self._template % tuple(map(encode_basestring, cells)))
        if len(record) > MAX_RECORD_BYTES:
            return None
        self._unprofiled.append(cells)
        self._unprofiled_bytes += len(record)
        if self._unprofiled_bytes > PROFILE_BYTES:
            self._update_profile()
        return record

    def add_any(self, number: int, line: int, cells: list[str], raw: str) -> Row:
        """As `add`, for a row that may be ragged, or hold what could not be decoded."""
        fitting = self._fit(cells)
        if fitting is None:
            many = len(cells) > self.width
            message = f"The row has {len(cells)} fields, the header {self.width}."
            reason = "too_many_fields" if many else "too_few_fields"
            return reject(
                number, line, reason, message, raw, expected_fields=self.width, found_fields=len(cells)
            )
        record = self.add(number, line, fitting)
        if record is None:
            return reject_too_large(number, line, raw)
        undecodable = [name for name, cell in zip(self.fields, fitting, strict=True) if REPLACEMENT in cell]
        if undecodable:
            self._notes.add_undecodable(number, line, undecodable)
        return record

    def settle(self, rows: Iterable[Row | LoneCell]) -> Iterator[Row]:
        """Rows of one cell are short rows if others follow them, and rejected if they end the file."""
        held: list[LoneCell] = []
        for row in rows:
            if isinstance(row, LoneCell):
                held.append(row)
                if len(held) <= MAX_FOOTER_LINES:
                    continue
            if held:
                yield from (self.add_any(one.number, one.line, one.cells, one.raw) for one in held)
                held.clear()
            if not isinstance(row, LoneCell):
                yield row
        for one in held:
            message = "The row has one field and ends the file, as the footer of a report does."
            counts = {"expected_fields": self.width, "found_fields": 1}
            yield reject(one.number, one.line, "too_few_fields", message, one.raw, **counts)

    def _fit(self, cells: list[str]) -> list[str] | None:
        found = len(cells)
        if found == self.width:
            return cells
        if found < self.width:
            if found < self._named:
                if not self._pads:
                    return None
                self._notes.add("padded_rows")
            return cells + [""] * (self.width - found)
        filled = max(_trimmed_width(cells), self.width)
        if filled > self._declared:
            return None
        if filled > self.width:
            self._add_nameless_columns(filled)
        if found > self._declared:
            # One delimiter at the end is no field; more of them is a row that is too long.
            if not self._pads and found > self._declared + 1:
                return None
            self._notes.add("cut_rows")
        return cells[: self.width]

    def _add_nameless_columns(self, width: int) -> None:
        self._update_profile()
        self.fields = field_names([*self.fields, *[""] * (min(width, MAX_FIELDS) - self.width)])
        self._profile.columns += [ColumnProfile(name) for name in self.fields[self.width :]]
        self._set_columns()

    def _update_profile(self) -> None:
        self._profile.add(self._unprofiled)
        self._unprofiled = []
        self._unprofiled_bytes = 0

    def columns(self) -> list[dict[str, Any]]:
        self._update_profile()
        return self._profile.as_json()


def _trimmed_width(cells: Sequence[str]) -> int:
    """How many cells there are without the blank ones at the end."""
    width = len(cells)
    while width and not cells[width - 1].strip():
        width -= 1
    return width
