"""(d) Whether submitting slows down as runs pile up: `create_submission` with no runs and with 1,000,000.

Two databases with the same orgs take turns; one of them has runs. A round does what PostgREST does for a
request: settings, one statement, commit. It skips the flush to disk, which is the same for both and would
hide the rest. Each run is cancelled after its time is taken, so that the queue stays empty.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg.types.json import Jsonb

from tests.benchmarks.engine_targets import Target
from tests.benchmarks.rls_measure import undisturbed
from tests.benchmarks.rls_rows import LARGE_COMPANY, SKEWED_ORG, Caller, load
from tests.support.sql_client import Client, Connection, connect
from tests.support.stack import stack_for_tests

ORGS, RUNS, RECORDS = 1_000, 1_000_000, 10
ROUNDS, WARM_UP, REPEATS = 200, 10, 3
MOST = 1.2
_CREATE = """
    with pgrst_source as (
        select public.create_submission(
            p_company_id => %(company_id)s, p_blueprint_id => %(blueprint_id)s, p_records => %(records)s
        ) as pgrst_scalar
    )
    select coalesce(json_agg(_postgrest_t.pgrst_scalar) -> 0, 'null') as body from pgrst_source _postgrest_t
"""


@dataclass(frozen=True)
class Growth:
    """The first deciles in microseconds, with no runs and with 1,000,000 runs."""

    none: float
    many: float

    @property
    def ratio(self) -> float:
        return self.many / self.none


def measure(folder: Path) -> list[Target]:
    with (
        stack_for_tests(folder / "none", "supabase", durable=True) as none,
        stack_for_tests(folder / "many", "supabase", durable=True) as many,
        connect(none) as first,
        connect(many) as second,
    ):
        print(f"\n(d) create_submission of {RECORDS} records, with no runs and with {RUNS:,}", flush=True)
        load(first, orgs=ORGS, runs=0)
        load(second, orgs=ORGS, runs=RUNS)
        for connection in (first, second):
            connection.execute("set synchronous_commit = off")
        cases = {
            "orgs by turns, 900 runs each": [Caller(org, 1, "session") for org in range(2, ORGS + 1)],
            "one org with 100,000 runs": [Caller(SKEWED_ORG, LARGE_COMPANY, "session")],
        }
        return [_hold(name, callers, {"none": first, "many": second}) for name, callers in cases.items()]


def _hold(name: str, callers: list[Caller], connections: Mapping[str, Connection]) -> Target:
    growth = _compare(callers, connections)
    for _ in range(REPEATS - 1):
        # Other load may cause a miss once; real growth causes one every time.
        if growth.ratio > MOST:
            growth = min(growth, _compare(callers, connections), key=lambda found: found.ratio)
    print(
        f"  {name:30} {growth.none:8.0f} {growth.many:8.0f} microseconds   {growth.ratio:.2f} times",
        flush=True,
    )
    return Target(f"(d) create_submission, {name}", MOST, "at most", growth.ratio)


def _compare(callers: list[Caller], connections: Mapping[str, Connection]) -> Growth:
    taken: dict[str, list[float]] = {name: [] for name in connections}
    for turn in range(WARM_UP + ROUNDS):
        caller = callers[turn % len(callers)]
        for name, connection in connections.items():
            taken[name].append(_create(connection, caller))
    return Growth(undisturbed(taken["none"][WARM_UP:]), undisturbed(taken["many"][WARM_UP:]))


def _create(connection: Connection, caller: Caller) -> float:
    """The microseconds that `create_submission` took."""
    records = [{"name": f"Company {n}", "domain": f"company-{n}.com"} for n in range(RECORDS)]
    parameters = {
        "company_id": caller.company_id,
        "blueprint_id": caller.blueprint_id,
        "records": Jsonb(records),
    }
    client = Client(connection, "authenticated", caller.claims)
    started = time.perf_counter()
    body = client.value(_CREATE, parameters)
    taken = (time.perf_counter() - started) * 1e6
    client.call("cancel_pipeline_run", pipeline_run_id=body["pipeline_run"]["id"])
    return taken
