"""Each policy of a table, measured alone.

As shipped, several fences stand in a row: grants by column, policies of other verbs, triggers. Here, in a
transaction that never commits, the others are taken down for the table: every verb is granted on every
column, every row can be selected unless selecting is measured, and triggers are off. The policy of the verb
remains. It must decide alone as `table_rules` says, for every row of the world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from psycopg import sql

from tests.isolation.attempts import Attempt, Outcome
from tests.isolation.callers import Caller
from tests.isolation.catalogue import Table, key_set, keys, row_of
from tests.isolation.findings import Report, Trial, is_denied, reaches_nothing
from tests.isolation.reach import ROLES, Row, Rule
from tests.isolation.statements import by_key, delete, insert, select_keys, update
from tests.isolation.table_rules import TableRules
from tests.isolation.world import World
from tests.support.sql_client import owner


def sweep(world: World, table: Table, rules: TableRules, *, until_noticed: bool = False) -> Report:
    report = Report()
    with world.connection.transaction(force_rollback=True):
        _take_down_the_other_fences(world, table)
        for caller in world.callers:
            if caller.has_no_grants or (until_noticed and report.deviations):
                continue
            report.judge(world.connection, list(_trials(world, table, rules, caller)))
    return report


def _trials(world: World, table: Table, rules: TableRules, caller: Caller) -> Iterator[Trial]:
    yield _select(world, table, rules, caller)
    yield from _inserts(world, table, rules, caller)
    yield from _updates(world, table, rules, caller)
    yield from _deletes(world, table, rules, caller)


def _take_down_the_other_fences(world: World, table: Table) -> None:
    """Attempts that are `lifted` see every row, so that one world serves every verb."""
    postgres = owner(world.connection)
    for statement in (
        "grant select, insert, update, delete on {} to authenticated",
        "alter table {} disable trigger user",
        "create policy lifted on {} for select to authenticated "
        "using (coalesce(current_setting('isolation.lifted', true), '') = 'yes')",
    ):
        postgres.change(sql.SQL(statement).format(table.identifier).as_string())


def _select(world: World, table: Table, rules: TableRules, caller: Caller) -> Trial:
    expected = keys(row for row in world.rows[table.name] if rules.select.reaches(caller.authority, row))
    return Trial(
        f"{table.name} select",
        caller.code,
        Attempt(caller.client, select_keys(table)),
        f"{caller.who} sees other rows of {table.name} than table_rules.py says.",
        lambda outcome: outcome.succeeded and key_set(outcome.result) == expected,
    )


def _inserts(world: World, table: Table, rules: TableRules, caller: Caller) -> Iterator[Trial]:
    """Inserts copies of rows: Postgres checks policies before constraints, so a copy shows what passes."""
    tried = set()
    for row in world.samples(table.name):
        for values in _variations(table, rules, row, caller):
            candidate = row_of(table, rules.owner, values)
            looks = (candidate.scope, candidate.owner_id, values.get("role"), _only(rules.insert, candidate))
            if looks in tried:
                continue
            tried.add(looks)
            may = rules.insert.allows(caller.authority, candidate)
            yield Trial(
                f"{table.name} insert",
                caller.code,
                Attempt(caller.client, insert(table, values, table.columns)),
                f"{caller.who} {'cannot' if may else 'can'} insert into {table.name} a row "
                f"{world.describe(candidate)}.",
                _passes if may else is_denied,
            )


def _variations(table: Table, rules: TableRules, row: Row, caller: Caller) -> Iterator[dict[str, Any]]:
    """The row as it is, in the caller's name, in the caller's company, and in every role."""
    yield dict(row.values)
    if caller.user is None or rules.owner is None or rules.insert.is_for_nobody:
        return
    own = dict(row.values) | {rules.owner: caller.user.id}
    yield own
    if "role" in table.columns:
        own_company = own if caller.authority is None else own | {"company_id": caller.authority.company_id}
        for role in ROLES:
            yield own | {"role": role}
            yield own_company | {"role": role}


def _updates(world: World, table: Table, rules: TableRules, caller: Caller) -> Iterator[Trial]:
    column = table.org_column or table.key[0]
    mine = None
    for row in world.samples(table.name):
        expected: Callable[[Outcome], bool]
        if not rules.update.reaches(caller.authority, row):
            expected = reaches_nothing
        elif rules.update.allows(caller.authority, row):
            expected, mine = _changes_one, row
        else:
            expected = is_denied
        yield Trial(
            f"{table.name} update",
            caller.code,
            Attempt(caller.client, update(table, {column: row.values[column]}, by_key(row)), lifted=True),
            f"{caller.who} updating a row of {table.name} {world.describe(row)} does not end as "
            f"table_rules.py says.",
            expected,
        )
    if mine is not None:
        yield from _moves(world, table, rules, caller, mine)


def _moves(world: World, table: Table, rules: TableRules, caller: Caller, mine: Row) -> Iterator[Trial]:
    """Moves the caller's own row to every place that the caller does not reach."""
    columns = [column for column in (table.org_column, table.company_column, rules.owner) if column]
    places = {tuple(row.values[column] for column in columns) for row in world.rows[table.name]}
    for place in sorted(places, key=str):
        moved = dict(zip(columns, place, strict=True))
        candidate = row_of(table, rules.owner, dict(mine.values) | moved)
        if not rules.update.allows(caller.authority, candidate):
            yield Trial(
                f"{table.name} update",
                caller.code,
                Attempt(caller.client, update(table, moved, by_key(mine)), lifted=True),
                f"{caller.who} can turn a row of {table.name} into one {world.describe(candidate)}.",
                is_denied,
            )


def _deletes(world: World, table: Table, rules: TableRules, caller: Caller) -> Iterator[Trial]:
    for row in world.samples(table.name):
        reached = rules.delete.reaches(caller.authority, row)
        yield Trial(
            f"{table.name} delete",
            caller.code,
            Attempt(caller.client, delete(table, by_key(row)), lifted=True),
            f"{caller.who} {'cannot' if reached else 'can'} delete from {table.name} a row "
            f"{world.describe(row)}.",
            # A foreign key may keep the row in place; the policy let the delete pass all the same.
            (lambda outcome: not reaches_nothing(outcome)) if reached else reaches_nothing,
        )


def _passes(outcome: Outcome) -> bool:
    """The policy let it pass. A constraint may still have stopped it."""
    return not is_denied(outcome)


def _changes_one(outcome: Outcome) -> bool:
    return outcome.succeeded and outcome.count == 1


def _only(rule: Rule, row: Row) -> str:
    return str([row.values[column] for column in rule.only or ()])
