"""NDJSON → rows: one JSON object a line. Blank lines are skipped.

The line itself becomes the record's data. A number that the steps, which count in doubles, would change
silently is refused: an integer beyond 2^53, an id more often than an amount, and whatever is out of range.
"""

import itertools
import json
import math
import re
from collections.abc import Iterator
from typing import IO, NoReturn

from api.ingest.rows import MAX_FIELDS, MAX_RECORD_BYTES, UNDECODABLE, Line, LineReader, Row, accept, reject
from api.ingest.scan import Scan

# What may turn into a character that jsonb cannot hold: the escapes of NUL and of surrogates.
MAX_EXACT_INTEGER = 2**53 - 1
SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class NdjsonRows:
    """Iterates the rows. `fields` grows: names in the order they are first seen, at most 2,000 of them."""

    def __init__(self, text: IO[str], scan: Scan) -> None:
        self._may_be_undecodable = scan.errors != "strict"
        self._lines = LineReader(text)
        self._fields: dict[str, None] = {}

    @property
    def fields(self) -> list[str]:
        return list(self._fields)[:MAX_FIELDS]

    def __iter__(self) -> Iterator[Row]:
        row_number = itertools.count(1)
        while line := self._lines.next():
            if line.too_long or line.text.strip():
                yield self._row(next(row_number), line)

    def _row(self, number: int, line: Line) -> Row:
        text = line.text.strip()
        if line.too_long or len(text.encode("utf-8", "surrogatepass")) > MAX_RECORD_BYTES:
            message = f"The record is larger than {MAX_RECORD_BYTES:,} bytes."
            return reject(number, line.number, "record_too_large", message, text)
        if self._may_be_undecodable and UNDECODABLE.search(text):
            message = "The line contains bytes that are not text in the file's encoding."
            return reject(number, line.number, "undecodable_text", message, text)
        try:
            data = json.loads(
                text, parse_float=_finite_float, parse_int=_exact_int, parse_constant=_refuse_constant
            )
            if SUSPECT_ESCAPE.search(text):
                _refuse_unstorable(data)
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            return reject(number, line.number, "invalid_json", f"The line is not valid JSON: {reason}.", text)
        if not isinstance(data, dict):
            return reject(number, line.number, "not_an_object", "The line is JSON, but not an object.", text)
        if len(self._fields) < MAX_FIELDS:
            self._fields.update(dict.fromkeys(data))
        return accept(number, text)


def _finite_float(digits: str) -> float:
    """A number beyond a double's range (1e400) would become infinite in the first step that reads it."""
    number = float(digits)
    # jsonb keeps 16,383 digits after the point, so what a double takes for nothing may be refused later.
    if math.isinf(number) or (number == 0 and re.search("[1-9]", digits.lower().partition("e")[0])):
        raise ValueError(f"the number {digits[:40]} is out of range")
    return number


def _exact_int(digits: str) -> int:
    number = int(digits) if len(digits) <= len(str(-MAX_EXACT_INTEGER)) else math.inf
    if abs(number) > MAX_EXACT_INTEGER:
        raise ValueError(f"the integer {digits[:40]} is beyond 2^53 and would lose digits; write it as text")
    return int(number)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse_unstorable(data: object) -> None:
    text = json.dumps(data, ensure_ascii=False)
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("it contains a NUL character")
    if UNDECODABLE.search(text):
        raise ValueError("it contains half a surrogate pair")
