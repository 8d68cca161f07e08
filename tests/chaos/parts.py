"""The parts of a full local stack. Each can be killed and started again in its place."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import psutil

from local import product
from local.errors import StackError
from local.processes import ManagedProcess, marked_processes
from local.settings import SupabaseService, read_settings
from local.stack import Stack
from local.supabase_server import auth_answers, data_api_answers
from tests.support.stack import StackEnvironment, free_port_base, own_postgrest, terminated_like_interrupted
from tests.support.stack_processes import connected_from, executes_tasks, executing_tasks
from tests.support.waiting import eventually

Part = Literal["supabase", "trigger-platform", "trigger-worker", "api"]
_READY_SECONDS = 180
_IN_ORDER: tuple[Part, ...] = ("trigger-platform", "supabase", "trigger-worker", "api")


class Parts:
    """`supabase`: PostgreSQL and the Data API; `trigger-platform`: control plane; `trigger-worker`: CLI."""

    def __init__(self, stack: Stack, environment: StackEnvironment) -> None:
        self.environment = environment
        self._stack = stack
        supabase = SupabaseService(
            environment.supabase_url,
            environment.publishable_key,
            environment.secret_key,
            environment.jwt_secret,
            environment.database_url,
        )
        self._answers: dict[Part, Callable[[], bool]] = {
            "supabase": lambda: auth_answers(supabase) and data_api_answers(supabase),
            "trigger-platform": lambda: product.platform_answers(environment.trigger_api_url),
            "trigger-worker": lambda: product.worker_is_ready(self._process("trigger-worker")),
            "api": lambda: product.api_answers(environment.api_url),
        }

    def task_processes(self) -> list[psutil.Process]:
        return executing_tasks(self.environment.directory)

    def connected_from(self, port: int) -> psutil.Process | None:
        return connected_from(self.environment.directory, port)

    async def kill(self, part: Part, *, with_children: bool = True) -> None:
        """Sends SIGKILL. Returns when the part has ended and no longer answers."""
        process = self._process(part)
        for victim in self._of_group(process.identity.pid, with_children):
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        await eventually(self._is_there(part, process), lambda there: not there, seconds=_READY_SECONDS)

    async def kill_postgres(self) -> None:
        """Sends SIGKILL to PostgreSQL's first process. Its sessions and the stand-in end by themselves."""
        lock = self.environment.directory / "postgres" / "data" / "postmaster.pid"
        process = self._process("supabase")
        os.kill(int(lock.read_text().splitlines()[0]), signal.SIGKILL)
        await eventually(self._is_there("supabase", process), lambda there: not there, seconds=_READY_SECONDS)

    async def revive(self) -> None:
        """Starts every part that has ended, in order; returns when all answer."""
        for part in _IN_ORDER:
            if self._process(part).has_ended:
                await self._start(part)

    async def _start(self, part: Part) -> None:
        """Starts the part again if it ends at once: processes killed with it may still be ending."""
        process = self._stack.restart(part)

        async def ready() -> bool:
            nonlocal process
            if process.has_ended:
                process = self._stack.restart(part)
            return await asyncio.to_thread(self._answers[part])

        await eventually(ready, bool, seconds=_READY_SECONDS)

    def _process(self, part: Part) -> ManagedProcess:
        return next(process for process in self._stack.processes if process.name == part)

    def _is_there(self, part: Part, process: ManagedProcess) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            return not process.has_ended or await asyncio.to_thread(self._answers[part])

        return look

    def _of_group(self, group: int, with_children: bool) -> Sequence[psutil.Process]:
        """The group's processes. Without children, tasks and PostgreSQL are left out."""
        found = []
        for process in marked_processes(self.environment.directory):
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                if os.getpgid(process.pid) == group and (with_children or not _is_child(process)):
                    found.append(process)
        return found


def _is_child(process: psutil.Process) -> bool:
    return process.name() == "postgres" or executes_tasks(process)


@contextmanager
def running_parts(directory: Path) -> Iterator[Parts]:
    """A stack of stand-ins while the block runs, even if the shell's variables name other services."""
    settings = read_settings(directory=directory, port_base=free_port_base(), environment=own_postgrest())
    stack = Stack(settings)
    with terminated_like_interrupted():
        variables = stack.start()
        try:
            yield Parts(stack, StackEnvironment.of(directory, "all", variables))
        finally:
            with suppress(StackError):
                stack.stop()
