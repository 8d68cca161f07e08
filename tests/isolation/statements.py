"""The statements that attempts are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from tests.isolation.catalogue import Link, Table
from tests.isolation.reach import Row, Values


def select_keys(table: Table, condition: sql.Composable | None = None) -> str:
    """The keys of all rows that the caller sees, as one JSON array."""
    return (
        sql.SQL("select coalesce(jsonb_agg({}), '[]') from {} t where {}")
        .format(_object("t", table), table.identifier, condition or sql.SQL("true"))
        .as_string()
    )


def select_column(table: Table, column: str) -> str:
    return (
        sql.SQL("select coalesce(jsonb_agg(t.{}), '[]') from {} t")
        .format(sql.Identifier(column), table.identifier)
        .as_string()
    )


def join_keys(link: Link, child: Table, parent: Table) -> str:
    """The query with which PostgREST embeds one resource in the other: pairs of keys, as one JSON array."""
    return (
        sql.SQL(
            "select coalesce("
            "jsonb_agg(jsonb_build_object('child', {child_key}, 'parent', {parent_key})), '[]') "
            "from {child} c join {parent} p on {condition}"
        )
        .format(
            child_key=_object("c", child),
            parent_key=_object("p", parent),
            child=child.identifier,
            parent=parent.identifier,
            condition=sql.SQL(" and ").join(
                sql.SQL("c.{} = p.{}").format(sql.Identifier(here), sql.Identifier(there))
                for here, there in zip(link.columns, link.parent_columns, strict=True)
            ),
        )
        .as_string()
    )


def _object(alias: str, table: Table) -> sql.Composed:
    pairs = [sql.SQL("{}, {}").format(sql.Literal(c), sql.Identifier(alias, c)) for c in table.key]
    return sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs))


def by_key(row: Row) -> sql.Composed:
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value))
        for column, value in row.key.items()
    )


def update(table: Table, values: Values, condition: sql.Composable | None = None) -> str:
    """Without a condition, Postgres does not apply the select policies."""
    assignments = [
        sql.SQL("{} = {}").format(sql.Identifier(column), _literal(value)) for column, value in values.items()
    ]
    statement = sql.SQL("update {} set {}").format(table.identifier, sql.SQL(", ").join(assignments))
    if condition is not None:
        statement += sql.SQL(" where {}").format(condition)
    return statement.as_string()


def delete(table: Table, condition: sql.Composable | None = None) -> str:
    statement = sql.SQL("delete from {}").format(table.identifier)
    if condition is not None:
        statement += sql.SQL(" where {}").format(condition)
    return statement.as_string()


def insert(
    table: Table,
    values: Values,
    columns: Iterable[str],
    merge_on: Sequence[str] = (),
    merged: Iterable[str] = (),
) -> str:
    """Inserts a row with these columns. With `merge_on`, an upsert that overwrites the columns `merged`."""
    names = list(columns)
    statement = sql.SQL(
        "insert into {table} ({columns}) overriding system value "
        "select {values} from jsonb_populate_record(null::{table}, {row}) r"
    ).format(
        table=table.identifier,
        columns=sql.SQL(", ").join(map(sql.Identifier, names)),
        values=sql.SQL(", ").join(sql.Identifier("r", name) for name in names),
        row=sql.Literal(Jsonb(dict(values))),
    )
    if merge_on:
        statement += sql.SQL(" on conflict ({}) do update set {}").format(
            sql.SQL(", ").join(map(sql.Identifier, merge_on)),
            sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in merged),
        )
    return statement.as_string()


def _literal(value: Any) -> sql.Composable:  # noqa: ANN401 (JSON)
    return sql.Literal(Jsonb(value)) if isinstance(value, (dict, list)) else sql.Literal(value)
