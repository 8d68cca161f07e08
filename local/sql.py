"""Runs SQL as role postgres, as the SQL editor of Supabase Studio does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg

from local.errors import StackError


def run_sql(database_url: str, statements: str) -> Iterator[str]:
    """Runs the statements in one transaction; yields the lines that psql would print.

    Raises StackError with PostgreSQL's message.
    """
    try:
        with psycopg.connect(database_url, connect_timeout=10) as database:
            cursor = database.execute(statements)
            for result in cursor.results():
                if result.description:
                    yield from _table([column.name for column in result.description], result.fetchall())
                yield result.statusmessage or ""
    except psycopg.Error as error:
        raise StackError(str(error).strip()) from error


def _table(names: list[str], rows: Sequence[tuple[object, ...]]) -> Iterator[str]:
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    widths = [max(len(line[place]) for line in [names, *cells]) for place in range(len(names))]
    yield _row(names, widths)
    yield "-+-".join("-" * width for width in widths)
    yield from (_row(row, widths) for row in cells)


def _row(values: Sequence[str], widths: Sequence[int]) -> str:
    return " | ".join(value.ljust(width) for value, width in zip(values, widths, strict=True)).rstrip()
