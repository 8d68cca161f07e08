"""(c) How long a client waits for its first records: from its request to the commit of the first chunk.

The benchmark adds a trigger that notifies: its listener gets the notification once the write is committed.
"""

from __future__ import annotations

import asyncio
import statistics
import time

import psycopg

from tests.benchmarks.engine_stack import Bench
from tests.benchmarks.engine_targets import percentile

ROUNDS, WARM_UP, RECORDS = 40, 5, 100
_CHANNEL = "engine_benchmark_chunk"
_TRIGGER = f"""
    create schema engine_benchmark;
    create function engine_benchmark.tell() returns trigger language plpgsql set search_path = '' as $$
    begin
        perform pg_notify('{_CHANNEL}', (
            select sr.pipeline_run_id::text from public.step_results sr where sr.id = new.step_result_id
        ));
        return null;
    end;
    $$;
    create trigger engine_benchmark_tell after insert on public.step_result_chunks
    for each row when (new.chunk_index = 0) execute function engine_benchmark.tell();
"""


async def measure(bench: Bench) -> None:
    bench.connection.execute(_TRIGGER)
    try:
        admin = bench.admin()
        blueprint_id = await admin.blueprint({"slug": "normalize-company"})
        records = [{"name": f"Company {n}", "domain": f"company-{n}.com"} for n in range(RECORDS)]
        milliseconds = []
        listener = await psycopg.AsyncConnection.connect(bench.environment.database_url, autocommit=True)
        async with listener:
            await listener.execute(f"listen {_CHANNEL}".encode())
            for _ in range(WARM_UP + ROUNDS):
                started = time.perf_counter()
                written = asyncio.create_task(_next_notification(listener))
                accepted = await admin.submit(bench.company_id, blueprint_id, records)
                run_id, at = await written
                assert run_id == accepted["pipeline_run"]["id"]
                milliseconds.append((at - started) * 1_000)
                await bench.finished(run_id, seconds=60)
    finally:
        bench.connection.execute("drop schema engine_benchmark cascade")
    report(milliseconds[WARM_UP:])


async def _next_notification(listener: psycopg.AsyncConnection) -> tuple[str, float]:
    async for notification in listener.notifies(timeout=60, stop_after=1):
        return notification.payload, time.perf_counter()
    raise RuntimeError("No chunk was written within 60 s.")


def report(milliseconds: list[float]) -> None:
    print(f"\n(c) from submit to the first chunk written, {RECORDS} records, {ROUNDS} times, in milliseconds")
    print(f"  median {statistics.median(milliseconds):.0f}   p95 {percentile(milliseconds, 95):.0f}")
