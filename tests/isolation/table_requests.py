"""Tables as shipped: every verb that a request can ask for, by every caller, on rows of every scope."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from tests.isolation.attempts import Attempt, Outcome
from tests.isolation.callers import Caller
from tests.isolation.catalogue import Link, Table, key_set, keys, links, other_value
from tests.isolation.findings import REFUSED, Report, Trial, is_denied, reaches_nothing
from tests.isolation.reach import ROLES, SYMBOLS, Reach, Row
from tests.isolation.statements import by_key, delete, insert, join_keys, select_column, select_keys, update
from tests.isolation.table_rules import TABLES, TableRules
from tests.isolation.world import World

VERBS = ("select", "embed", "insert", "upsert", "update", "delete")


def sweep(world: World, table: Table, rules: TableRules) -> Report:
    """Each cell of the report is what `table_rules` says, confirmed, or a deviation."""
    report = Report()
    writers = set()
    for caller in world.callers:
        report.judge(world.connection, list(_reads(world, table, rules, caller)))
        report.judge(world.connection, list(_updates(world, table, rules, caller)))
        report.judge(world.connection, list(_deletes(world, table, rules, caller)))
        if _inserts(world, table, rules, caller, report) and caller.authority:
            writers.add(caller.authority.role)
        for verb in VERBS:
            report.mark(f"{table.name} {verb}", caller.code, _symbol(rules, verb, caller))
    report.expect(
        writers == {role for role in ROLES if getattr(rules.insert, role) is not Reach.NONE},
        f"Only {sorted(writers)} could insert anything into {table.name}: either a role lost a right, or the "
        "attempts prove nothing because they repeat existing rows (see `fresh` in table_rules.py).",
    )
    return report


def _symbol(rules: TableRules, verb: str, caller: Caller) -> str:
    rule = {"embed": rules.select, "upsert": rules.insert}.get(verb) or getattr(rules, verb)
    if verb == "upsert" and rules.update.is_for_nobody:
        return REFUSED  # an upsert needs both grants
    if caller.has_no_grants or rule.is_for_nobody:
        return REFUSED
    return SYMBOLS[rule.reach(caller.authority)]


def _reads(world: World, table: Table, rules: TableRules, caller: Caller) -> Iterator[Trial]:
    seen = keys(row for row in world.rows[table.name] if rules.select.reaches(caller.authority, row))
    yield Trial(
        f"{table.name} select",
        caller.code,
        Attempt(caller.client, select_keys(table)),
        f"{caller.who} sees other rows of {table.name} than table_rules.py says.",
        is_denied
        if caller.has_no_grants
        else lambda outcome: outcome.succeeded and key_set(outcome.result) == seen,
    )
    for column in table.columns:
        is_hidden = caller.has_no_grants or column in rules.withheld
        yield Trial(
            f"{table.name} select",
            caller.code,
            Attempt(caller.client, select_column(table, column)),
            f"{caller.who} {'reads' if is_hidden else 'cannot read'} {table.name}.{column}: "
            "if that is intended, change `withheld` in table_rules.py, otherwise the grant.",
            is_denied if is_hidden else _succeeds,
        )
    for link in links(world.connection):
        if table.name in (link.table, link.parent):
            yield _embed(world, table, link, caller)


def _embed(world: World, table: Table, link: Link, caller: Caller) -> Trial:
    expected = key_set(
        {"child": child.key, "parent": parent.key}
        for child in world.rows[link.table]
        if TABLES[link.table].select.reaches(caller.authority, child)
        for parent in world.rows[link.parent]
        if TABLES[link.parent].select.reaches(caller.authority, parent) and _joins(link, child, parent)
    )
    child_table, parent_table = world.table(link.table), world.table(link.parent)
    return Trial(
        f"{table.name} embed",
        caller.code,
        Attempt(caller.client, join_keys(link, child_table, parent_table)),
        f"{caller.who} sees other pairs of {link.table} and {link.parent} through {link.name} "
        f"than their rules say.",
        is_denied
        if caller.has_no_grants
        else lambda outcome: outcome.succeeded and key_set(outcome.result) == expected,
    )


def _joins(link: Link, child: Row, parent: Row) -> bool:
    pairs = [
        (child.values[here], parent.values[there])
        for here, there in zip(link.columns, link.parent_columns, strict=True)
    ]
    return all(here is not None and here == there for here, there in pairs)


def _updates(world: World, table: Table, rules: TableRules, caller: Caller) -> Iterator[Trial]:
    """Updates all rows without a condition, then each row that is out of reach."""
    has_grant = not (rules.update.is_for_nobody or caller.has_no_grants)
    for column in table.updatable if has_grant else [table.org_column or table.key[0]]:
        values = {column: other_value(world.connection, table, column)}
        yield Trial(
            f"{table.name} update",
            caller.code,
            Attempt(caller.client, update(table, values), watch=True),
            f"{caller.who} updating every {column} of {table.name} changes what is not its own.",
            (lambda outcome: stays_within(outcome, caller)) if has_grant else is_denied,
        )
        for row in world.samples(table.name) if has_grant else ():
            if not rules.update.reaches(caller.authority, row):
                yield Trial(
                    f"{table.name} update",
                    caller.code,
                    Attempt(caller.client, update(table, values, by_key(row))),
                    f"{caller.who} updates {column} of a row of {table.name} {world.describe(row)}.",
                    reaches_nothing,
                )


def _deletes(world: World, table: Table, rules: TableRules, caller: Caller) -> Iterator[Trial]:
    has_grant = not (rules.delete.is_for_nobody or caller.has_no_grants)
    yield Trial(
        f"{table.name} delete",
        caller.code,
        Attempt(caller.client, delete(table), watch=True),
        f"{caller.who} deleting all of {table.name} deletes what is not its own.",
        (lambda outcome: stays_within(outcome, caller)) if has_grant else is_denied,
    )
    for row in world.samples(table.name) if has_grant else ():
        if not rules.delete.reaches(caller.authority, row):
            yield Trial(
                f"{table.name} delete",
                caller.code,
                Attempt(caller.client, delete(table, by_key(row))),
                f"{caller.who} deletes a row of {table.name} {world.describe(row)}.",
                reaches_nothing,
            )


def _inserts(world: World, table: Table, rules: TableRules, caller: Caller, report: Report) -> bool:
    """Inserts copies of every row in the columns that clients may write, and rows that point at others' rows.

    Returns whether any was written.
    """
    has_grant = not (rules.insert.is_for_nobody or caller.has_no_grants)
    columns = table.insertable if has_grant else table.columns
    # Without a grant, all rows get the same answer.
    rows = world.samples(table.name)[: None if has_grant else 2]
    trials = []
    for row in rows:
        values = dict(row.values) | rules.fresh
        trials.append(_insert(world, table, caller, row, insert(table, values, columns), has_grant))
        if table.org_column and table.org_column not in table.insertable:
            told = insert(table, values, dict.fromkeys([table.org_column, *columns]))
            trials.append(_insert(world, table, caller, row, told, has_grant=False))
    outcomes = report.judge(world.connection, trials)
    if has_grant and caller.authority:
        _oracles(world, table, rules, caller, report)
    may_merge = has_grant and not rules.update.is_for_nobody
    merged = [column for column in columns if column in table.updatable] or [table.org_column or table.key[0]]
    report.judge(
        world.connection,
        [
            _upsert(world, table, caller, row, insert(table, row.values, cols, table.key, merged), may_merge)
            for row in rows
            for cols in (list(columns), sorted({*columns, *table.key}))
        ],
    )
    return any(outcome.succeeded for outcome in outcomes)


def _insert(world: World, table: Table, caller: Caller, row: Row, statement: str, has_grant: bool) -> Trial:
    return Trial(
        f"{table.name} insert",
        caller.code,
        Attempt(caller.client, statement, watch=True),
        f"{caller.who} inserting into {table.name} a copy of a row {world.describe(row)} "
        f"writes what is not its own.",
        (lambda outcome: stays_within(outcome, caller)) if has_grant else is_denied,
    )


def _upsert(world: World, table: Table, caller: Caller, row: Row, statement: str, has_grant: bool) -> Trial:
    return Trial(
        f"{table.name} upsert",
        caller.code,
        Attempt(caller.client, statement, watch=True),
        f"{caller.who} upserting into {table.name} a row {world.describe(row)} writes what is not its own.",
        (lambda outcome: stays_within(outcome, caller)) if has_grant else is_denied,
    )


def _oracles(world: World, table: Table, rules: TableRules, caller: Caller, report: Report) -> None:
    """Pointing at another tenant's row must end exactly as pointing at a row that does not exist."""
    mine = next((row for row in world.rows[table.name] if rules.insert.reaches(caller.authority, row)), None)
    if mine is None:
        return
    for column, parent in rules.links.items():
        if column not in table.insertable:
            continue
        for row in world.samples(parent):
            if TABLES[parent].select.reaches(caller.authority, row):
                continue
            ids = (row.key["id"], str(uuid4()))
            pair = [
                insert(table, dict(mine.values) | rules.fresh | {column: id_}, table.insertable)
                for id_ in ids
            ]
            foreign, random = report.judge(
                world.connection,
                [_insert(world, table, caller, row, statement, has_grant=True) for statement in pair],
            )
            report.expect(
                told(foreign, ids[0]) == told(random, ids[1]),
                f"{caller.who} can tell by {table.name}.{column} that a row of {parent} "
                f"{world.describe(row)} exists.",
                f"{table.name} insert",
                caller.code,
            )


def told(outcome: Outcome, id_: str) -> tuple[str | None, ...]:
    """The error without the id that the caller sent."""
    return tuple(part and part.replace(id_, "<id>") for part in outcome.error)


def stays_within(outcome: Outcome, caller: Caller) -> bool:
    """Every changed row is of the caller's org, and of its company if the caller is bound to one."""
    if not outcome.touched:
        return True
    authority = caller.authority
    return authority is not None and all(
        touched.org_id == authority.org_id
        and (authority.company_id is None or touched.company_id == authority.company_id)
        for touched in outcome.touched
    )


def _succeeds(outcome: Outcome) -> bool:
    return outcome.succeeded
