"""Sweeps everything that is exposed, and reports what has no expectation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.isolation import (
    data_api_requests,
    endpoint_requests,
    function_calls,
    links,
    remembered_results,
    table_policies,
    table_requests,
)
from tests.isolation.callers import Caller
from tests.isolation.catalogue import Table, exposed_functions
from tests.isolation.findings import DEVIATION, Report
from tests.isolation.function_rules import FUNCTIONS, WORKER_FUNCTIONS
from tests.isolation.over_http import http_world
from tests.isolation.table_rules import OWNER_COLUMNS, TABLES
from tests.isolation.world import World, passing_world
from tests.support.sql_client import connect
from tests.support.stack import StackEnvironment


@dataclass(frozen=True)
class Section:
    """A part of the matrix."""

    title: str
    report: Report
    callers: list[Caller]


def sweep_everything(environment: StackEnvironment) -> list[Section]:
    """Runs the deep sweep in SQL, which is undone, then the sweep over HTTP, which is not."""
    with connect(environment) as connection, passing_world(connection, OWNER_COLUMNS) as world:
        found = [
            Section("Tables", sweep_tables(world), world.callers),
            Section("Functions", sweep_functions(world), world.callers),
        ]
    with http_world(environment, OWNER_COLUMNS) as http:
        found += [
            Section("Tables, over HTTP", data_api_requests.sweep_tables(http), http.callers),
            Section("Functions, over HTTP", data_api_requests.sweep_functions(http), http.callers),
            Section("Endpoints of the API", endpoint_requests.sweep(http), http.callers),
        ]
    return found


def sweep_tables(world: World) -> Report:
    report = Report()
    for table in world.tables:
        rules = TABLES.get(table.name)
        if rules is None:
            report.expect(
                False,
                f"{table.schema}.{table.name} has no expectation: say in table_rules.py who may do what.",
            )
            for caller in world.callers:
                report.mark(f"{table.name} select", caller.code, DEVIATION)
            continue
        _expect_rows_of_every_tenant(world, table, report)
        report.merge(
            [
                table_policies.sweep(world, table, rules),
                table_requests.sweep(world, table, rules),
                links.sweep(world, table, rules),
            ]
        )
    for name in sorted(set(TABLES) - {table.name for table in world.tables}):
        report.expect(False, f"table_rules.py lists {name}, which is not exposed: remove it.")
    return report


def sweep_functions(world: World) -> Report:
    report = Report()
    functions = exposed_functions(world.connection)
    for function in functions:
        rules, worker_rules = FUNCTIONS.get(function.qualified), WORKER_FUNCTIONS.get(function.qualified)
        if rules:
            report.merge([function_calls.sweep(world, function, rules)])
            told = {*rules.ids, *rules.names}
            for argument, kind in function.arguments.items():
                report.expect(
                    kind != "uuid" or argument in told,
                    f"{function.qualified} takes an id as {argument}: "
                    f"say in `ids` of function_rules.py which table it names.",
                )
        elif worker_rules:
            report.merge([function_calls.sweep_worker(world, function, worker_rules)])
        else:
            report.expect(
                False, f"{function.signature} has no expectation: say in function_rules.py who may call it."
            )
            for caller in world.callers:
                report.mark(function.qualified, caller.code, DEVIATION)
    report.merge([remembered_results.sweep(world)])
    names = Counter(function.qualified for function in functions)
    for name in sorted({*FUNCTIONS, *WORKER_FUNCTIONS} - set(names)):
        report.expect(False, f"function_rules.py lists {name}, which is not exposed: remove it.")
    for name, count in names.items():
        report.expect(
            count == 1, f"{name} is overloaded: neither the Data API nor the sweep knows which one to call."
        )
    return report


def _expect_rows_of_every_tenant(world: World, table: Table, report: Report) -> None:
    """The table has rows of every org, and of every company if its rows belong to companies."""
    rows = world.rows[table.name]
    for org in world.tenants:
        places = {row.company_id for row in rows if row.org_id == org.id}
        expected = {org.first.id, org.second.id} if table.company_column else {None}
        report.expect(
            not table.org_column or places >= expected,
            f"The world lacks rows in {table.name} for {org.name} or a company of it: add them in world.py.",
        )
