"""The stack of the benchmark: the product's own worker, with one more step and an observer.

Trigger.dev builds a copy of trigger/. tests/benchmarks/engine_worker adds the step `fibo` to it, and a hook
that writes a line for each execution of a task: how long it took, and how long it waited for the Data API.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local.settings import TRIGGER_FOLDER
from tests.support.product import Product
from tests.support.sql_client import Connection, connect
from tests.support.stack import StackEnvironment, stack_for_tests
from tests.support.tenants import Org, create_org, session_jwt

_OVERLAY = Path(__file__).parent / "engine_worker"
_PLACES = {
    "fibo.ts": "src/tasks/steps/fibo/index.ts",
    "init.ts": "src/tasks/init.ts",
    "data-api-time.ts": "src/data-api-time.ts",
    "plain-script.ts": "src/plain-script.ts",
}
_POLL_SECONDS = 0.02
_STATISTICS_SECONDS = 11  # PGSTAT_IDLE_INTERVAL of Postgres, and one second


@dataclass(frozen=True)
class Execution:
    """One execution of a task, in milliseconds."""

    task: str
    wall: float
    cpu: float
    calls: Counter[str]
    in_calls: float
    """The times of all calls to the Data API, added up."""
    waiting: float
    """The time in which calls were under way and the process had nothing else to do."""
    peak_kilobytes: int


@dataclass(frozen=True)
class Bench:
    environment: StackEnvironment
    connection: Connection
    org: Org
    folder: Path
    """Holds the files of all parts. It is deleted when the benchmark ends."""
    project: Path
    http: httpx.AsyncClient

    @property
    def company_id(self) -> str:
        return self.org.first.id

    def admin(self) -> Product:
        """The org's admin, with a session of ten minutes."""
        return Product(self.http, self.environment.api_url, session_jwt(self.environment, self.org.admin))

    async def finished(self, pipeline_run_id: str, *, seconds: float) -> list[Execution]:
        """Waits until the run has succeeded. Returns the executions of its tasks."""
        # Polls the log: polling the database would disturb the measurement.
        deadline = time.monotonic() + seconds
        while "run-pipeline" not in {one.task for one in self._executions(pipeline_run_id)}:
            if time.monotonic() > deadline:
                raise RuntimeError(f"The run {pipeline_run_id} had not ended after {seconds:.0f} s.")
            await asyncio.sleep(_POLL_SECONDS)
        status = self._status(pipeline_run_id)
        if status != "succeeded":
            raise RuntimeError(f"The run {pipeline_run_id} is {status}.")
        return self._executions(pipeline_run_id)

    async def settled_database_time(self) -> float:
        """`database_time` once every backend has reported: an idle one reports after a while."""
        await asyncio.sleep(_STATISTICS_SECONDS)
        return self.database_time()

    def database_time(self) -> float:
        """The milliseconds that Postgres has worked in the stack's database, commits included."""
        query = "select active_time from pg_stat_database where datname = current_database()"
        row = self.connection.execute(query).fetchone()
        assert row
        return float(row[0])

    def _status(self, pipeline_run_id: str) -> str:
        query = "select status::text from public.pipeline_runs where id = %s"
        row = self.connection.execute(query, [pipeline_run_id]).fetchone()
        assert row
        return str(row[0])

    def _executions(self, pipeline_run_id: str) -> list[Execution]:
        log = _log(self.project)
        lines = log.read_text().splitlines() if log.exists() else []
        told = [json.loads(line) for line in lines]
        return [_execution(line) for line in told if f"pipeline_run:{pipeline_run_id}" in line["tags"]]


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    """A stack with the benchmark's worker, an org and a company."""
    project = copy_project(folder / "trigger")
    with (
        stack_for_tests(folder / "stack", "all", trigger_folder=project, durable=True) as environment,
        connect(environment) as connection,
    ):
        org = create_org(connection, "engine")
        async with httpx.AsyncClient(trust_env=False) as http:
            yield Bench(environment, connection, org, folder, project, http)


def copy_project(folder: Path) -> Path:
    """The product's Trigger.dev project with the benchmark's files in it."""
    shutil.copytree(
        TRIGGER_FOLDER, folder, ignore=shutil.ignore_patterns("node_modules", ".trigger", "*.test.ts")
    )
    (folder / "node_modules").symlink_to(TRIGGER_FOLDER / "node_modules")
    for name, place in _PLACES.items():
        (folder / place).parent.mkdir(exist_ok=True)
        shutil.copyfile(_OVERLAY / name, folder / place)
    with (folder / "src/tasks/steps/index.ts").open("a") as steps:
        steps.write('export { fiboStep } from "./fibo";\n')
    # The CLI hands this file's variables to the processes that execute tasks.
    (folder / ".env").write_text(f"ENGINE_BENCHMARK_LOG={_log(folder)}\n")
    return folder


def _log(project: Path) -> Path:
    return project / "executions.jsonl"


def _execution(line: dict[str, Any]) -> Execution:
    data_api = line["data_api"]
    return Execution(
        task=line["task"],
        wall=line["wall_ms"],
        cpu=line["cpu_ms"],
        calls=Counter(data_api["calls"]),
        in_calls=data_api["callsMs"],
        waiting=data_api["waitingMs"],
        peak_kilobytes=line["peak_kilobytes"],
    )
