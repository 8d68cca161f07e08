"""NDJSON → rows: one JSON object a line. Blank lines are skipped.

The text of the line becomes the data of the record. A line is rejected if the steps would change one of its
numbers.
"""

import itertools
import json
import re
from collections.abc import Iterator
from typing import IO, NoReturn

from api.ingest.numbers import exact_int, finite_float
from api.ingest.rows import MAX_FIELDS, MAX_RECORD_BYTES, UNDECODABLE, Line, LineReader, Row, accept, reject
from api.ingest.scan import Scan

# The escapes of NUL and of surrogates, which jsonb cannot hold.
SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class NdjsonRows:
    """Iterates over the rows. `fields` grows: the names in first-seen order, at most 2,000."""

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
            message = "The line contains bytes that are invalid in the encoding of the file."
            return reject(number, line.number, "undecodable_text", message, text)
        try:
            data = json.loads(
                text, parse_float=finite_float, parse_int=exact_int, parse_constant=_refuse_constant
            )
            if SUSPECT_ESCAPE.search(text):
                _refuse_unstorable(data)
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            return reject(number, line.number, "invalid_json", f"The line is not valid JSON: {reason}.", text)
        if not isinstance(data, dict):
            return reject(number, line.number, "not_an_object", "The line is JSON but not an object.", text)
        if len(self._fields) < MAX_FIELDS:
            self._fields.update(dict.fromkeys(data))
        return accept(number, text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse_unstorable(data: object) -> None:
    text = json.dumps(data, ensure_ascii=False)
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("it contains a NUL character")
    if UNDECODABLE.search(text):
        raise ValueError("it contains half a surrogate pair")
