"""Prefect and DBOS, set up as their documentation says, each in one process for all rounds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local.probe import probe
from local.processes import Command, ManagedProcess
from tests.benchmarks.engine_stack import Bench
from tests.support.stack import free_port_base

_FOLDER = Path(__file__).parent
_BIN = _FOLDER / ".venv" / "bin"
_DATABASE = "engine_benchmark_dbos"


@dataclass(frozen=True)
class Peer:
    """A process that makes one run for each line, and answers with the seconds that it took."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def run(self) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} ended. Its log says: {self.log.read_text()[-2000:]}")
        return float(answer)


@contextmanager
def prefect(bench: Bench, steps: int) -> Iterator[Peer]:
    """The server of `prefect server start`, on SQLite, and a process that calls the flow."""
    port = free_port_base()
    address = f"http://127.0.0.1:{port}/api"
    own = {
        "PREFECT_HOME": str(bench.folder / "prefect"),
        "PREFECT_API_URL": address,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    arguments = [str(_BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    command = Command("prefect-server", arguments, bench.folder, own)
    server = ManagedProcess(command, directory=bench.folder, log=bench.folder / "prefect-server.log")
    try:
        server.wait_until(lambda: _answers(f"{address}/health"), seconds=120)
        with _peer(bench, "engine_peer_prefect.py", steps, own) as peer:
            yield peer
    finally:
        server.stop()


@contextmanager
def dbos(bench: Bench, steps: int) -> Iterator[Peer]:
    """A process that calls the workflow, with a database of its own on the stack's Postgres server."""
    bench.connection.execute(f"create database {_DATABASE}")
    try:
        url = urlsplit(bench.environment.database_url)._replace(path=_DATABASE).geturl()
        with _peer(bench, "engine_peer_dbos.py", steps, {"DBOS_SYSTEM_DATABASE_URL": url}) as peer:
            yield peer
    finally:
        bench.connection.execute(f"drop database {_DATABASE} with (force)")


@contextmanager
def _peer(bench: Bench, script: str, steps: int, environment: dict[str, str]) -> Iterator[Peer]:
    with ExitStack() as stack:
        log = bench.folder / f"{script}.log"
        output = stack.enter_context(log.open("wb"))
        process = stack.enter_context(
            subprocess.Popen(
                [_BIN / "python", _FOLDER / script, str(steps)],
                cwd=bench.folder,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
        )
        try:
            yield Peer(script, process, log)
        except BaseException:
            process.kill()
            raise
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=60)


def _answers(url: str) -> bool:
    answer = probe(url)
    return answer is not None and answer.status_code == 200
