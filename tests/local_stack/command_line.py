"""`python -m local` on a stack in a folder and on ports of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import httpx
from dotenv import dotenv_values

from local.processes import marked_processes
from local.settings import ROOT
from local.state import StackState, read_state
from tests.support.stack import free_port_base

_LISTENED = {"Supabase": 1, "PostgreSQL": 2}


@dataclass(frozen=True)
class CommandLine:
    directory: Path
    port_base: int

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command, *rest = arguments
        return subprocess.run(
            [sys.executable, "-m", "local", command, "--dir", str(self.directory), *rest],
            cwd=ROOT,
            env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def up(self, port_base: int | None = None) -> subprocess.CompletedProcess[str]:
        base = str(port_base or self.port_base)
        return self.run("up", "--only", "supabase", "--detach", "--port-base", base)

    def started(self) -> None:
        up = self.up()
        assert up.returncode == 0, up.stderr

    def environment(self) -> dict[str, str]:
        values = dotenv_values(stream=StringIO(self.run("env").stdout))
        return {name: value for name, value in values.items() if value is not None}

    def state(self) -> StackState:
        state = read_state(self.directory)
        assert state is not None
        return state

    def auth(self, path: str, email: str) -> int:
        variables = self.environment()
        answer = httpx.post(
            f"{variables['SUPABASE_URL']}/auth/v1/{path}",
            headers={"apikey": variables["SUPABASE_PUBLISHABLE_KEY"]},
            json={"email": email, "password": "correct horse battery staple"},
            timeout=20,
        )
        return answer.status_code

    def nothing_is_left(self) -> bool:
        ports = (self.port_base + offset for offset in _LISTENED.values())
        return not marked_processes(self.directory) and not any(map(_is_listening, ports))


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def new_stack(directory: Path) -> Iterator[CommandLine]:
    """A stack that runs, stopped when the block ends."""
    stack = CommandLine(directory, free_port_base())
    try:
        stack.started()
        yield stack
    finally:
        stack.run("down")
