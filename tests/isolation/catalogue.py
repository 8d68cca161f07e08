"""What the Data API exposes, read from the database and supabase.toml. Nothing is listed by hand."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from psycopg import sql

from local.settings import ROOT
from tests.isolation.reach import Row, Values
from tests.support.sql_client import Connection, owner


def exposed_schemas() -> list[str]:
    configured = tomllib.loads((ROOT / "supabase.toml").read_text())
    schemas: list[str] = configured["api"]["schemas"]
    return schemas


@dataclass(frozen=True)
class Table:
    """A table or view of an exposed schema. `org_column` is None for a global table.

    `key` is the primary key, or all columns if there is none.
    """

    schema: str
    name: str
    kind: str
    key: list[str]
    org_column: str | None
    company_column: str | None
    columns: list[str]
    # Columns of type uuid.
    ids: list[str]
    selectable: list[str]
    insertable: list[str]
    updatable: list[str]
    deletable: bool
    # Whether `id` has a default.
    generates_id: bool

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def exposed_tables(connection: Connection) -> list[Table]:
    found = owner(connection).rows(
        """
        select n.nspname::text as schema, c.relname::text as name, c.relkind::text as kind,
            coalesce((
                select array_agg(a.attname::text order by a.attnum)
                from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
                where i.indrelid = c.oid and i.indisprimary
            ), array_agg(a.attname::text order by a.attnum)) as key,
            case
                when c.relname = 'orgs' then 'id'
                when bool_or(a.attname = 'org_id') then 'org_id'
            end as org_column,
            case
                when c.relname = 'companies' then 'id'
                when bool_or(a.attname = 'company_id') then 'company_id'
            end as company_column,
            array_agg(a.attname::text order by a.attnum) as columns,
            coalesce(array_agg(a.attname::text) filter (where a.atttypid = 'uuid'::regtype), '{}') as ids,
            coalesce(array_agg(a.attname::text order by a.attnum) filter (
                where has_column_privilege('authenticated', c.oid, a.attnum, 'select')
            ), '{}') as selectable,
            coalesce(array_agg(a.attname::text order by a.attnum) filter (
                where has_column_privilege('authenticated', c.oid, a.attnum, 'insert')
            ), '{}') as insertable,
            coalesce(array_agg(a.attname::text order by a.attnum) filter (
                where has_column_privilege('authenticated', c.oid, a.attnum, 'update')
            ), '{}') as updatable,
            has_table_privilege('authenticated', c.oid, 'delete') as deletable,
            bool_or(a.attname = 'id' and a.atttypid = 'uuid'::regtype and a.atthasdef) as generates_id
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and a.attgenerated = ''
        where n.nspname = any (%(schemas)s) and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
        group by c.oid, n.nspname, c.relname, c.relkind
        order by n.nspname, c.oid
        """,
        {"schemas": exposed_schemas()},
    )
    return [Table(**row) for row in found]


def tenant_tables(connection: Connection) -> list[Table]:
    return [table for table in exposed_tables(connection) if table.org_column and table.kind in ("r", "p")]


def other_value(connection: Connection, table: Table, column: str) -> Any:  # noqa: ANN401 (of any type)
    """A value of the column's type that differs from what a row is likely to hold."""
    (found,) = owner(connection).rows(
        """
        select t.typcategory::text as category, t.typname::text as name,
            array(
                select e.enumlabel::text from pg_enum e where e.enumtypid = t.oid order by enumsortorder desc
            ) as labels
        from pg_attribute a join pg_type t on t.oid = a.atttypid
        where a.attrelid = format('%%I.%%I', %(schema)s::text, %(table)s::text)::regclass
            and a.attname = %(column)s
        """,
        {"schema": table.schema, "table": table.name, "column": column},
    )
    by_name = {"uuid": str(uuid4()), "jsonb": {"attacked": True}}
    by_category = {"S": "attacked", "A": "{attacked}", "D": "2000-01-01T00:00:00Z", "N": 7, "B": True}
    return (found["labels"] or [by_name.get(found["name"]) or by_category.get(found["category"])])[0]


