"""One local stack: starts its processes in order, waits until each is ready, and stops them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from local import product
from local.cluster_cache import migrated_cluster
from local.credentials import Credentials, generate, load_or_create
from local.environment import build_environment, local_supabase, local_trigger, task_environment
from local.errors import StackError
from local.ports import check_ports
from local.private_file import write_private
from local.processes import Command, Identity, ManagedProcess, sweep
from local.settings import TRIGGER_FOLDER, Scope, StackSettings, SupabaseService, read_settings
from local.state import Phase, StackState, read_state, write_state
from local.supabase_cli import CLI_FOLDER, migration_up
from local.supabase_server import FOLDER, auth_answers, data_api_answers, server_command
from local.tools import check_tools


class Stack:
    """A stack in one folder. The process that starts it owns it, watches its processes and stops them."""

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings
        self.processes: list[ManagedProcess] = []
        self.logs: list[Path] = []  # of every process that was started, ended ones too

    def start(self) -> dict[str, str]:
        """Starts everything and returns the environment once everything is ready.

        If it raises StackError, nothing is left running.
        """
        directory = self.settings.directory
        state = read_state(directory)
        if state is not None and state.running:
            raise StackError(
                f"A stack runs in {directory} already. Stop it with `python -m local down`, "
                "or start this one with another --dir and --port-base."
            )
        self.settings.logs.mkdir(parents=True, exist_ok=True)
        sweep(directory)  # a crashed stack may have left processes
        try:
            tasks = [self.settings.trigger_folder] if self.settings.scope == "all" else []
            check_tools([CLI_FOLDER, FOLDER, *tasks])
            check_ports(self.settings.taken_ports, self.settings.ports.base)
            environment = self._start_services()
        except BaseException as error:
            self.stop(reason=str(error) if isinstance(error, StackError) else None)
            raise
        self._save("ready")
        return environment

    def check(self) -> None:
        """Raises StackError if one of the processes has ended."""
        for process in self.processes:
            process.check()

    def restart(self, name: str) -> ManagedProcess:
        """Starts an ended process again, on the same ports and with the same data and log.

        For tests that kill processes: a stack of `python -m local` ends when one of its processes does.
        Children of the ended process keep running; the Supabase server takes over a running PostgreSQL.
        """
        place = [process.name for process in self.processes].index(name)
        ended = self.processes[place]
        if not ended.has_ended:
            raise StackError(f"{name} runs and cannot be started again.")
        process = ManagedProcess(
            ended.command, directory=self.settings.directory, log=ended.log, log_goes_on=True
        )
        self.processes[place] = process
        self._save("ready")
        return process

    def stop(self, *, reason: str | None = None) -> None:
        """Stops all processes, the last started first. `reason` says why, unless the user asked for it."""
        while self.processes:
            self.processes[-1].stop()
            self.processes.pop()
        sweep(self.settings.directory)
        product.remove_worker_files(self.settings.directory)
        self._save("failed" if reason else "stopped", reason)

    def _start_services(self) -> dict[str, str]:
        settings = self.settings
        credentials = load_or_create(settings.directory / "credentials.json")
        supabase = settings.supabase or local_supabase(settings, credentials)
        trigger = settings.trigger or local_trigger(settings, credentials)
        environment = build_environment(settings, supabase, trigger)
        write_private(environment_file(settings.directory), json.dumps(environment, indent=2))

        if settings.scope == "supabase":
            self._start_supabase(credentials, supabase)
            return environment
        receiver_url = f"http://127.0.0.1:{settings.ports.webhook_receiver}"
        # Building the tasks takes longest and does not need the database.
        worker = self._start_worker(environment)
        self._start_supabase(credentials, supabase)
        api = self._run(product.api(environment, port=settings.ports.api, directory=settings.directory))
        receiver = self._run(product.webhook_receiver(environment, port=settings.ports.webhook_receiver))
        self._run_to_end(product.publish_registry(environment, folder=settings.trigger_folder))
        api.wait_until(lambda: product.api_answers(environment["API_URL"]), seconds=120)
        receiver.wait_until(lambda: product.receiver_answers(receiver_url), seconds=30)
        worker.wait_until(lambda: product.worker_is_ready(worker), seconds=300)
        return environment

    def _start_supabase(self, credentials: Credentials, supabase: SupabaseService) -> None:
        settings = self.settings
        if settings.supabase is not None:
            if settings.migrate:
                self._run_to_end(migration_up(supabase.database_url))
            wait_for_migrations(supabase, seconds=30 if settings.migrate else 5)
            return
        directory = settings.directory / "postgres"
        kept = (directory / "data").exists()
        source: AbstractContextManager[Path | None] = (
            nullcontext() if kept else migrated_cluster(self._build_cluster)
        )
        with source as cluster:
            command = server_command(settings, credentials, supabase, directory=directory, cluster=cluster)
            server = self._run(command)
            server.wait_until(lambda: auth_answers(supabase), seconds=120)
        if kept:
            self._run_to_end(migration_up(supabase.database_url))
        server.wait_until(lambda: data_api_answers(supabase), seconds=120)

    def _build_cluster(self, directory: Path) -> None:
        """Makes and migrates a cluster on this stack's ports, under credentials that nobody keeps."""
        settings = replace(self.settings, durable=True)
        credentials = generate()
        supabase = local_supabase(settings, credentials)
        command = server_command(settings, credentials, supabase, directory=directory)
        server = self._run(replace(command, name="new-cluster"))
        try:
            server.wait_until(lambda: auth_answers(supabase), seconds=120)
            self._run_to_end(migration_up(supabase.database_url))
        finally:
            server.stop()
            self.processes.remove(server)

    def _start_worker(self, environment: Mapping[str, str]) -> ManagedProcess:
        settings = self.settings
        if settings.trigger is not None:
            return self._run(product.trigger_worker(environment, folder=settings.trigger_folder, branch=None))
        url = environment["TRIGGER_API_URL"]
        tasks = settings.directory / "task-environment.json"
        write_private(tasks, json.dumps(task_environment(environment), indent=2))
        port = settings.ports.trigger_platform
        platform = self._run(product.trigger_platform(environment, port=port, task_environment=tasks))
        platform.wait_until(lambda: product.platform_answers(url), seconds=120)
        branch = product.worker_branch(settings.directory)
        return self._run(product.trigger_worker(environment, folder=settings.trigger_folder, branch=branch))

    def _run(self, command: Command) -> ManagedProcess:
        log = self.settings.logs / f"{command.name}.log"
        process = ManagedProcess(command, directory=self.settings.directory, log=log)
        self.processes.append(process)
        self.logs.append(log)
        self._save("starting")
        return process

    def _run_to_end(self, command: Command) -> None:
        self._run(command).wait(seconds=300)
        self.processes.pop()

    def _save(self, phase: Phase, reason: str | None = None) -> None:
        state = StackState(
            phase=phase,
            owner=Identity.of(os.getpid()),
            scope=self.settings.scope,
            port_base=self.settings.ports.base,
            processes={process.name: process.identity for process in self.processes},
            reason=reason,
        )
        write_state(self.settings.directory, state)


