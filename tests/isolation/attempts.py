"""Runs statements as a caller and undoes them at once, many in one round trip.

An attempt does what PostgREST does for a request: it sets role and claims for a transaction and runs the
statement. Here the transaction is a subtransaction that never commits. Before it is undone, the rows of the
world are compared with what they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from tests.isolation.catalogue import tenant_tables
from tests.support.sql_client import Client, Connection, owner

DENIED = "42501"  # no grant allows it, or no policy does

_ATTEMPT = """
create function pg_temp.attempt(
    p_role text, p_claims text, p_statement text, p_watch boolean, p_lifted boolean
)
returns jsonb
language plpgsql as $$
declare
    v_count bigint;
    v_result jsonb;
    v_touched jsonb := '[]';
    v_state text;
    v_message text;
    v_hint text;
    v_detail text;
begin
    begin
        perform set_config('isolation.lifted', case when p_lifted then 'yes' else 'no' end, true);
        perform set_config('request.jwt.claims', p_claims, true), set_config('role', p_role, true);
        if starts_with(p_statement, 'select') then
            execute p_statement into v_result;
        else
            execute p_statement;
        end if;
        get diagnostics v_count = row_count;
        perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
        if p_watch then
            v_touched := pg_temp.touched();
        end if;
        raise exception using errcode = 'UNDO0';
    exception
        when sqlstate 'UNDO0' then
            null;
        when others then
            get stacked diagnostics v_state = returned_sqlstate, v_message = message_text,
                v_hint = pg_exception_hint, v_detail = pg_exception_detail;
    end;
    return jsonb_build_object('count', v_count, 'result', v_result, 'touched', v_touched, 'sqlstate', v_state,
        'message', v_message, 'hint', nullif(v_hint, ''), 'detail', nullif(v_detail, ''));
end;
$$
"""

_TOUCHED = """
create function pg_temp.touched() returns jsonb language sql as $$
    select coalesce(jsonb_agg(distinct jsonb_build_object(
        'table', changed.table_name,
        'org_id', changed.org_id,
        'company_id', changed.company_id,
        'key', changed.key
    )), '[]')
    from (
        (select * from pg_temp.world_rows except select * from pg_temp.world_rows_before)
        union all
        (select * from pg_temp.world_rows_before except select * from pg_temp.world_rows)
    ) changed
$$
"""


@dataclass(frozen=True)
class Attempt:
    client: Client
    statement: str
    # Whether to report the rows of the world that it changed.
    watch: bool = False
    # For `table_policies`: whether the caller sees every row of the table.
    lifted: bool = False


@dataclass(frozen=True)
class Touched:
    table: str
    org_id: str | None
    company_id: str | None
    key: str


@dataclass(frozen=True)
class Outcome:
    count: int | None
    result: Any
    touched: tuple[Touched, ...]
    sqlstate: str | None
    message: str | None
    hint: str | None
    detail: str | None

    @property
    def succeeded(self) -> bool:
        return self.sqlstate is None

    @property
    def word(self) -> str:
        """`ok`, the stable code, or the SQLSTATE if there is no code."""
        if self.sqlstate is None:
            return "ok"
        return f"{self.sqlstate[2:]} {self.hint}" if self.sqlstate.startswith("PT") else self.sqlstate

    @property
    def error(self) -> tuple[str | None, ...]:
        return (self.sqlstate, self.hint, self.message, self.detail)


def prepare(connection: Connection, org_ids: Sequence[str]) -> None:
    """Creates what attempts need in this transaction: functions and views that watch the rows of these orgs.

    Every write gives a row another version, at another place (`ctid`) of its table.
    """
    rows = every_row(connection, org_ids, "t.ctid::text")
    for statement in (
        sql.SQL("create temp view world_rows as {}").format(rows),
        sql.SQL("create temp table world_rows_before on commit drop as select * from pg_temp.world_rows"),
        sql.SQL(_TOUCHED),
        sql.SQL(_ATTEMPT),
    ):
        owner(connection).change(statement.as_string())


def every_row(connection: Connection, org_ids: Sequence[str], version: str) -> sql.Composed:
    """A query for every row of these orgs: table, org, company, key, and `version`, an SQL expression."""
    return sql.SQL(" union all ").join(
        sql.SQL(
            "select {name} as table_name, {org} as org_id, {company}::uuid as company_id, "
            "{key}::text as key, {version} as version from {table} t where {org} = any ({orgs}::uuid[])"
        ).format(
            name=sql.Literal(table.name),
            org=sql.Identifier("t", table.org_column or ""),
            company=sql.Identifier("t", table.company_column) if table.company_column else sql.SQL("null"),
            key=sql.SQL("jsonb_build_array({})").format(
                sql.SQL(", ").join(sql.Identifier("t", column) for column in table.key)
            ),
            version=sql.SQL(version),
            table=table.identifier,
            orgs=sql.Literal(list(org_ids)),
        )
        for table in tenant_tables(connection)
    )


def run(connection: Connection, attempts: Sequence[Attempt]) -> list[Outcome]:
    """The outcome of each attempt, in order."""
    if not attempts:
        return []
    wanted = [[a.client.role, a.client.claims, a.statement, a.watch, a.lifted] for a in attempts]
    # An attempt sets its own role and undoes it, so this is one message instead of a savepoint's five.
    found = connection.execute(
        """
        select pg_temp.attempt(
            a.value ->> 0, a.value ->> 1, a.value ->> 2, (a.value ->> 3)::boolean, (a.value ->> 4)::boolean
        )
        from jsonb_array_elements(%(attempts)s) with ordinality a order by a.ordinality
        """,
        {"attempts": Jsonb(wanted)},
    )
    return [
        Outcome(**outcome | {"touched": tuple(Touched(**touched) for touched in outcome["touched"])})
        for (outcome,) in found
    ]
