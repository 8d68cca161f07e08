"""`python -m local` on real stacks: several at a time, through crashes, and nothing left behind."""

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import httpx
import psutil
import pytest
from dotenv import dotenv_values

from local.processes import Identity, marked_processes
from local.settings import ROOT
from local.state import StackState, read_state
from tests.support.stack import free_port_base
from tests.support.waiting import wait_until

LISTENED = {"Supabase": 1, "PostgreSQL": 2}


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
        ports = (self.port_base + offset for offset in LISTENED.values())
        return not marked_processes(self.directory) and not any(map(is_listening, ports))


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def new_stack(directory: Path) -> Iterator[CommandLine]:
    stack = CommandLine(directory, free_port_base())
    try:
        stack.started()
        yield stack
    finally:
        stack.run("down")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    yield from new_stack(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    yield from new_stack(tmp_path_factory.mktemp("second"))


def test_two_stacks_run_side_by_side_and_share_nothing(first: CommandLine, second: CommandLine) -> None:
    assert first.auth("signup", "ada@example.com") == 200
    assert second.auth("token?grant_type=password", "ada@example.com") == 400
    assert second.auth("signup", "ada@example.com") == 200
    ours, theirs = first.environment(), second.environment()
    secrets = [name for name in ours if re.search("KEY|SECRET|TOKEN|REF|URL", name)]
    assert all(ours[name] != theirs[name] for name in secrets)


def test_env_prints_lines_that_dotenv_and_a_shell_read_alike(first: CommandLine) -> None:
    printed = first.run("env").stdout
    shell = dict(word.split("=", 1) for word in shlex.split(printed))
    assert shell == first.environment()


def test_env_prints_every_variable_of_the_example_that_has_a_value_here(first: CommandLine) -> None:
    listed = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    optional = {"SUPABASE_JWKS_URL", "SUPABASE_JWT_SIGNING_KEY", "POSTGREST_BIN"}
    optional |= {name for name in listed if name.startswith("OTEL_")}
    assert set(first.environment()) == listed - optional


def test_what_env_prints_is_for_the_owner_alone(first: CommandLine) -> None:
    secret = first.environment()["SUPABASE_SECRET_KEY"]
    readable = [
        path
        for path in first.directory.rglob("*")
        if path.is_file() and path.stat().st_mode & 0o077 and secret.encode() in path.read_bytes()
    ]
    assert readable == []


def test_status_and_logs_tell_about_a_running_stack(first: CommandLine) -> None:
    status = first.run("status")
    assert status.returncode == 0
    assert status.stdout.startswith("ready")
    assert re.search(r"supabase +running", status.stdout)
    assert "Supabase listens on" in first.run("logs", "supabase").stdout
    unknown = first.run("logs", "nonsense")
    assert unknown.returncode == 1
    assert "supabase" in unknown.stderr


def test_a_second_stack_in_the_same_folder_is_refused_and_the_first_lives_on(first: CommandLine) -> None:
    up = first.up(free_port_base())
    assert up.returncode == 1
    assert "already" in up.stderr
    assert first.run("status").returncode == 0


def test_a_taken_port_is_refused_and_nothing_is_left_running(first: CommandLine, tmp_path: Path) -> None:
    up = CommandLine(tmp_path, first.port_base).up()
    assert up.returncode == 1
    assert f"Port {first.port_base + 1}, which Supabase needs, is taken" in up.stderr
    assert marked_processes(tmp_path) == []
    assert first.run("status").returncode == 0


def test_down_leaves_nothing_listening_and_up_finds_what_was_stored(first: CommandLine) -> None:
    assert first.auth("signup", "grace@example.com") == 200
    before = first.environment()
    assert first.run("down").returncode == 0
    assert first.nothing_is_left()
    assert first.run("status").returncode == 1
    first.started()
    assert "up to date" in first.run("logs", "migrations").stdout
    assert first.environment() == before
    assert first.auth("token?grant_type=password", "grace@example.com") == 200


def test_down_cleans_up_after_a_crash_of_whoever_started_the_stack(first: CommandLine) -> None:
    os.kill(first.state().owner.pid, 9)
    wait_until("the owner is gone", lambda: not first.state().owner.alive(), seconds=60)
    assert "crashed" in first.run("status").stdout
    assert first.run("down").returncode == 0
    assert first.nothing_is_left()


def test_a_lock_that_a_zombie_holds_does_not_keep_the_database_down(first: CommandLine) -> None:
    with subprocess.Popen(["true"]) as zombie:
        wait_until("it is a zombie", lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_ZOMBIE)
        (first.directory / "postgres/data/postmaster.pid").write_text(f"{zombie.pid}\n")
        first.started()


def test_a_process_that_dies_later_ends_the_stack_with_a_sentence(second: CommandLine) -> None:
    server = second.state().processes["supabase"]
    os.kill(server.pid, 9)
    wait_until("the owner is gone", lambda: not second.state().owner.alive(), seconds=60)
    assert second.nothing_is_left()
    status = second.run("status")
    assert status.returncode == 1
    assert "supabase stopped (ended by SIGKILL)" in status.stdout


def test_a_database_that_dies_takes_its_server_along(second: CommandLine) -> None:
    second.started()
    server = psutil.Process(second.state().processes["supabase"].pid)
    (database,) = server.children()
    os.kill(database.pid, 9)
    wait_until("the owner is gone", lambda: not second.state().owner.alive(), seconds=60)
    assert "PostgreSQL stopped" in second.run("status").stdout
    assert second.nothing_is_left()


def test_ctrl_c_stops_a_stack_in_the_foreground(second: CommandLine) -> None:
    arguments = ["--only", "supabase", "--dir", str(second.directory), "--port-base", str(second.port_base)]
    with subprocess.Popen(
        [sys.executable, "-m", "local", "up", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        lines = []
        for line in up.stdout:
            lines.append(line)
            if "Ready:" in line:
                break
        assert Identity.of(up.pid) == second.state().owner
        os.kill(up.pid, 2)
        os.kill(up.pid, 2)  # an impatient second one must not leave anything behind
        assert up.wait(60) == 0
    assert any(re.match(r" +supabase \| Supabase listens on", line) for line in lines)
    assert second.nothing_is_left()
