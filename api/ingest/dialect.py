"""How a CSV file is written, found out from its first lines: delimiter, quotes, lines above the header."""

import csv
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from api.ingest.header import SAMPLE_ROWS, find_header, is_usual_name
from api.ingest.job import ReadOptions
from api.ingest.quoting import unwrap

DELIMITERS = ",;\t|"
# Stands for no delimiter at all, in a file of one column: a character that no text has.
NO_DELIMITER = "\U0010ffff"
# The score from which on a file has several columns.
MIN_SCORE = 0.1
# A first line that falls into fields is nearly always the header: then the rows may be as they like.
SHARE_UNDER_HEADER = 0.2
SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=(.)"?[,;\t| ]*[\r\n]*', re.IGNORECASE)
MAX_SAMPLE_LINES = 400


@dataclass(frozen=True, slots=True)
class Dialect:
    """`first_line`, counted from 0, is that of the header, or of the first row in a file without one."""

    delimiter: str
    skips_initial_space: bool
    first_line: int

    @property
    def shown_delimiter(self) -> str | None:
        return None if self.delimiter == NO_DELIMITER else self.delimiter


def is_blank(line: str) -> bool:
    return not line.strip(" \r\n\ufeff")


def find_dialect(lines: Sequence[str], options: ReadOptions, skipped: int) -> Dialect:
    """`lines` are the first of the file, but for as many blank ones as were skipped."""
    start = _skip_blank(lines, max(0, (options.skip_lines or 0) - skipped))
    named = SEPARATOR_LINE.fullmatch(lines[start]) if start < len(lines) else None
    if named:
        start = _skip_blank(lines, start + 1)
    sample = lines[start : start + MAX_SAMPLE_LINES]
    delimiter = options.delimiter or (named[1] if named else _find_delimiter(sample))
    edge = re.escape(delimiter)
    spaced = re.compile(rf'(?:^|{edge}) +"[^"]*"(?: *{edge}| *$)')
    skips_space = any(' "' in line and spaced.search(line.rstrip("\r\n")) for line in sample)
    dialect = Dialect(delimiter, skips_space, start)
    if options.header is not None or options.skip_lines is not None:
        return dialect
    rows = read_sample(sample, dialect)
    if not rows:
        return dialect
    index = find_header([row.cells for row in rows])
    return replace(dialect, first_line=start + rows[index].line)


def _skip_blank(lines: Sequence[str], start: int) -> int:
    while start < len(lines) and is_blank(lines[start]):
        start += 1
    return start


@dataclass(frozen=True, slots=True)
class SampleRow:
    """`line` is counted from 0."""

    line: int
    cells: list[str]


def read_sample(lines: Sequence[str], dialect: Dialect) -> list[SampleRow]:
    """The first rows that are not blank, read leniently; a line quoted whole counts as what is inside."""
    rows: list[SampleRow] = []
    inner: list[list[str] | None] = []
    lines = lines[:MAX_SAMPLE_LINES]
    delimiter = dialect.delimiter
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=dialect.skips_initial_space)
    line = 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(SampleRow(line, cells))
                inner.append(unwrap(cells, lines[line], delimiter))
            line = reader.line_num
            if len(rows) >= SAMPLE_ROWS:
                break
    except csv.Error:
        pass
    if not any(inner):
        return rows
    # A title may be quoted whole as well: what falls into as many fields as most rows is a row.
    widths = Counter(len(found or row.cells) for row, found in zip(rows, inner, strict=True))
    width = max(widths, key=lambda width: (widths[width], width))
    return [
        replace(row, cells=found) if found and len(found) == width else row
        for row, found in zip(rows, inner, strict=True)
    ]


def _find_delimiter(lines: Sequence[str]) -> str:
    scores = {delimiter: _score(lines, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: scores[delimiter])
    if scores[best] >= MIN_SCORE:
        return best
    return next((one for one in DELIMITERS if _ends_every_line(lines, one)), NO_DELIMITER)


def _score(lines: Sequence[str], delimiter: str) -> float:
    """High when most rows have the same number of fields, and many of them; titles above count little."""
    rows = [row.cells for row in read_sample(lines, Dialect(delimiter, True, 0))]
    titles = next((index for index, cells in enumerate(rows) if len(cells) > 1), len(rows))
    widths = [len(cells) for cells in rows[titles:]]
    several = Counter(width for width in widths if width > 1)
    if not several or (titles and _is_one_column(rows[0][0], lines, delimiter)):
        return 0.0
    width, times = max(several.items(), key=lambda item: (item[1], item[0]))
    share = times / len(widths) * several.total() / len(widths)
    share = 0.5 * share * len(widths) / len(rows) if titles else max(share, SHARE_UNDER_HEADER)
    return share * (1 + 0.1 * math.log2(width))


def _is_one_column(first: str, lines: Sequence[str], delimiter: str) -> bool:
    """A usual name alone above values with commas in them, such as `Acme, Inc.`, is no title."""
    if is_usual_name(first):
        return True
    return delimiter == "," and all(", " in line for line in lines if "," in line)


def _ends_every_line(lines: Sequence[str], delimiter: str) -> bool:
    filled = [line.rstrip("\r\n") for line in lines if not is_blank(line)]
    return len(filled) > 1 and all(line.endswith(delimiter) for line in filled[1:])
