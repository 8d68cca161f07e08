"""Starts, watches and stops the stack's processes.

Each process leads its own process group and has its stack's folder in an environment variable, the mark.
`sweep` finds processes by this mark: unlike a pid it is never reused, grandchildren inherit it, and it stays
after the stack's owner has crashed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.errors import StackError

_MARK = "DATA_ENGINE_X_STACK"
# The shell may have these for another project, so a process gets only those of its command.
_NOT_INHERITED = ("SUPABASE_", "TRIGGER_", "PGRST_")
_POLL_SECONDS = 0.05
_LAST_LINES = 12


@dataclass(frozen=True)
class Identity:
    """A pid and its start time, since a later process may get the same pid."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Identity:
        return cls(pid, psutil.Process(pid).create_time())

    def alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.started and _runs(process)
        except psutil.NoSuchProcess:
            return False

    def end(self, *, seconds: float) -> None:
        """Terminates the process, and kills it if it does not end in time."""
        if self.alive():
            end_processes([psutil.Process(self.pid)], seconds=seconds)


@dataclass(frozen=True)
class Command:
    """A process of the stack: its name and how to run it."""

    name: str
    arguments: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]


class ManagedProcess:
    """A running process of the stack, with its own log."""

    def __init__(self, command: Command, *, directory: Path, log: Path, log_goes_on: bool = False) -> None:
        self.name = command.name
        self.command = command
        self.log = log
        self._log_start = log.stat().st_size if log_goes_on and log.exists() else 0
        try:
            with log.open("ab" if log_goes_on else "wb") as output:
                self._process = subprocess.Popen(
                    command.arguments,
                    cwd=command.cwd,
                    env={**_inherited(), **command.environment, _MARK: str(directory)},
                    stdin=subprocess.PIPE,  # closes when this process dies, and the Supabase server then ends
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise StackError(f"{self.name} cannot be started: {error}.") from error
        self.identity = Identity.of(self._process.pid)

    def output(self) -> bytes:
        """What this process has written to its log, without what an earlier one wrote."""
        with self.log.open("rb") as written:
            written.seek(self._log_start)
            return written.read()

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Returns once `ready()` is true; raises StackError if the process ends first or time runs out."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} was not ready after {seconds:.0f} s. {self._evidence()}")
            time.sleep(_POLL_SECONDS)

    def wait(self, *, seconds: float) -> None:
        """Returns once the process has succeeded; raises StackError if it fails or takes too long."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise StackError(f"{self.name} took longer than {seconds:.0f} s. {self._evidence()}") from error
        if code != 0:
            raise StackError(f"{self.name} failed ({_ending(code)}). {self._evidence()}")

    def check(self) -> None:
        """Raises StackError if the process has ended."""
        code = self._process.poll()
        if code is not None:
            raise StackError(f"{self.name} stopped ({_ending(code)}). {self._evidence()}")

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self, *, seconds: float = 10) -> None:
        """Terminates the process, then kills what is left of its group."""
        _signal_group(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):  # the kill below ends it
            self._process.wait(seconds)
        _signal_group(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _evidence(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        quoted = "".join(f"\n  {line}" for line in lines)
        return f"The end of {self.log}:{quoted}" if lines else f"Its log {self.log} is empty."


def marked_processes(directory: Path) -> list[psutil.Process]:
    """Every live process of the stack in `directory`, no matter which process started it."""
    return processes_with(_MARK, str(directory))


def processes_with(variable: str, value: str) -> list[psutil.Process]:
    """Every live process that was started with this variable in its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get(variable) == value
            if marked and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has just ended, or belongs to another user
    return found


def sweep(directory: Path, *, seconds: float = 5) -> int:
    """Ends all processes of the stack in `directory`; returns how many there were."""
    leftovers = marked_processes(directory)
    end_processes(leftovers, seconds=seconds)
    return len(leftovers)


def end_processes(processes: Sequence[psutil.Process], *, seconds: float) -> None:
    """Terminates the processes, and kills those that have not ended in time."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    deadline = time.monotonic() + seconds
    while any(map(_runs, processes)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    for process in filter(_runs, processes):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    while any(map(_runs, processes)):
        time.sleep(_POLL_SECONDS)


def _runs(process: psutil.Process) -> bool:
    """A zombie has ended: its parent may take long to collect it, and never does in some containers."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}


def _signal_group(group: int, number: signal.Signals) -> None:
    # The id of a group is not reused while a member lives, so this reaches the children of a dead leader too.
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"ended by {signal.Signals(-code).name}"
