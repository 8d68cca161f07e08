"""Processes are watched, told apart, and ended with all their children."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from local.errors import StackError
from local.processes import Command, Identity, ManagedProcess, marked_processes, sweep

SLEEP = "import time; time.sleep(300)"
# A parent that ignores SIGTERM and prints the pid of its child.
STUBBORN = f"""
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(child.pid, flush=True)
time.sleep(300)
"""


def start(program: str, directory: Path) -> ManagedProcess:
    command = Command("probe", [sys.executable, "-c", program], directory, {})
    return ManagedProcess(command, directory=directory, log=directory / "probe.log")


def logged_pid(process: ManagedProcess) -> int:
    process.wait_until(lambda: process.log.read_text().endswith("\n"), seconds=10)
    return int(process.log.read_text())


def test_a_process_that_dies_while_starting_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    process = start("print('no such table'); raise SystemExit(3)", tmp_path)
    with pytest.raises(StackError, match=r"(?s)probe stopped \(exit code 3\).*no such table"):
        process.wait_until(lambda: False, seconds=10)


def test_a_process_that_dies_later_is_noticed(tmp_path: Path) -> None:
    process = start(SLEEP, tmp_path)
    process.check()
    os.kill(process.identity.pid, 9)
    with pytest.raises(StackError, match="ended by SIGKILL"):
        process.wait_until(lambda: False, seconds=10)


def test_a_process_that_is_never_ready_is_reported(tmp_path: Path) -> None:
    process = start(SLEEP, tmp_path)
    with pytest.raises(StackError, match="not ready"):
        process.wait_until(lambda: False, seconds=0.1)
    process.stop()


def test_stopping_ends_children_too_and_does_not_wait_forever(tmp_path: Path) -> None:
    process = start(STUBBORN, tmp_path)
    child = psutil.Process(logged_pid(process))
    process.stop(seconds=0.2)
    assert psutil.wait_procs([child], timeout=10)[1] == []
    assert not process.identity.alive()


def test_the_processes_of_a_crashed_owner_are_found_and_ended(tmp_path: Path) -> None:
    leader = start(STUBBORN, tmp_path)
    orphan = psutil.Process(logged_pid(leader))
    os.kill(leader.identity.pid, 9)
    with pytest.raises(StackError):
        leader.wait(seconds=10)
    assert orphan in marked_processes(tmp_path)
    assert sweep(tmp_path) == 1
    assert marked_processes(tmp_path) == []


def test_another_folders_processes_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = start(SLEEP, tmp_path / "other")
    assert sweep(tmp_path) == 0
    assert other.identity.alive()
    other.stop()


def test_a_recycled_pid_is_not_taken_for_the_process_that_had_it() -> None:
    now = Identity.of(os.getpid())
    before = Identity(now.pid, now.started - 60)
    assert now.alive()
    assert not before.alive()
    before.end(seconds=0)  # would end this very test if it looked at the pid alone


def test_variables_of_another_project_are_not_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPABASE_ACCESS_TOKEN", "of another project")
    process = start("import os; print('SUPABASE_ACCESS_TOKEN' in os.environ)", tmp_path)
    process.wait(seconds=10)
    assert process.log.read_text() == "False\n"


def test_a_process_tells_its_own_output_from_that_of_the_one_before_it(tmp_path: Path) -> None:
    command = Command("probe", [sys.executable, "-c", "print('ready')"], tmp_path, {})
    first = ManagedProcess(command, directory=tmp_path, log=tmp_path / "probe.log")
    first.wait(seconds=10)
    quiet = replace(command, arguments=[sys.executable, "-c", "pass"])
    second = ManagedProcess(quiet, directory=tmp_path, log=first.log, log_goes_on=True)
    second.wait(seconds=10)
    assert (first.output(), second.output()) == (b"ready\n", b"")


@pytest.mark.parametrize(
    ("program", "sentence"),
    [("#!/bin/sh\necho v18.20.4\n", "v18.20.4 is too old"), (None, "Node.js is missing")],
    ids=["old", "missing"],
)
def test_an_old_or_missing_node_is_named(tmp_path: Path, program: str | None, sentence: str) -> None:
    if program:
        (tmp_path / "node").write_text(program)
        (tmp_path / "node").chmod(0o755)
    up = subprocess.run(
        [sys.executable, "-m", "local", "up", "--dir", str(tmp_path / "stack"), "--port-base", "40000"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert up.returncode == 1
    assert sentence in up.stderr
    assert marked_processes(tmp_path / "stack") == []
