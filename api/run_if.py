"""Checks a step's condition (`run_if`) when its blueprint is saved: CEL, the Common Expression Language.

The parser and type checker are those of the CEL project itself. The tasks evaluate the same text with another
implementation; `tests/shared/run_if.json` holds both to one meaning.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from cel_expr_python import cel

MAX_COMPREHENSIONS = 4

# `<input>:line:column: reason`, the first of several.
_PLACE = re.compile(r"<input>:(\d+):(\d+): (.+)")
_NOISE = re.compile(r" \(in container ''\)| expecting \{.*|^Syntax error: ")
# Text, comments, and the calls that go through a list.
_TOKEN = re.compile(
    r"""
    (?P<text>
        \"{3}(?:\\.|[^\\])*?\"{3} | '{3}(?:\\.|[^\\])*?'{3} | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    )
  | (?P<comment>//[^\n]*)
  | (?P<macro>\.\s*(?:all|exists|exists_one|map|filter)\s*\()
  | (?P<open>\() | (?P<close>\))
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Fault:
    """Why a condition cannot be used; line and column count from 1 and 1 if unknown."""

    reason: str
    line: int = 1
    column: int = 1

    def as_details(self) -> dict[str, Any]:
        return {"reason": self.reason, "line": self.line, "column": self.column}


@cache
def environment() -> cel.Env:
    """What a condition may name. There is no clock and nothing random: the same records, the same answers."""
    row = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.NewEnv(variables={"record": row, "run": row, "steps": cel.Type.DYN})


def find_fault(expression: str) -> Fault | None:
    """The first fault of a condition, or None when it can be saved."""
    try:
        compiled = environment().compile(expression)
    except RuntimeError as error:
        return _fault_of(str(error))
    if compiled.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        return Fault(f"It gives {compiled.return_type().name()}; a condition gives true or false.")
    return _excess_of(expression)


def _fault_of(message: str) -> Fault:
    found = _PLACE.search(message)
    if found is None:
        return Fault("It cannot be read.")
    line, column, reason = found.groups()
    # The checker counts columns to the end of a name's dot; what it cannot place is at 0.
    return Fault(_NOISE.sub("", reason), int(line), max(1, int(column)))


def _excess_of(expression: str) -> Fault | None:
    """A list in a list makes a condition cost its length times its length, and more with each further one."""
    count, within = 0, list[bool]()
    for token in _TOKEN.finditer(expression):
        if token["macro"]:
            count += 1
            if any(within):
                return Fault("It goes through a list within a list.", *_place_of(expression, token.start()))
            if count > MAX_COMPREHENSIONS:
                reason = f"It goes through lists more than {MAX_COMPREHENSIONS} times."
                return Fault(reason, *_place_of(expression, token.start()))
            within.append(True)
        elif token["open"]:
            within.append(False)
        elif token["close"] and within:
            within.pop()
    return None


def _place_of(expression: str, offset: int) -> tuple[int, int]:
    before = expression[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
