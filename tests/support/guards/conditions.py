"""Takes single parts out of policies' conditions, as the catalogue prints them."""

from __future__ import annotations

import re
from collections.abc import Iterator


def weakened(condition: str) -> Iterator[tuple[str, str]]:
    """Yields (the part, the condition without it) for each part of an `and` that reads the caller.

    A condition that is a single comparison is taken out whole.
    """
    bare = _bare(condition)
    if len(_split(bare, "AND")) == len(_split(bare, "OR")) == 1:
        yield _short(bare), "true"
    yield from _weakened(bare)


def _weakened(condition: str) -> Iterator[tuple[str, str]]:
    for operator in ("AND", "OR"):
        parts = _split(condition, operator)
        if len(parts) < 2:
            continue
        for index, part in enumerate(parts):
            bare = _bare(part)
            if operator == "AND" and "caller_" in part:
                yield _short(bare), _join([*parts[:index], "true", *parts[index + 1 :]], operator)
            for what, rest in _weakened(bare):
                yield what, _join([*parts[:index], f"({rest})", *parts[index + 1 :]], operator)
        return


def _split(condition: str, operator: str) -> list[str]:
    """The operands of the operator at the outermost level."""
    parts, depth, start, index = [], 0, 0, 0
    token = f" {operator} "
    while index < len(condition):
        depth += {"(": 1, ")": -1}.get(condition[index], 0)
        if depth == 0 and condition.startswith(token, index):
            parts.append(condition[start:index])
            index += len(token)
            start = index
            continue
        index += 1
    return [*parts, condition[start:]]


def _bare(condition: str) -> str:
    """The condition without the parentheses around all of it."""
    condition = condition.strip()
    while condition.startswith("(") and _closes_at_the_end(condition):
        condition = condition[1:-1].strip()
    return condition


def _closes_at_the_end(condition: str) -> bool:
    depth = 0
    for index, character in enumerate(condition):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return index == len(condition) - 1
    return False


def _join(parts: list[str], operator: str) -> str:
    return f" {operator} ".join(parts)


def _short(condition: str) -> str:
    """The condition roughly as the migrations write it, so that it can be found there."""
    return re.sub(r"\(? ?SELECT private\.(\w+)\(\) AS \w+\)?", r"\1()", condition).replace(
        "'::user_role", "'"
    )
