"""Links between tables: not even the owner of the database can make one from one tenant to another."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from psycopg import sql

from tests.isolation.attempts import Attempt
from tests.isolation.catalogue import Link, Table, links
from tests.isolation.findings import Report, Trial
from tests.isolation.reach import Row
from tests.isolation.statements import by_key, insert, update
from tests.isolation.table_rules import TABLES, TableRules
from tests.isolation.world import World
from tests.support.sql_client import owner

_NO_SUCH_PARENT = "23503"
_TENANT_COLUMNS = {"org_id", "company_id"}


def sweep(world: World, table: Table, rules: TableRules) -> Report:
    report = Report()
    _compare_with_catalogue(world, table, rules, report)
    with world.connection.transaction(force_rollback=True):
        # Triggers that keep rows immutable would refuse the change before the foreign key does.
        without_triggers = sql.SQL("alter table {} disable trigger user").format(table.identifier)
        owner(world.connection).change(without_triggers.as_string())
        report.judge(world.connection, list(_trials(world, table, rules)))
    return report


def _compare_with_catalogue(world: World, table: Table, rules: TableRules, report: Report) -> None:
    told = {*rules.links, *rules.unlinked, *table.key, table.org_column}
    for column in table.ids:
        report.expect(
            column in told,
            f"{table.name}.{column} is an id: say in table_rules.py to which table it `links`, or that "
            f"it is `unlinked`.",
        )
    for link in _links_of(world, table):
        named = set(link.columns) - _TENANT_COLUMNS or {"company_id"}
        if link.parent != "orgs" and world.table(link.parent).org_column:
            report.expect(
                any(rules.links.get(column) == link.parent for column in named),
                f"{link.name} links {table.name} to {link.parent}: say so in `links` of table_rules.py.",
            )


def _links_of(world: World, table: Table) -> list[Link]:
    return [link for link in links(world.connection) if link.table == table.name]


def _trials(world: World, table: Table, rules: TableRules) -> Iterator[Trial]:
    for column, parent in rules.links.items():
        rows = [row for row in world.rows[table.name] if row.values[column] is not None]
        if not rows:
            yield _trial(world, table, column, None, None)
            continue
        row = rows[0]
        for other in world.samples(parent):
            if _is_another_tenant(world, parent, row, other):
                yield _trial(world, table, column, row, other)


def _is_another_tenant(world: World, parent: str, row: Row, other: Row) -> bool:
    """Another org, or another company if every row of the parent table belongs to one."""
    if other.org_id != row.org_id:
        return True
    always_has_company = parent != "companies" and all(r.company_id for r in world.rows[parent])
    return always_has_company and row.company_id is not None and other.company_id != row.company_id


def _trial(world: World, table: Table, column: str, row: Row | None, other: Row | None) -> Trial:
    if row is None or other is None:
        sentence = (
            f"No row of the world has {table.name}.{column}: add one in world.py, or nothing is proven."
        )
        return Trial(
            "", "", Attempt(owner(world.connection), "select null::jsonb"), sentence, lambda _: False
        )
    # A number that is taken would be refused before the link is, so the row gets a free one.
    # The link is tried on a copy if the table allows copies, because other rows refer to the original.
    numbers = ("position", "chunk_index", "run_number", "record_id")
    elsewhere = {name: "40" for name in numbers if name in table.columns}
    values = {column: other.key["id"]} | elsewhere
    if table.generates_id:
        copy = dict(row.values) | TABLES[table.name].fresh | {"id": str(uuid4())} | values
        statement = insert(table, copy, table.columns)
    else:
        statement = update(table, values, by_key(row))
    refusal = f'insert or update on table "{table.name}" violates foreign key constraint'
    return Trial(
        "",
        "",
        Attempt(owner(world.connection), statement),
        f"{table.name}.{column} can be made to point from a row {world.describe(row)} "
        f"to one {world.describe(other)}.",
        lambda outcome: outcome.sqlstate == _NO_SUCH_PARENT and str(outcome.message).startswith(refusal),
    )
