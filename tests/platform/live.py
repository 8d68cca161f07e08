"""The platform as a process, with the real CLI connected to it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.platform.bench import ACCESS_TOKEN, PROJECT_REF, SECRET_KEY
from tests.support.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
PROJECT = Path(__file__).parent / "project"
NODE_MODULES = REPOSITORY / "trigger" / "node_modules"

JsonObject = dict[str, Any]

FINISHED = frozenset({"COMPLETED", "CANCELED", "FAILED", "CRASHED", "SYSTEM_FAILURE", "EXPIRED", "TIMED_OUT"})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class LivePlatform:
    """A platform process of its own on a free port."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.client = httpx.Client(
            base_url=self.url, headers={"authorization": f"Bearer {SECRET_KEY}"}, timeout=10
        )
        variables = directory / "variables.json"
        variables.write_text('{"PLATFORM_TEST_VARIABLE": "42"}')
        own = {
            "TRIGGER_ACCESS_TOKEN": ACCESS_TOKEN,
            "TRIGGER_SECRET_KEY": SECRET_KEY,
            "TRIGGER_PROJECT_REF": PROJECT_REF,
            "TASK_ENVIRONMENT_FILE": str(variables),
            "TRIGGER_SESSION_GRACE_SECONDS": "1",
        }
        port = self.url.rpartition(":")[2]
        self._log = (directory / "platform.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local.trigger_platform", "--port", port],
            cwd=REPOSITORY,
            env={**os.environ, **own, **environment},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until("the platform answers", self.health)
        except BaseException:
            self.process.kill()
            raise

    def health(self) -> JsonObject | None:
        assert self.process.poll() is None, Path(self._log.name).read_text()
        try:
            health: JsonObject = self.client.get("/healthz").json()
        except httpx.TransportError:
            return None
        return health

    def stop(self) -> float:
        """Stop the process as the stack does and return how many seconds that took."""
        started = time.monotonic()
        self.process.terminate()
        self.process.wait(10)
        self.client.close()
        self._log.close()
        return time.monotonic() - started

    def trigger(self, task_id: str, payload: object = None, **options: object) -> str:
        body = {"payload": payload, "options": options}
        response = self.client.post(f"/api/v1/tasks/{task_id}/trigger", json=body)
        assert response.status_code == 200, response.text
        run_id: str = response.json()["id"]
        return run_id

    def retrieve(self, run_id: str) -> JsonObject:
        headers = {"x-trigger-api-version": "2025-07-16"}
        run: JsonObject = self.client.get(f"/api/v3/runs/{run_id}", headers=headers).json()
        return run

    def until(self, run_id: str, *statuses: str) -> JsonObject:
        """Return the run as soon as it has one of the statuses; by default, as soon as it is over."""
        wanted = set(statuses) or FINISHED

        def probe() -> JsonObject | None:
            run = self.retrieve(run_id)
            return run if run["status"] in wanted else None

        return wait_until(f"{run_id} becomes {sorted(wanted)}", probe)

    def run(self, task_id: str, payload: object = None, **options: object) -> JsonObject:
        return self.until(self.trigger(task_id, payload, **options))


class Cli:
    """`trigger.dev dev` in a copy of the fixture project, with a process group of its own."""

    def __init__(self, platform: LivePlatform, directory: Path) -> None:
        self._platform = platform
        self.project = directory / "project"
        shutil.copytree(PROJECT, self.project, ignore=shutil.ignore_patterns(".trigger", "node_modules"))
        (self.project / "node_modules").symlink_to(NODE_MODULES)
        self._log_path = directory / "cli.log"
        self._log = self._log_path.open("wb")
        self.process = self._start()

    def restart(self) -> None:
        self._clear_group()
        self.process = self._start()

    def kill(self) -> None:
        """Kill the CLI alone, without warning; its watchdog survives it."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        self._clear_group()
        self._log.close()

    def _clear_group(self) -> None:
        """Kill the workers and the bundler that a CLI left behind."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _start(self) -> subprocess.Popen[bytes]:
        executable = str(NODE_MODULES / ".bin" / "trigger")
        process = subprocess.Popen(
            [executable, "dev", "--skip-update-check", "--skip-telemetry", "--log-level", "log"],
            cwd=self.project,
            env={
                **os.environ,
                "TRIGGER_API_URL": self._platform.url,
                "TRIGGER_ACCESS_TOKEN": ACCESS_TOKEN,
                "TRIGGER_PROJECT_REF": PROJECT_REF,
            },
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

        def is_registered() -> bool:
            assert process.poll() is None, self._log_path.read_text()
            return bool((self._platform.health() or {})["worker"])

        try:
            wait_until("the CLI registers its worker", is_registered, seconds=120)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return process
