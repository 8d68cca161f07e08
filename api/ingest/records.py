"""Physical lines → the fields of each CSV record, with the lines that it took.

The csv module reads; this keeps the lines of the record in progress, so that a record that is not
well-formed costs only the line it began on: reading resumes at the next one.
"""

import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from api.ingest.lines import Lines
from api.ingest.refusal import unreadable
from api.ingest.rows import MAX_RECORD_BYTES

# A file made for it could have every line read a megabyte further in vain: this much in all is enough for
# an honest one.
MAX_REREAD_CHARACTERS = 64_000_000
# Small, for what was handed out beyond a malformed record is handed out again.
LINES_AT_ONCE = 256

# The module's limit is one for the process; a record's own limit is what counts here.
csv.field_size_limit(MAX_RECORD_BYTES + 1)


class _RecordTooLongError(Exception):
    """The lines taken for one record exceed what a record may have."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """The first line of a record that could not be read, and why."""

    line: str
    problem: str
    is_too_long: bool = False


class Records:
    """Gives lists of fields (empty for a blank line) and Malformed; `line`, `end` and `raw` are of the last
    one.
    """

    def __init__(self, lines: Iterator[Lines]) -> None:
        self._lines = lines
        self._window: list[str] = []
        # The number of the line before the first of the window.
        self._base = 0
        self._too_long: set[int] = set()
        self._reread = 0
        self.line = 0
        self.end = 0
        self.nul_count = 0
        self.needs_care = False

    def peek(self) -> list[str]:
        """The first lines that `read` may begin with: a few hundred thousand characters."""
        if not self._window:
            self._take_more()
        return self._window

    def skip_peeked(self) -> int:
        """Drops the lines that `peek` gave; returns how many they were."""
        count = len(self._window)
        self._window.clear()
        self._base += count
        return count

    def read(
        self, first: int, delimiter: str, *, skips_initial_space: bool
    ) -> Iterator[list[str] | Malformed]:
        """Reads on from the `first` of the lines that `peek` gives, counted from 0."""
        self.end = self._base + first
        while True:
            offset = self.end
            reader = csv.reader(
                itertools.chain.from_iterable(self._feed()),
                delimiter=delimiter,
                strict=True,
                skipinitialspace=skips_initial_space,
            )
            try:
                for fields in reader:
                    self.line, self.end = self.end + 1, offset + reader.line_num
                    yield fields
                return
            except csv.Error as error:
                problem = str(error)
            except _RecordTooLongError:
                problem = "a quoted field is not closed within the size of a record"
            yield self._give_up(problem, offset + reader.line_num)

    @property
    def raw(self) -> str:
        return "".join(self._window[self.line - 1 - self._base : self.end - self._base])

    def _feed(self) -> Iterator[list[str]]:
        """Lists of lines from the one after `end` on, which stop before a line that is too long."""
        position = self.end
        while True:
            while lines := self._window[position - self._base : position - self._base + LINES_AT_ONCE]:
                if self._too_long and (stop := self._stop_within(position, len(lines))) is not None:
                    yield lines[: stop - position]
                    raise _RecordTooLongError
                yield lines
                position += len(lines)
            in_progress = sum(map(len, self._window[self.end - self._base :]))
            if not self._take_more():
                return
            if in_progress > MAX_RECORD_BYTES:
                raise _RecordTooLongError

    def _take_more(self) -> bool:
        found = next(self._lines, None)
        if found is None:
            return False
        del self._window[: self.end - self._base]
        self._base = max(self._base, self.end)
        self.needs_care = found.needs_care or (bool(self._window) and self.needs_care)
        self._window += found.texts
        self.nul_count += found.nul_count
        if found.too_long:
            self._too_long.add(self._base + len(self._window))
        return True

    def _stop_within(self, position: int, count: int) -> int | None:
        return min((line - 1 for line in self._too_long if position < line <= position + count), default=None)

    def _give_up(self, problem: str, taken: int) -> Malformed:
        """The record in progress costs its first line; the others that it took are read once more."""
        first = self.end - self._base
        self._reread += sum(map(len, self._window[first + 1 : taken - self._base]))
        if self._reread > MAX_REREAD_CHARACTERS:
            raise unreadable("The file has too many quoted fields that are never closed.")
        self.line = self.end = self.end + 1
        return Malformed(self._window[first], problem, is_too_long=self.line in self._too_long)
