"""Checks a step's condition (`run_if`) when its blueprint is saved: CEL, the Common Expression Language.

The parser and the type checker are those of the CEL project. The tasks evaluate the condition with another
implementation; `tests/shared/run_if.json` makes sure that both agree.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from cel_expr_python import cel

from api.cel_tree import iterations

MAX_COMPREHENSIONS = 4

# The first fault: `<input>:line:column: reason`.
_PLACE = re.compile(r"<input>:(\d+):(\d+): (.+)")
_NOISE = re.compile(r" \(in container ''\)| expecting \{.*|^Syntax error: ")
# The calls that go through a list.
_MACRO = re.compile(r"\b(?:all|exists|exists_one|filter|map)\b")


@dataclass(frozen=True)
class Fault:
    """Why a condition cannot be used. `line` and `column` count from 1, and are 1 if unknown."""

    reason: str
    line: int = 1
    column: int = 1

    def as_details(self) -> dict[str, Any]:
        return {"reason": self.reason, "line": self.line, "column": self.column}


@cache
def environment() -> cel.Env:
    """The variables of a condition. No clock and no randomness: the same records give the same answer."""
    row = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.NewEnv(variables={"record": row, "run": row, "steps": cel.Type.DYN})


def find_fault(expression: str) -> Fault | None:
    """The first fault of a condition, or None when it can be saved."""
    try:
        compiled = environment().compile(expression)
    except RuntimeError as error:
        return _fault_of(str(error))
    if compiled.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        return Fault(f"The result is {compiled.return_type().name()}; a condition must give true or false.")
    return _excess_of(expression, compiled)


def _fault_of(message: str) -> Fault:
    found = _PLACE.search(message)
    if found is None:
        return Fault("The condition cannot be parsed.")
    line, column, reason = found.groups()
    # The checker reports column 0 for a fault that it cannot locate.
    return Fault(_NOISE.sub("", reason), int(line), max(1, int(column)))


def _excess_of(expression: str, compiled: cel.Expression) -> Fault | None:
    """Refuses nested iterations, since each multiplies the cost by the length of its list, and too many."""
    if not _MACRO.search(expression):
        return None
    for count, iteration in enumerate(iterations(compiled.serialize()), start=1):
        place = _place_of(expression, iteration.offset)
        if iteration.is_nested:
            return Fault("It iterates over a list within a list.", *place)
        if count > MAX_COMPREHENSIONS:
            return Fault(f"It iterates over lists more than {MAX_COMPREHENSIONS} times.", *place)
    return None


def _place_of(expression: str, offset: int) -> tuple[int, int]:
    before = expression[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
