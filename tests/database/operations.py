"""Calls operators' functions as in Studio, and shows which tables a call has changed."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from tests.support.sql_client import Client, Row

Fingerprint = dict[str, str]


def operate(postgres: Client, function: str, **arguments: Any) -> list[Row]:  # noqa: ANN401
    """The rows that a function of schema ops returns. Arguments are given without their p_."""
    named = [
        sql.SQL("{} => {}").format(
            sql.Identifier(name if name == "dry_run" else f"p_{name}"), sql.Literal(value)
        )
        for name, value in arguments.items()
    ]
    statement = sql.SQL("select * from {}({})").format(
        sql.Identifier("ops", function), sql.SQL(", ").join(named)
    )
    # The statement has no parameters, and a literal may hold a percent sign.
    return postgres.rows(statement.as_string(postgres.connection).replace("%", "%%"), {})


def actions(report: list[Row]) -> list[str]:
    return [line["action"] for line in report]


def fingerprint(postgres: Client) -> Fingerprint:
    """A hash of each of the product's tables and of the identities, except the audit log."""
    tables = postgres.rows(
        """
        select n.nspname::text as schema, c.relname::text as name
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p')
            and (n.nspname in ('public', 'private', 'ops') or c.oid = 'auth.users'::regclass)
            and c.oid <> 'public.audit_log'::regclass
        """
    )
    statement = sql.SQL(
        "select coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') from {} t"
    )
    return {
        f"{table['schema']}.{table['name']}": postgres.value(
            statement.format(sql.Identifier(table["schema"], table["name"])).as_string()
        )
        for table in tables
    }


def changed(before: Fingerprint, after: Fingerprint) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def last_audit_id(postgres: Client) -> int:
    return int(postgres.value("select coalesce(max(id), 0) from public.audit_log"))


def operations_since(postgres: Client, audit_id: int) -> list[Row]:
    """The audit rows of operators' calls, without those of the rows that the calls changed."""
    return postgres.rows(
        "select org_id::text, entity_id, action, actor_type::text, actor_name, before, after "
        "from public.audit_log where entity = 'ops' and id > %(id)s order by id",
        {"id": audit_id},
    )
