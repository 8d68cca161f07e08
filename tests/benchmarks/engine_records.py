"""(b) The cost of keeping everything: 100,000 records through four steps, beside a script that keeps nothing.

The script calls the same functions on the same records in chunks of the same size, and posts to the same
receiver, all in the memory of one process. Its time starts when it reads the file, the time of a pipeline run
at its claim. The time of the upload is shown, but not compared.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from statistics import mean

from local.settings import ROOT
from tests.benchmarks.engine_receiver import receiver
from tests.benchmarks.engine_stack import Bench
from tests.benchmarks.engine_targets import Target, at_database_speed
from tests.support.product import Json, Product

RECORDS, CHUNK, ROUNDS = 100_000, 1_000, 2
_SAMPLE = ROOT / "local" / "samples" / "companies.csv"
_SECRET_NAME = "webhook_key"
_HOST = re.compile(r"^(\W*(?:https?\W+)?(?:www\.)?)(\w[\w-]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Run:
    seconds: float
    waiting: float
    in_calls: float
    in_database: float
    upload: float
    peak_megabytes: float
    calls: int


async def measure(bench: Bench) -> list[Target]:
    print(f"\n(b) {RECORDS:,} records through four steps: seconds, means of {ROUNDS} rounds", flush=True)
    content = b"".join(json.dumps(record).encode() + b"\n" for record in records(RECORDS))
    file = bench.folder / "companies.ndjson"
    file.write_bytes(content)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    admin = bench.admin()
    await admin.call("secrets/set", {"name": _SECRET_NAME, "value": secret})
    with receiver() as listening:
        steps = blueprint_steps(listening.url)
        blueprint_id = await admin.blueprint(*steps)
        runs, scripts = [], []
        for _ in range(ROUNDS):
            scripts.append(await asyncio.to_thread(_script, bench, file, secret, steps))
            expected = listening.take_ids()
            runs.append(await _run(bench, admin, blueprint_id, content))
            if listening.take_ids() != expected:
                raise AssertionError("The engine and the script did not deliver the same records.")
    return report(runs, scripts, delivered=len(expected))


def sample() -> list[dict[str, str]]:
    with _SAMPLE.open(encoding="utf-8-sig", newline="") as file:
        # DictReader puts cells beyond the last header into a list, under the name None.
        return [{k: v for k, v in row.items() if isinstance(v, str)} for row in csv.DictReader(file)]


def records(number: int) -> Iterator[Json]:
    """The sample's companies over and over, with other names and domains each time."""
    rows = sample()
    return islice((_renamed(row, n) for n in count(1) for row in rows), number)


def _renamed(row: dict[str, str], number: int) -> Json:
    renamed = dict(row)
    for header, value in row.items():
        match header.strip():
            case "Account Name" if value.strip():
                renamed[header] = f"{value} {number}"
            case "Website":
                renamed[header] = _HOST.sub(rf"\g<1>\g<2>-{number}", value)
            case "E-Mail":
                renamed[header] = value.replace("@", f"@n{number}-")
    return renamed


def blueprint_steps(url: str) -> list[Json]:
    schema = {
        "type": "object",
        "required": ["name", "country"],
        "properties": {
            "name": {"type": "string", "minLength": 2},
            "country": {"type": ["string", "null"], "pattern": "^[A-Z]{2}$"},
            "employees": {"type": ["integer", "null"], "minimum": 1},
        },
    }
    return [
        {"slug": "normalize-company", "config": {}},
        {"slug": "validate-records", "config": {"schema": schema}},
        {"slug": "dedupe-records", "config": {}},
        {
            "slug": "deliver-webhook",
            "config": {"url": url, "secret_name": _SECRET_NAME, "batch_size": CHUNK},
        },
    ]


async def _run(bench: Bench, admin: Product, blueprint_id: str, content: bytes) -> Run:
    started = time.perf_counter()
    accepted = await admin.upload(bench.company_id, blueprint_id, "companies.ndjson", content)
    uploaded = time.perf_counter() - started
    before = bench.database_time()
    executions = await bench.finished(accepted["pipeline_run"]["id"], seconds=600)
    (pipeline,) = (execution for execution in executions if execution.task == "run-pipeline")
    return Run(
        seconds=pipeline.wall / 1_000,
        waiting=sum(execution.waiting for execution in executions) / 1_000,
        in_calls=sum(execution.in_calls for execution in executions) / 1_000,
        in_database=(await bench.settled_database_time() - before) / 1_000,
        upload=uploaded,
        peak_megabytes=max(execution.peak_kilobytes for execution in executions) / 1_024,
        calls=sum(execution.calls.total() for execution in executions),
    )


def _script(bench: Bench, file: Path, secret: str, steps: list[Json]) -> float:
    """The seconds from reading the file to the receiver's last answer."""
    order = {"file": str(file), "chunk_size": CHUNK, "secret": secret, "steps": steps}
    process = subprocess.run(
        ["node_modules/.bin/tsx", "src/plain-script.ts"],
        cwd=bench.project,
        env={**os.environ, **bench.environment.variables},
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise RuntimeError(f"The script failed: {process.stderr}")
    seconds: float = json.loads(process.stdout)["seconds"]
    return seconds


def report(runs: list[Run], scripts: list[float], *, delivered: int) -> list[Target]:
    engine, script = mean(run.seconds for run in runs), mean(scripts)
    waiting, in_calls = mean(run.waiting for run in runs), mean(run.in_calls for run in runs)
    in_database = mean(run.in_database for run in runs)
    best = at_database_speed(engine, waiting=waiting, in_calls=in_calls, in_database=in_database)
    print(f"  this engine {engine:8.1f}   {RECORDS / engine:8,.0f} records a second, {delivered:,} delivered")
    print(f"  the script  {script:8.1f}   {RECORDS / script:8,.0f} records a second")
    print(f"  the upload before the run {mean(run.upload for run in runs):.1f}")
    print(
        f"  {runs[-1].calls:,} calls of the Data API: {waiting / engine:.0%} of the time spent waiting; "
        f"{in_calls:.1f} in calls, Postgres at work {in_database:.1f}"
    )
    print(f"  the worker's memory, at most: {max(run.peak_megabytes for run in runs):.0f} MB")
    name = "(b) this engine's throughput to the script's"
    return [Target(name, 1 / 3, "at least", script / engine, script / best)]
