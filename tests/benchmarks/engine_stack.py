"""The stack of the benchmark: the product's own worker, with one step more and an observer.

Trigger.dev builds a copy of trigger/ to which tests/benchmarks/engine_worker adds the step `fibo`, and a
hook that writes a line for each execution of a task: how long it took, how much of that it waited for the
Data API.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local.settings import TRIGGER_FOLDER
from tests.database.client import Connection, connect
from tests.end_to_end.product import Product
from tests.stack import StackEnvironment, stack_for_tests
from tests.tenants import Org, create_org, session_jwt

_OVERLAY = Path(__file__).parent / "engine_worker"
_PLACES = {
    "fibo.ts": "src/tasks/steps/fibo.ts",
    "init.ts": "src/tasks/init.ts",
    "registry.ts": "src/registry.ts",
    "data-api-time.ts": "src/data-api-time.ts",
    "plain-script.ts": "src/plain-script.ts",
}
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Execution:
    """One execution of a task, in milliseconds."""

    task: str
    wall: float
    cpu: float
    data_api_under_way: float
    data_api_waiting: float
    """Of the time under way, that in which the process had nothing else to do."""
    calls: Counter[str]
    peak_kilobytes: int


@dataclass(frozen=True)
class Bench:
    environment: StackEnvironment
    connection: Connection
    org: Org
    folder: Path
    """For what the parts leave; goes with the benchmark."""
    project: Path
    http: httpx.AsyncClient

    @property
    def has_postgrest(self) -> bool:
        return bool(self.environment.variables.get("POSTGREST_BIN"))

    @property
    def company_id(self) -> str:
        return self.org.first.id

    def admin(self) -> Product:
        """The org's admin, whose session holds for ten minutes."""
        return Product(self.http, self.environment.api_url, session_jwt(self.environment, self.org.admin))

    async def finished(self, pipeline_run_id: str, *, seconds: float) -> list[Execution]:
        """What the worker did for a run, once it has succeeded."""

        def over() -> bool:
            status = self._status(pipeline_run_id)
            if status in {"failed", "cancelled", "succeeded_with_errors"}:
                raise RuntimeError(f"The run {pipeline_run_id} ended as {status}.")
            return status == "succeeded"

        def told() -> bool:
            return any(execution.task == "run-pipeline" for execution in self._executions(pipeline_run_id))

        await _until(over, seconds=seconds)
        await _until(told, seconds=30)
        return self._executions(pipeline_run_id)

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
        stack_for_tests(folder / "stack", "all", trigger_folder=project) as environment,
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
    (folder / "src" / "registry.ts").rename(folder / "src" / "product-registry.ts")
    for name, place in _PLACES.items():
        shutil.copyfile(_OVERLAY / name, folder / place)
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
        data_api_under_way=data_api["underWayMs"],
        data_api_waiting=data_api["waitingMs"],
        calls=Counter(data_api["calls"]),
        peak_kilobytes=line["peak_kilobytes"],
    )


async def _until(holds: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"Not within {seconds:.0f} s.")
        await asyncio.sleep(_POLL_SECONDS)
