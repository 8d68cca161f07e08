"""Measures statements in the transaction that PostgREST makes of a request, on one connection."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.rls_cases import Case
from tests.benchmarks.rls_rows import LARGE_TABLES
from tests.support.sql_client import Connection

# The sides take turns, so that the load of the machine is the same for all.
ROUNDS, WARM_UP = 200, 10

_SETTINGS = """
    select set_config('search_path', '"public", "extensions"', true), set_config('role', %(role)s, true),
        set_config('request.jwt.claims', %(claims)s, true), set_config('request.method', 'GET', true),
        set_config('request.path', '/', true), set_config('request.headers', %(headers)s, true),
        set_config('request.cookies', '{}', true)
"""
_HEADERS = '{"user-agent": "benchmark", "accept": "application/json", "host": "127.0.0.1"}'
_SEEN = f"""
    select c.relname, c.relkind = 'i' as is_index, pg_stat_get_xact_numscans(c.oid) as scans,
        pg_stat_get_xact_tuples_returned(c.oid) as returned, pg_stat_get_xact_tuples_fetched(c.oid) as fetched
    from pg_class c left join pg_index i on i.indexrelid = c.oid
    where coalesce(i.indrelid, c.oid) = any ('{{{",".join(LARGE_TABLES)}}}'::regclass[])
    order by c.oid
"""


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    role: str
    claims: str
    statement: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Cost:
    """Microseconds as the client sees them, of the statement and of the whole transaction."""

    statement: float
    transaction: float


@dataclass(frozen=True)
class Reads:
    """The reads of the large tables for one answer."""

    indexes: frozenset[str]
    rows: int
    sequential_scans: int


def sides(case: Case) -> dict[str, Side]:
    claims, parameters = case.caller.claims, case.parameters
    tenant = {"only_org_id": case.caller.org_id, "only_company_id": case.caller.company_id}
    found = {
        "under policy": Side("authenticated", claims, case.under_policy, parameters),
        "by hand": Side("postgres", claims, case.by_hand, {**parameters, **tenant}),
    }
    if case.told:
        found["told"] = Side("postgres", claims, case.told, {**parameters, **tenant})
    return found


def compare(connection: Connection, case: Case) -> dict[str, Cost]:
    """The cost of each side."""
    found = sides(case)
    transactions: dict[str, list[float]] = {name: [] for name in found}
    statements: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(WARM_UP + ROUNDS):
        for name, side in found.items():
            transaction, statement = _time(connection, side)
            transactions[name].append(transaction)
            statements[name].append(statement)
    return {
        name: Cost(undisturbed(statements[name][WARM_UP:]), undisturbed(transactions[name][WARM_UP:]))
        for name in found
    }


def undisturbed(times: list[float]) -> float:
    """The first decile: other load on the machine only ever adds time."""
    return statistics.quantiles(times, n=10)[0]


def reads(connection: Connection, side: Side) -> Reads:
    with _request(connection, side):
        before = connection.execute(_SEEN).fetchall()
        _answer(connection, side)
        after = connection.execute(_SEEN).fetchall()
    counted = {
        (now[0], now[1]): [after - before for after, before in zip(now[2:], then[2:], strict=True)]
        for now, then in zip(after, before, strict=True)
    }
    return Reads(
        indexes=frozenset(name for (name, is_index), (scans, *_) in counted.items() if is_index and scans),
        rows=sum(fetched for _, _, fetched in counted.values()),
        sequential_scans=sum(scans for (_, is_index), (scans, *_) in counted.items() if not is_index),
    )


def answer(connection: Connection, side: Side) -> Any:  # noqa: ANN401
    with _request(connection, side):
        return _answer(connection, side)


def _time(connection: Connection, side: Side) -> tuple[float, float]:
    """Microseconds of the whole transaction, and of the statement in it."""
    started = time.perf_counter()
    with _request(connection, side):
        asked = time.perf_counter()
        _answer(connection, side)
        answered = time.perf_counter()
    return (time.perf_counter() - started) * 1e6, (answered - asked) * 1e6


@contextmanager
def _request(connection: Connection, side: Side) -> Iterator[None]:
    with connection.transaction():
        settings = {"role": side.role, "claims": side.claims, "headers": _HEADERS}
        connection.execute(_SETTINGS, settings, prepare=True)
        yield


def _answer(connection: Connection, side: Side) -> Any:  # noqa: ANN401
    row = connection.execute(side.statement.encode(), side.parameters, prepare=True).fetchone()
    assert row
    return row[2]
