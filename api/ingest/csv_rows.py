"""CSV → rows, after RFC 4180, with comma, semicolon or tab between the fields.

Rules:
- The first line that is not blank is the header. Names are trimmed. An empty name becomes `column_<n>` (its
  1-based position), a repeated name gets `_2`, `_3`, …
- A first line `sep=;` (Excel) names the delimiter. Otherwise it is the one that splits the header into most
  fields.
- Values stay text, unchanged. An empty field is "", never null.
- A row must have as many fields as the header, since a short row may have been cut off.
- A stray quote inside an unquoted field is text. Text after a closing quote, or a quote that is never closed,
  rejects the line where the record began. Reading resumes at the next line.
"""

import csv
import io
import itertools
import json
import re
from collections import deque
from collections.abc import Iterator
from typing import IO

from api.ingest.rows import MAX_FIELDS, MAX_RECORD_BYTES, UNDECODABLE, Line, LineReader, Row, accept, reject
from api.ingest.scan import Scan, unreadable

DELIMITERS = ",;\t"
MAX_NAME_CHARACTERS = 255
# Text after an unclosed quote is read again. A malicious file could have every line read a megabyte ahead in
# vain, so the total is limited; an honest file needs less.
MAX_REREAD_CHARACTERS = 64_000_000
SEPARATOR_LINE = re.compile(r"sep=([,;\t])\r?\n?", re.IGNORECASE)

# The limit of the csv module holds for the whole process; MAX_RECORD_BYTES limits a record.
csv.field_size_limit(MAX_RECORD_BYTES + 1)


class _RecordTooLongError(Exception):
    """The lines of one record exceed MAX_RECORD_BYTES."""


class _RecordLines:
    """Feeds the csv module and keeps the physical lines of the current record."""

    def __init__(self, reader: LineReader) -> None:
        self._reader = reader
        self._returned: deque[Line] = deque()
        self.taken: list[Line] = []
        self._size = 0
        self._reread = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else self._reader.next()
        if line is None:
            raise StopIteration
        self.taken.append(line)
        self._size += len(line.text)
        if line.too_long or self._size > MAX_RECORD_BYTES:
            raise _RecordTooLongError
        return line.text

    def begin_record(self) -> None:
        self.taken = []
        self._size = 0

    def give_back_all_but_first(self) -> Line:
        self._reread += self._size
        if self._reread > MAX_REREAD_CHARACTERS:
            raise unreadable("The file has too many unclosed quotes.")
        self._returned.extendleft(reversed(self.taken[1:]))
        return self.taken[0]

    def peek(self) -> Line | None:
        if not self._returned and (line := self._reader.next()):
            self._returned.append(line)
        return self._returned[0] if self._returned else None

    def skip(self) -> None:
        self._returned.popleft()


class CsvRows:
    """Iterates over the data rows. `fields` is complete from the start."""

    def __init__(self, text: IO[str], scan: Scan) -> None:
        """Raises ApiError unreadable_file if there is no usable header."""
        self._may_be_undecodable = scan.errors != "strict"
        self._lines = _RecordLines(LineReader(text))
        self._csv = csv.reader(self._lines, delimiter=self._find_delimiter(), strict=True)
        self.fields = self._read_header()

    def __iter__(self) -> Iterator[Row]:
        row_number = itertools.count(1)
        while True:
            self._lines.begin_record()
            try:
                values = next(self._csv)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._reject_first_line(next(row_number), str(error))
                continue
            except _RecordTooLongError:
                yield self._reject_too_long(next(row_number))
                continue
            if not self._is_blank():
                yield self._row(next(row_number), values)

    def _row(self, number: int, values: list[str]) -> Row:
        line = self._lines.taken[0].number
        raw = "".join(taken.text for taken in self._lines.taken)
        if "\x00" in raw:
            return reject(number, line, "malformed_row", "The row contains a NUL character.", raw)
        if self._may_be_undecodable and UNDECODABLE.search(raw):
            message = "The row contains bytes that are invalid in the encoding of the file."
            return reject(number, line, "undecodable_text", message, raw)
        if len(values) != len(self.fields):
            many = len(values) > len(self.fields)
            counts = {"expected_fields": len(self.fields), "found_fields": len(values)}
            message = f"The row has {len(values)} fields; the header has {len(self.fields)}."
            return reject(
                number, line, "too_many_fields" if many else "too_few_fields", message, raw, **counts
            )
        data = json.dumps(
            dict(zip(self.fields, values, strict=True)), ensure_ascii=False, separators=(",", ":")
        )
        record = accept(number, data)
        if len(record.encoded) > MAX_RECORD_BYTES:
            return _too_large(number, line, raw)
        return record

    def _reject_first_line(self, number: int, problem: str) -> Row:
        first = self._lines.give_back_all_but_first()
        message = f"The row is not well-formed CSV: {problem}."
        return reject(number, first.number, "malformed_row", message, first.text)

    def _reject_too_long(self, number: int) -> Row:
        if len(self._lines.taken) == 1:
            first = self._lines.taken[0]
            return _too_large(number, first.number, first.text)
        return self._reject_first_line(number, "a quoted field is not closed within the size of a record")

    def _is_blank(self) -> bool:
        return len(self._lines.taken) == 1 and not self._lines.taken[0].text.strip(" \r\n")

    def _find_delimiter(self) -> str:
        while (line := self._lines.peek()) and not line.text.strip(" \r\n"):
            self._lines.skip()
        if line is None:
            raise unreadable("The file has no header.")
        if named := SEPARATOR_LINE.fullmatch(line.text):
            self._lines.skip()
            return named.group(1)
        return max(DELIMITERS, key=lambda delimiter: _count_fields(line.text, delimiter))

    def _read_header(self) -> list[str]:
        self._lines.begin_record()
        try:
            names = next(self._csv)
        except (StopIteration, csv.Error, _RecordTooLongError) as error:
            raise unreadable("The header of the file is not well-formed CSV.") from error
        header = "".join(names)
        if "\x00" in header or UNDECODABLE.search(header):
            raise unreadable("The header of the file contains a NUL character or invalid bytes.")
        if len(names) > MAX_FIELDS or any(len(name) > MAX_NAME_CHARACTERS for name in names):
            raise unreadable(
                f"The header has over {MAX_FIELDS} fields or a name of over {MAX_NAME_CHARACTERS} characters."
            )
        return field_names(names)


def field_names(header: list[str]) -> list[str]:
    """Makes each name of a header non-empty and unique. Names that are both already stay unchanged."""
    trimmed = [
        name.strip().lstrip("\ufeff") or f"column_{position}" for position, name in enumerate(header, 1)
    ]
    names: dict[str, None] = {}
    for name in trimmed:
        unique, copy = name, 1
        while unique in names or (copy > 1 and unique in trimmed):
            copy += 1
            unique = f"{name}_{copy}"
        names[unique] = None
    return list(names)


def _count_fields(header: str, delimiter: str) -> int:
    # Not strict, because a quoted name may span several lines and this is only the first.
    return len(next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter), []))


def _too_large(number: int, line: int, raw: str) -> Row:
    return reject(
        number, line, "record_too_large", f"The record is larger than {MAX_RECORD_BYTES:,} bytes.", raw
    )
