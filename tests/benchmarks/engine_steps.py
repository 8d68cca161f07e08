"""(a) The cost of a step: 40 that only compute fibo(10), beside 40 tasks of Prefect and 40 steps of DBOS.

Each side is called and timed in a process that already runs: a flow, a workflow, the task of a pipeline run.
The sides take turns, so that the load of the machine is the same for all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from tests.benchmarks import engine_peers
from tests.benchmarks.engine_stack import Bench, Execution
from tests.benchmarks.engine_targets import Target, at_database_speed

STEPS, ROUNDS, WARM_UP = 40, 9, 2


@dataclass(frozen=True)
class Round:
    """Milliseconds per step; `calls` are per run."""

    engine: float
    waiting: float
    in_calls: float
    submitted: float
    """From the client's request to the end of the run."""
    calls: int
    prefect: float
    dbos: float


async def measure(bench: Bench) -> list[Target]:
    print(f"\n(a) {STEPS} steps of fibo(10): milliseconds a step, medians of {ROUNDS} rounds", flush=True)
    admin = bench.admin()
    blueprint_id = await admin.blueprint(*[{"slug": "fibo"}] * STEPS)

    async def engine() -> tuple[Execution, float]:
        started = time.perf_counter()
        accepted = await admin.submit(bench.company_id, blueprint_id, [{"name": "Acme"}])
        run_id = accepted["pipeline_run"]["id"]
        (execution,) = await bench.finished(run_id, seconds=120)
        seconds = time.perf_counter() - started
        records = await admin.records(run_id)
        assert [record["data"] for record in records] == [{"name": "Acme", "fibo": 55}]
        return execution, seconds

    async def once(peers: Mapping[str, engine_peers.Peer]) -> Round:
        execution, seconds = await engine()
        took = {name: await asyncio.to_thread(peer.run) for name, peer in peers.items()}
        return Round(
            engine=execution.wall / STEPS,
            waiting=execution.waiting / STEPS,
            in_calls=execution.in_calls / STEPS,
            submitted=seconds * 1_000 / STEPS,
            calls=execution.calls.total(),
            prefect=took["prefect"] * 1_000 / STEPS,
            dbos=took["dbos"] * 1_000 / STEPS,
        )

    with engine_peers.prefect(bench, STEPS) as prefect, engine_peers.dbos(bench, STEPS) as dbos:
        peers = {"prefect": prefect, "dbos": dbos}
        for _ in range(WARM_UP):
            await once(peers)
        before = bench.database_time()
        rounds = [await once(peers) for _ in range(ROUNDS)]
        in_database = (await bench.settled_database_time() - before) / ROUNDS / STEPS
    return report(rounds, in_database)


def report(rounds: list[Round], in_database: float) -> list[Target]:
    engine, waiting = median(one.engine for one in rounds), median(one.waiting for one in rounds)
    prefect, dbos = median(one.prefect for one in rounds), median(one.dbos for one in rounds)
    in_calls = median(one.in_calls for one in rounds)
    best = at_database_speed(engine, waiting=waiting, in_calls=in_calls, in_database=in_database)
    print(f"  this engine {engine:8.2f}   from submit to end {median(one.submitted for one in rounds):.2f}")
    print(f"  Prefect     {prefect:8.2f}")
    print(f"  DBOS        {dbos:8.2f}")
    calls = median(one.calls for one in rounds) / STEPS
    print(
        f"  {calls:.1f} calls of the Data API a step: {waiting / engine:.0%} of the time spent waiting; "
        f"{in_calls:.2f} in calls, Postgres at work {in_database:.2f}"
    )
    return [
        Target("(a) Prefect's time to this engine's", 2, "at least", prefect / engine, prefect / best),
        Target("(a) this engine's time to DBOS's", 3, "at most", engine / dbos, best / dbos),
    ]
