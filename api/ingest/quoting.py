"""Lines whose quotes do not follow RFC 4180, and what can be read from them without a guess."""

import csv
import re
from functools import cache

GUARD = re.compile(r'="((?:[^"]|"")*)"', re.DOTALL)


def repair(line: str, delimiter: str, width: int) -> list[str] | None:
    """The fields of one line whose quoted values hold quotes that are not doubled; None when that is
    ambiguous.

    A quote closes its value where a delimiter or the end of the line follows. Read so, a line falls into as
    many fields as it can: when these are as many as the header has, no other reading fits.
    """
    fields: list[str] = []
    pattern = _field(delimiter)
    text = line.rstrip("\r\n")
    position = 0
    while (found := pattern.match(text, position)) and len(fields) <= width:
        quoted, plain, end = found.group("quoted", "plain", "end")
        if quoted is None and plain.lstrip(" ").startswith('"'):
            return None
        fields.append(_unescape(quoted) if quoted is not None else plain)
        position = found.end()
        if not end:
            return fields if len(fields) == width else None
    return None


def unwrap(values: list[str], line: str, delimiter: str) -> list[str] | None:
    """The fields of a line that is quoted whole, as `"Acme,US,Boston"`; None when it is not."""
    if not values or any(value.strip() for value in values[1:]):
        return None
    inner = values[0]
    if delimiter not in inner or not line.lstrip("\ufeff ").startswith('"'):
        return None
    try:
        (fields,) = csv.reader([inner], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        return None
    return fields if len(fields) > 1 else None


def unguard(value: str) -> str:
    """The text inside `="…"`, which keeps spreadsheet programs from taking text for a number."""
    found = GUARD.fullmatch(value.strip())
    return found[1].replace('""', '"') if found else value


def _unescape(quoted: str) -> str:
    return quoted.replace('""', '"').replace('\\"', '"')


@cache
def _field(delimiter: str) -> re.Pattern[str]:
    edge = re.escape(delimiter)
    return re.compile(rf'(?: *"(?P<quoted>.*?)" *(?={edge}|$)|(?P<plain>[^{edge}]*))(?P<end>{edge}|$)')
