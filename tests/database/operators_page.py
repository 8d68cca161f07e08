"""Reads the SQL and the outputs in docs/operators.md, and prints what psql would print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from local.settings import ROOT
from tests.support.sql_client import Connection

PAGE = ROOT / "docs" / "operators.md"

_EXAMPLE = re.compile(r"^```sql\n(.*?)^```\n\n```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NUMBERS = {20, 21, 23, 1700}  # psql aligns these types to the right: bigint, smallint, int, numeric
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_TRACE = re.compile(r"\b[0-9a-f]{32}\b")
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d(?: \d\d:\d\d(?::\d\d)?)?")


@dataclass(frozen=True)
class Example:
    section: str
    statement: str
    output: str


def examples(page: str) -> Iterator[Example]:
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0]
        for found in _EXAMPLE.finditer(section):
            yield Example(title, found[1], found[2])


def with_outputs(page: str, outputs: list[str]) -> str:
    """The page with the given outputs, one for each example."""
    given = iter(outputs)
    return _EXAMPLE.sub(lambda found: f"```sql\n{found[1]}```\n\n```\n{next(given)}```", page)


def run(connection: Connection, statement: str) -> str:
    """The text that psql prints for the statement or its error."""
    try:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(statement.encode())
            return _table(cursor)
    except psycopg.Error as error:
        hint = f"HINT:  {error.diag.message_hint}\n" if error.diag.message_hint else ""
        return f"ERROR:  {error.diag.message_primary}\n{hint}"


def masked(output: str, arranged: set[str]) -> str:
    """The output without what differs from run to run: times, traces, and all ids but the arranged ones."""
    known = _UUID.sub(lambda found: found[0] if found[0] in arranged else "x" * len(found[0]), output)
    known = _TRACE.sub(lambda found: "x" * len(found[0]), known)
    return _TIME.sub(lambda found: re.sub(r"\d", "9", found[0]), known)


def _table(cursor: psycopg.Cursor[tuple[object, ...]]) -> str:
    assert cursor.description is not None
    assert cursor.pgresult is not None
    result = cursor.pgresult
    rows = [
        [(result.get_value(row, column) or b"").decode() for column in range(result.nfields)]
        for row in range(result.ntuples)
    ]
    names = [column.name for column in cursor.description]
    is_number = [column.type_code in _NUMBERS for column in cursor.description]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    header = " | ".join(_centered(name, width) for name, width in zip(names, widths, strict=True))
    lines = [
        " | ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, is_number, strict=True)
        )
        for row in rows
    ]
    rule = "-+-".join("-" * width for width in widths)
    footer = f"({len(rows)} row{'' if len(rows) == 1 else 's'})"
    body = [f" {header}", f"-{rule}-", *(f" {line}" for line in lines), footer]
    return "".join(f"{line.rstrip()}\n" for line in body)


def _centered(name: str, width: int) -> str:
    left = (width - len(name)) // 2
    return f"{' ' * left}{name}".ljust(width)
