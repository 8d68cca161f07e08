"""`python -m local` on real stacks: several at a time, and nothing is left behind."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.ports import check_ports
from local.processes import Identity, marked_processes
from local.settings import ROOT, read_settings
from tests.local_stack.command_line import CommandLine, new_stack
from tests.support.stack import free_port_base


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with new_stack(tmp_path_factory.mktemp("first")) as stack:
        yield stack


def test_two_stacks_run_side_by_side_and_share_nothing(first: CommandLine, tmp_path: Path) -> None:
    with new_stack(tmp_path) as second:
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
    optional = {"INVITATION_REDIRECT_URL", "SUPABASE_JWKS_URL", "SUPABASE_JWT_SIGNING_KEY", "POSTGREST_BIN"}
    optional |= {name for name in listed if name.startswith(("OTEL_", "UPLOAD_", "MAX_OPEN_UPLOADS"))}
    optional |= {name for name in listed if name.startswith("MAX_UPLOAD_")} - {"MAX_UPLOAD_BYTES"}
    assert set(first.environment()) == listed - optional


def test_only_the_owner_can_read_files_with_secrets(first: CommandLine) -> None:
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


def test_nothing_that_waits_for_a_stack_leaves_an_error_in_its_log(first: CommandLine) -> None:
    log = first.run("logs", "supabase").stdout
    assert "permission denied" not in log
    assert re.findall(r"^ +at .*$", log, re.MULTILINE) == []


def test_up_says_what_to_open(first: CommandLine) -> None:
    printed = first.run("logs", "stack").stdout
    assert f"Supabase   {first.environment()['SUPABASE_URL']}" in printed
    for name in ("mail", "sql", "env"):
        assert f".venv/bin/python -m local {name} --dir {first.directory}" in printed


def test_sql_prints_the_rows_of_every_statement_or_the_error_of_postgresql(first: CommandLine) -> None:
    printed = first.run("sql", "select current_user as who, null as nothing; table ops.org_overview")
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.startswith("who      | nothing\n---------+--------\npostgres |\nSELECT 1\n")
    assert printed.stdout.endswith("SELECT 0\n")
    refused = first.run("sql", "selec 1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "syntax error" in refused.stderr


def test_a_second_stack_in_the_same_folder_is_refused_and_the_first_lives_on(first: CommandLine) -> None:
    up = first.up(free_port_base())
    assert up.returncode == 1
    assert "already" in up.stderr
    assert first.run("status").returncode == 0


def test_a_taken_port_is_refused_and_nothing_is_left_running(first: CommandLine, tmp_path: Path) -> None:
    up = CommandLine(tmp_path, first.port_base).up()
    assert up.returncode == 1
    taken = f"Ports {first.port_base + 1} (Supabase), {first.port_base + 2} (PostgreSQL) are taken."
    assert taken in up.stderr
    (offered,) = re.findall(r"^Type: .*--port-base (\d+)$", up.stderr, re.MULTILINE)
    check_ports(read_settings(port_base=int(offered), environment={}).taken_ports, int(offered))
    assert marked_processes(tmp_path) == []
    assert first.run("status").returncode == 0


def test_down_leaves_nothing_listening_and_up_finds_what_was_stored(tmp_path: Path) -> None:
    with new_stack(tmp_path) as stack:
        assert stack.auth("signup", "grace@example.com") == 200
        before = stack.environment()
        assert stack.run("down").returncode == 0
        assert stack.nothing_is_left()
        assert stack.run("status").returncode == 1
        stack.started()
        assert "up to date" in stack.run("logs", "migrations").stdout
        assert stack.environment() == before
        assert stack.auth("token?grant_type=password", "grace@example.com") == 200


def test_ctrl_c_stops_a_stack_in_the_foreground(tmp_path: Path) -> None:
    stack = CommandLine(tmp_path, free_port_base())
    arguments = ["--only", "supabase", "--dir", str(stack.directory), "--port-base", str(stack.port_base)]
    with subprocess.Popen(
        [sys.executable, "-m", "local", "up", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        lines = []
        for line in up.stdout:
            lines.append(line)
            if "Ready:" in line:
                break
        assert Identity.of(up.pid) == stack.state().owner
        os.kill(up.pid, 2)
        os.kill(up.pid, 2)  # an impatient second one must not leave anything behind
        assert up.wait(60) == 0
    assert any(re.match(r" +supabase \| Supabase listens on", line) for line in lines)
    assert stack.nothing_is_left()
