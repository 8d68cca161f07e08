"""Finds numbers that the steps would change, because they compute in doubles. Such a number is usually an id.

`private.check_numbers` checks records again, and accepts all that passes here.
"""

import math
import re
from collections.abc import Iterable
from decimal import Decimal

MAX_EXACT_INTEGER = 2**53 - 1


def exact_int(digits: str) -> int:
    """A hook for the JSON parser; raises ValueError beyond 2^53."""
    number = int(digits) if len(digits) <= len(str(-MAX_EXACT_INTEGER)) else math.inf
    if abs(number) > MAX_EXACT_INTEGER:
        raise ValueError(f"the integer {digits[:40]} is beyond 2^53 and would lose digits: write it as text")
    return int(number)


def finite_float(digits: str) -> float:
    """A hook for the JSON parser; raises ValueError for a number that overflows or loses integer digits.

    A number beyond the range (1e400) would become infinite in the first step that reads it.
    """
    number = float(digits)
    # A double rounds 1e-20000 to 0, but jsonb, which keeps 16,383 digits after the point, would refuse it
    # later.
    if math.isinf(number) or (number == 0 and re.search("[1-9]", digits.lower().partition("e")[0])):
        raise ValueError(f"the number {digits[:40]} is out of range")
    if abs(number) > MAX_EXACT_INTEGER and Decimal(digits) != Decimal(repr(number)):
        raise ValueError(f"the number {digits[:40]} is beyond 2^53 and would lose digits: write it as text")
    return number


def changing_field(data: dict[str, object]) -> str | None:
    """The first field of a parsed record that holds, at any depth, a number that would change."""
    if not _changes(data.values()):
        return None
    return next(field for field, value in data.items() if _changes((value,)))


def _changes(values: Iterable[object]) -> bool:
    """Uses no recursion, because only the JSON parser limits the depth of a body."""
    rest: list[Iterable[object]] = [values]
    while rest:
        for value in rest.pop():
            if isinstance(value, str):
                continue
            if isinstance(value, int):
                if not -MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER:
                    return True
            elif isinstance(value, float):
                if math.isinf(value):
                    return True
            elif isinstance(value, dict):
                rest.append(value.values())
            elif isinstance(value, list):
                rest.append(value)
    return False
