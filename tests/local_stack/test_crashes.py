"""A part of a stack is killed, or the process that started it: nothing is left behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.local_stack.command_line import CommandLine, new_stack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[CommandLine]:
    with new_stack(tmp_path) as stack:
        yield stack


def test_down_cleans_up_after_a_crash_of_whoever_started_the_stack(stack: CommandLine) -> None:
    os.kill(stack.state().owner.pid, 9)
    wait_until("the owner is gone", lambda: not stack.state().owner.alive(), seconds=60)
    assert "crashed" in stack.run("status").stdout
    assert stack.run("down").returncode == 0
    assert stack.nothing_is_left()


def test_a_lock_that_a_zombie_holds_does_not_keep_the_database_down(stack: CommandLine) -> None:
    assert stack.run("down").returncode == 0
    with subprocess.Popen(["true"]) as zombie:
        wait_until("it is a zombie", lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_ZOMBIE)
        (stack.directory / "postgres/data/postmaster.pid").write_text(f"{zombie.pid}\n")
        stack.started()


def test_a_process_that_dies_later_ends_the_stack_with_a_sentence(stack: CommandLine) -> None:
    server = stack.state().processes["supabase"]
    os.kill(server.pid, 9)
    wait_until("the owner is gone", lambda: not stack.state().owner.alive(), seconds=60)
    assert stack.nothing_is_left()
    status = stack.run("status")
    assert status.returncode == 1
    assert "supabase stopped (ended by SIGKILL)" in status.stdout


def test_a_database_that_dies_takes_its_server_along(stack: CommandLine) -> None:
    server = psutil.Process(stack.state().processes["supabase"].pid)
    (database,) = server.children()
    os.kill(database.pid, 9)
    wait_until("the owner is gone", lambda: not stack.state().owner.alive(), seconds=60)
    assert "PostgreSQL stopped" in stack.run("status").stdout
    assert stack.nothing_is_left()