@contextmanager
def running_stack(
    directory: Path,
    port_base: int,
    *,
    only: Scope = "all",
    migrate: bool = False,
    durable: bool = True,
    environment: Mapping[str, str] | None = None,
    trigger_folder: Path = TRIGGER_FOLDER,
) -> Iterator[dict[str, str]]:
    """A stack that runs while the block does; yields the variables that `python -m local env` prints.

    `environment` (default: that of the process) may name services that replace stand-ins. `trigger_folder` is
    a Trigger.dev project other than the product's.
    """
    settings = read_settings(
        directory=directory,
        port_base=port_base,
        scope=only,
        migrate=migrate,
        environment=os.environ if environment is None else environment,
    )
    stack = Stack(replace(settings, durable=durable, trigger_folder=trigger_folder))
    variables = stack.start()
    try:
        yield variables
    finally:
        stack.stop()


def stop_stack(directory: Path) -> bool:
    """Stops the stack of a folder, even if its owner has crashed. False if nothing was running."""
    state = read_state(directory)
    was_running = state is not None and state.running
    if state is not None and was_running:
        state.owner.end(seconds=120)
    leftovers = sweep(directory)
    product.remove_worker_files(directory)
    if state is not None and (was_running or leftovers):
        write_state(directory, replace(state, phase="stopped", processes={}, reason=None))
    return was_running or leftovers > 0


def wait_for_migrations(supabase: SupabaseService, *, seconds: float) -> None:
    """Returns once an existing project serves the migrated schema; raises StackError if it does not."""
    deadline = time.monotonic() + seconds
    while not data_api_answers(supabase):
        if time.monotonic() > deadline:
            raise StackError(
                f"The Data API of {supabase.url} does not answer, or lacks the migrations: "
                "add --migrate to apply them, and expose the schemas public and worker."
            )
        time.sleep(0.2)


def environment_file(directory: Path) -> Path:
    """The file with a stack's variables, for `python -m local env`."""
    return directory / "environment.json"