@dataclass(frozen=True)
class Link:
    """A foreign key between two exposed tables."""

    name: str
    table: str
    columns: list[str]
    parent: str
    parent_columns: list[str]


def links(connection: Connection) -> list[Link]:
    found = owner(connection).rows(
        """
        select k.conname::text as name, c.relname::text as table, p.relname::text as parent,
            array(
                select a.attname::text from unnest(k.conkey) with ordinality u (attnum, n)
                join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.attnum order by u.n
            ) as columns,
            array(
                select a.attname::text from unnest(k.confkey) with ordinality u (attnum, n)
                join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.attnum order by u.n
            ) as parent_columns
        from pg_constraint k
        join pg_class c on c.oid = k.conrelid
        join pg_class p on p.oid = k.confrelid
        join pg_namespace cn on cn.oid = c.relnamespace
        join pg_namespace pn on pn.oid = p.relnamespace
        where k.contype = 'f' and cn.nspname = any (%(schemas)s) and pn.nspname = any (%(schemas)s)
        order by c.oid, k.conname
        """,
        {"schemas": exposed_schemas()},
    )
    return [Link(**row) for row in found]


@dataclass(frozen=True)
class Function:
    """A function that a request can call. `arguments` maps name to type; `required` ones have no default."""

    schema: str
    name: str
    signature: str
    is_volatile: bool
    arguments: dict[str, str]
    required: list[str]

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"


def exposed_functions(connection: Connection) -> list[Function]:
    found = owner(connection).rows(
        """
        select n.nspname::text as schema, p.proname::text as name, p.oid::regprocedure::text as signature,
            p.provolatile = 'v' as is_volatile, coalesce(p.proargnames::text[], '{}') as names,
            array(select format_type(t.oid, null) from unnest(p.proargtypes) with ordinality u (oid, n)
                join pg_type t on t.oid = u.oid order by u.n) as types,
            p.pronargdefaults as defaults
        from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = any (%(schemas)s) and p.prorettype <> 'trigger'::regtype
            and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
        order by n.nspname, p.proname, 3
        """,
        {"schemas": exposed_schemas()},
    )
    return [_function(row) for row in found]


def _function(row: dict[str, Any]) -> Function:
    names = row["names"][: len(row["types"])]
    return Function(
        schema=row["schema"],
        name=row["name"],
        signature=row["signature"],
        is_volatile=row["is_volatile"],
        arguments=dict(zip(names, row["types"], strict=True)),
        required=names[: len(names) - row["defaults"]],
    )


def rows_of(connection: Connection, table: Table, owner_column: str | None, org_ids: list[str]) -> list[Row]:
    """The rows of these orgs, or every row of a global table, as the owner of the table sees them."""
    condition = (
        sql.SQL("t.{} = any ({}::uuid[])").format(sql.Identifier(table.org_column), sql.Literal(org_ids))
        if table.org_column
        else sql.SQL("true")
    )
    statement = sql.SQL("select to_jsonb(t) as row from {} t where {} order by to_jsonb(t)::text")
    found = owner(connection).rows(statement.format(table.identifier, condition).as_string())
    return [row_of(table, owner_column, row["row"]) for row in found]


def row_of(table: Table, owner_column: str | None, values: dict[str, Any]) -> Row:
    return Row(
        key={column: values[column] for column in table.key},
        org_id=values[table.org_column] if table.org_column else None,
        company_id=values[table.company_column] if table.company_column else None,
        owner_id=values[owner_column] if owner_column else None,
        values=values,
    )


def keys(rows: Iterable[Row]) -> set[str]:
    """The keys of the rows, as a set that can be compared."""
    return key_set(row.key for row in rows)


def key_set(found: Iterable[Values]) -> set[str]:
    return {json.dumps(dict(key), sort_keys=True) for key in found}
