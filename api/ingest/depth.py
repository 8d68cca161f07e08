"""How deeply JSON may be nested: what PostgreSQL takes in may be more than a reader gives back."""

from typing import Final

MAX_DEPTH: Final = 100


def is_too_deep(data: object) -> bool:
    """Whether objects and lists are nested more than 100 levels; without recursion, for it may be any
    number.
    """
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def may_be_too_deep(text: str) -> bool:
    """A look at the text that costs little, and passes nearly all records."""
    return text.count("[") + text.count("{") > MAX_DEPTH
