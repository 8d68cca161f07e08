"""What each column of a file holds, counted a batch at a time while the file is read."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# Rows are counted a batch at a time, for so much of records.
PROFILE_BYTES = 500_000
# With the separators that people use: 1,234.56 and 1.234,56 and 1 234,56 and 1'234.
NUMBER = re.compile(
    r"[+-]?(?:\d+(?:[.,]\d+)?(?:[eE][+-]?\d{1,3})?"
    r"|\d{1,3}(?:([.,'’ \u00a0\u202f])\d{3})(?:\1\d{3})*(?:[.,]\d+)?)"
)


@dataclass(slots=True)
class ColumnProfile:
    """Of the values: `filled` are not blank, `capitals` and `lower_case` have letters of that case only,
    `numeric` are numbers.
    """

    name: str
    filled: int = 0
    capitals: int = 0
    lower_case: int = 0
    numeric: int = 0

    def add(self, values: Sequence[str]) -> None:
        filled = list(filter(None, map(str.strip, values)))
        self.filled += len(filled)
        self.capitals += sum(map(str.isupper, filled))
        self.lower_case += sum(map(str.islower, filled))
        # Only what begins like a number is looked at closely.
        self.numeric += sum(
            1
            for value in filled
            if value[0] in "0123456789+-" and len(value) <= 40 and NUMBER.fullmatch(value)
        )


class TableProfile:
    """Of rows with the same columns."""

    def __init__(self, names: Iterable[str]) -> None:
        self.columns = [ColumnProfile(name) for name in names]

    def add(self, rows: Sequence[Sequence[str]]) -> None:
        for column, values in zip(self.columns, zip(*rows, strict=False), strict=False):
            column.add(values)

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(column) for column in self.columns]


class RecordProfile:
    """Of JSON objects: the columns are the fields, in the order they are first seen, at most `max_columns`
    of them.
    """

    def __init__(self, max_columns: int, max_name_characters: int) -> None:
        self._max_columns = max_columns
        self._max_name_characters = max_name_characters
        self._columns: dict[str, ColumnProfile] = {}

    def add(self, records: Iterable[dict[str, Any]]) -> None:
        values: dict[str, list[Any]] = {}
        for record in records:
            for name, value in record.items():
                values.setdefault(name, []).append(value)
        for name, of_field in values.items():
            if column := self._column(name):
                _add_json_values(column, of_field)

    def _column(self, name: str) -> ColumnProfile | None:
        column = self._columns.get(name)
        if (
            column is None
            and len(self._columns) < self._max_columns
            and 1 <= len(name) <= self._max_name_characters
        ):
            column = self._columns[name] = ColumnProfile(name)
        return column

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(column) for column in self._columns.values()]


def _add_json_values(column: ColumnProfile, values: list[Any]) -> None:
    texts = [value for value in values if isinstance(value, str)]
    column.add(texts)
    if len(texts) == len(values):
        return
    others = [value for value in values if value is not None and not isinstance(value, str)]
    column.filled += len(others)
    column.numeric += sum(isinstance(value, int | float) and not isinstance(value, bool) for value in others)
