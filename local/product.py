"""The product's own processes: their commands, and the probes that say when each is ready."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import httpx

from local.derived_secrets import demo_webhook_secret
from local.probe import probe
from local.processes import Command, ManagedProcess
from local.settings import ROOT, TRIGGER_FOLDER


def publish_registry(environment: Mapping[str, str], *, folder: Path) -> Command:
    """Writes the step registry of the Trigger.dev project in `folder` into the database."""
    return Command("publish-registry", ["npm", "run", "publish-registry"], folder, environment)


def trigger_platform(environment: Mapping[str, str], *, port: int, task_environment: Path) -> Command:
    """The local Trigger.dev control plane."""
    return Command(
        "trigger-platform",
        [sys.executable, "-m", "local.trigger_platform", "--port", str(port)],
        ROOT,
        {**environment, "TASK_ENVIRONMENT_FILE": str(task_environment)},
    )


def trigger_worker(environment: Mapping[str, str], *, folder: Path, branch: str | None) -> Command:
    """Trigger.dev's CLI, which builds the tasks in `folder` and executes them.

    It ends any other session in this folder on the same branch, so each stack has its own branch.
    """
    variables = {**environment, "TRIGGER_DEV_BRANCH": branch} if branch else environment
    return Command("trigger-worker", ["npm", "run", "dev"], folder, variables)


def worker_branch(directory: Path) -> str:
    """The CLI's branch for the stack in `directory`."""
    return f"stack-{sha256(bytes(directory)).hexdigest()[:12]}"


def remove_worker_files(directory: Path) -> None:
    """Removes the builds that the CLI leaves behind when it is killed: tens of megabytes each time."""
    for path in (TRIGGER_FOLDER / ".trigger").glob(f"*{worker_branch(directory)}-*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def api(environment: Mapping[str, str], *, port: int, directory: Path) -> Command:
    """The API. It runs in the stack's folder, since the .env of the repository is for hosted services."""
    return Command(
        "api",
        [
            *(sys.executable, "-m", "api"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        directory,
        {**environment, "PYTHONPATH": str(ROOT)},
    )


def webhook_receiver(environment: Mapping[str, str], *, port: int) -> Command:
    """A customer's webhook receiver, with an inbox."""
    return Command(
        "webhook-receiver",
        [sys.executable, "-m", "local.webhook_receiver", "--port", str(port)],
        ROOT,
        {"WEBHOOK_SECRET": demo_webhook_secret(environment)},
    )


def receiver_answers(url: str) -> bool:
    """Whether the webhook receiver answers."""
    return _get(f"{url}/messages") is not None


def platform_answers(url: str) -> bool:
    """Whether the control plane answers. It may have no worker yet."""
    return _get(f"{url}/healthz") is not None


def worker_is_ready(worker: ManagedProcess) -> bool:
    """Whether the CLI runs and has said that the platform has its tasks. Every platform's CLI says so."""
    return not worker.has_ended and b"Local worker ready" in worker.output()


def api_answers(url: str) -> bool:
    """Whether the API is ready, its dependencies included."""
    return _get(f"{url}/readyz") is not None


def _get(url: str) -> httpx.Response | None:
    """The answer if its status is 200, else None."""
    answer = probe(url)
    return answer if answer is not None and answer.status_code == 200 else None
