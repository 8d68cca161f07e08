"""NDJSON → rows: one JSON object a line. Blank lines are skipped.

The line itself becomes the record's data. A number that the steps would change silently is refused.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from api.ingest.depth import MAX_DEPTH, is_too_deep, may_be_too_deep
from api.ingest.job import ReadJob
from api.ingest.lines import Lines
from api.ingest.notes import Notes
from api.ingest.numbers import exact_int, finite_float
from api.ingest.plausibility import REPLACEMENT
from api.ingest.profile import PROFILE_BYTES, RecordProfile
from api.ingest.refusal import too_large, unreadable
from api.ingest.rows import (
    MAX_FIELDS,
    MAX_NAME_CHARACTERS,
    MAX_RECORD_BYTES,
    Row,
    accept,
    reject,
    reject_too_large,
)

# What may turn into a character that jsonb cannot hold: the escapes of NUL and of surrogates.
SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
SURROGATE = re.compile("[\ud800-\udfff]")


class NdjsonRows:
    """Iterates the rows. `fields` grows: names in the order they are first seen, at most 2,000 of them."""

    def __init__(self, lines: Iterator[Lines], job: ReadJob) -> None:
        self._lines = lines
        self._limits = job.limits
        self._notes = Notes()
        self._fields: dict[str, None] = {}
        self._profile = RecordProfile(MAX_FIELDS, MAX_NAME_CHARACTERS)
        self._unprofiled: list[dict[str, Any]] = []
        self._unprofiled_size = 0
        self._nul_count = 0

    @property
    def fields(self) -> list[str]:
        return list(self._fields)[:MAX_FIELDS]

    @property
    def undecodable_rows(self) -> int:
        return self._notes.undecodable_rows

    def columns(self) -> list[dict[str, Any]]:
        self._update_profile()
        return self._profile.as_json()

    def read_as(self) -> dict[str, Any]:
        self._notes.add("nul_characters", self._nul_count)
        return {
            "format": "ndjson",
            "delimiter": None,
            "skipped_lines": 0,
            "header": None,
            "sheet": None,
            "notes": self._notes.counts(),
            "noted_cells": self._notes.cells(),
        }

    def __iter__(self) -> Iterator[Row]:
        number = line = blank_lines = 0
        for lines in self._lines:
            self._nul_count += lines.nul_count
            for text in lines.texts:
                line += 1
                if text.isspace():
                    blank_lines += 1
                    continue
                number += 1
                yield self._row(number, line, text.strip("\ufeff \t\r\n"), lines)
            if number > self._limits.max_rows:
                limit = self._limits.max_rows
                raise too_large(f"The file has more than {limit:,} rows. Split it.", limit_rows=limit)
            if blank_lines > self._limits.max_blank_lines:
                limit = self._limits.max_blank_lines
                raise unreadable(f"The file has more than {limit:,} blank lines.", limit_blank_lines=limit)

    def _row(self, number: int, line: int, text: str, lines: Lines) -> Row:
        if lines.too_long or len(text.encode()) > MAX_RECORD_BYTES:
            return reject_too_large(number, line, text)
        try:
            data = json.loads(
                text, parse_float=finite_float, parse_int=exact_int, parse_constant=_refuse_constant
            )
            if SUSPECT_ESCAPE.search(text):
                _refuse_unstorable(data)
        except (ValueError, RecursionError) as error:
            if isinstance(error, RecursionError):
                return _reject_depth(number, line, text)
            return reject(number, line, "invalid_json", f"The line is not valid JSON: {error}.", text)
        if not isinstance(data, dict):
            return reject(number, line, "not_an_object", "The line is JSON, but not an object.", text)
        if may_be_too_deep(text) and is_too_deep(data):
            return _reject_depth(number, line, text)
        if lines.needs_care and REPLACEMENT in text:
            named = [name for name, value in data.items() if REPLACEMENT in f"{name}{value}"]
            self._notes.add_undecodable(number, line, named)
        self._remember(data, len(text))
        return accept(number, text)

    def _remember(self, data: dict[str, Any], size: int) -> None:
        if len(self._fields) < MAX_FIELDS:
            self._fields.update((name, None) for name in data if len(name) <= MAX_NAME_CHARACTERS)
        self._unprofiled.append(data)
        self._unprofiled_size += size
        if self._unprofiled_size > PROFILE_BYTES:
            self._update_profile()

    def _update_profile(self) -> None:
        self._profile.add(self._unprofiled)
        self._unprofiled = []
        self._unprofiled_size = 0


def _reject_depth(number: int, line: int, text: str) -> Row:
    message = f"The record is nested more than {MAX_DEPTH} levels deep."
    return reject(number, line, "nested_too_deeply", message, text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse_unstorable(data: object) -> None:
    text = json.dumps(data, ensure_ascii=False)
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("it contains a NUL character")
    if SURROGATE.search(text):
        raise ValueError("it contains half a surrogate pair")
