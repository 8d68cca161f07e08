"""Kills, stops and freezes processes of the stack."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

import psutil
import pytest

from local import product
from local.processes import Command, Identity, ManagedProcess, marked_processes
from local.settings import SupabaseService
from local.state import StackState, read_state, write_state
from local.supabase_server import data_api_answers
from tests.support.stack import StackEnvironment
from tests.support.waiting import eventually

Name = Literal["supabase", "trigger-platform", "trigger-worker", "api"]


def executing_tasks(directory: Path) -> list[psutil.Process]:
    """The processes of the folder's stack that execute a task or wait for one."""
    found = []
    for process in marked_processes(directory):
        with suppress(psutil.NoSuchProcess):
            if executes_tasks(process):
                found.append(process)
    return found


def executes_tasks(process: psutil.Process) -> bool:
    return "".join(process.cmdline()).startswith("trigger-dev-run-worker")


def connected_from(directory: Path, port: int) -> psutil.Process | None:
    """The process of the folder's stack whose side of a connection has this local port."""
    for process in marked_processes(directory):
        with suppress(psutil.NoSuchProcess):
            if any(connection.laddr.port == port for connection in process.net_connections("tcp")):
                return process
    return None


class StackProcesses:
    """`supabase` is database and Data API, `trigger-platform` the control plane, `trigger-worker` the CLI."""

    def __init__(self, stack: StackEnvironment) -> None:
        self._stack = stack
        self._starts = 0
        supabase = SupabaseService(
            stack.supabase_url,
            stack.publishable_key,
            stack.secret_key,
            stack.jwt_secret,
            stack.database_url,
        )
        self._answers: dict[Name, Callable[[], bool]] = {
            "supabase": lambda: data_api_answers(supabase),
            "trigger-platform": lambda: product.platform_answers(stack.trigger_api_url),
        }

    @asynccontextmanager
    async def killed(self, *names: Name) -> AsyncIterator[None]:
        """Kills the processes with their children. When the block ends they are started again, in order."""
        async with self._away(names, signal.SIGKILL):
            yield

    @asynccontextmanager
    async def stopped(self, name: Name) -> AsyncIterator[None]:
        """Stops the process by SIGTERM, so it may clean up. It is started again when the block ends."""
        async with self._away([name], signal.SIGTERM):
            yield

    @contextmanager
    def frozen(self, name: Name) -> Iterator[None]:
        """Suspends the process while the block runs."""
        group = self._identity(name).pid
        os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)

    def executing_tasks(self) -> list[psutil.Process]:
        """The CLI's children that execute a task or wait for one."""
        return executing_tasks(self._stack.directory)

    def client(self, port: int) -> psutil.Process:
        """The process whose side of a connection has this local port."""
        process = connected_from(self._stack.directory, port)
        assert process is not None, f"no process of the stack is connected from port {port}"
        return process

    async def disconnected(self, port: int) -> None:
        """Returns when no process has a connection from this local port."""

        async def connected() -> psutil.Process | None:
            return connected_from(self._stack.directory, port)

        await eventually(connected, lambda process: process is None)

    @asynccontextmanager
    async def _away(self, names: Sequence[Name], how: signal.Signals) -> AsyncIterator[None]:
        commands = [(name, await self._end(name, how)) for name in names]
        try:
            yield
        finally:
            for name, command in commands:
                await self._start(name, command)

    async def _end(self, name: Name, how: signal.Signals) -> Command:
        identity = self._identity(name)
        process = psutil.Process(identity.pid)
        # npm replaces its command line with a title.
        arguments = ["npm", "run", "dev"] if name == "trigger-worker" else process.cmdline()
        command = Command(name, arguments, Path(process.cwd()), process.environ())

        os.killpg(identity.pid, how)
        await eventually(self._alive_or_answering(name, identity), lambda is_there: not is_there, seconds=30)
        return command

    def _alive_or_answering(self, name: Name, identity: Identity) -> Callable[[], Awaitable[bool]]:
        answers = self._answers.get(name, lambda: False)

        async def look() -> bool:
            return identity.alive() or await asyncio.to_thread(answers)

        return look

    async def _start(self, name: Name, command: Command) -> None:
        self._starts += 1
        log = self._stack.log_directory / f"{name}.restart-{self._starts}.log"
        process = ManagedProcess(command, directory=self._stack.directory, log=log)
        state = self._state()
        processes = {**state.processes, name: process.identity}
        # Other tests look the process up in the state. The stack ends it anyway, as it runs in its folder.
        write_state(self._stack.directory, replace(state, processes=processes))

        answers = self._answers.get(name, lambda: product.worker_is_ready(process))

        async def ready() -> bool:
            process.check()
            return await asyncio.to_thread(answers)

        await eventually(ready, bool, seconds=120)

    def _identity(self, name: Name) -> Identity:
        processes = self._state().processes
        if name not in processes:
            pytest.skip(f"{name} is a service of its own, which this test cannot kill")
        return processes[name]

    def _state(self) -> StackState:
        state = read_state(self._stack.directory)
        assert state is not None
        return state
