"""What was done to a file so that it could be read: counts, and the first cells with bytes that are no
text.
"""

from collections import Counter
from typing import Any

MAX_NOTED_CELLS = 20
MAX_NAME_CHARACTERS = 100


class Notes:
    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._cells: list[dict[str, Any]] = []
        self.undecodable_rows = 0

    def add(self, what: str, count: int = 1) -> None:
        self._counts[what] += count

    def add_undecodable(self, row: int, line: int, columns: list[str]) -> None:
        """The cells stay as they are, with U+FFFD for what could not be read."""
        self.undecodable_rows += 1
        self.add("undecodable_cells", len(columns))
        room = MAX_NOTED_CELLS - len(self._cells)
        self._cells += [
            {"row": row, "line": line, "column": column[:MAX_NAME_CHARACTERS]} for column in columns[:room]
        ]

    def counts(self) -> dict[str, int]:
        return {what: count for what, count in sorted(self._counts.items()) if count}

    def cells(self) -> list[dict[str, Any]]:
        return self._cells
