"""`make demo` in a new folder, and once more on its data."""

from __future__ import annotations

import csv
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from rich.cells import cell_len

from local.credentials import load_or_create
from local.settings import ROOT
from local.stack import stop_stack
from tests.support.stack import free_port_base
from tests.support.waiting import wait_until

_PORTS_USED = 7
_SERVICES = re.compile("^(SUPABASE|TRIGGER|DATABASE|POSTGREST)_")


@dataclass(frozen=True)
class Demo:
    directory: Path
    port_base: int
    first: subprocess.CompletedProcess[str]
    second: subprocess.CompletedProcess[str]


def command(directory: Path, port_base: int) -> list[str]:
    return [sys.executable, "-m", "local", "demo", "--dir", str(directory), "--port-base", str(port_base)]


def environment() -> dict[str, str]:
    """The shell's environment, without services of its own, for a terminal of 80 columns."""
    return {name: value for name, value in os.environ.items() if not _SERVICES.match(name)} | {
        "COLUMNS": "80"
    }


def play(directory: Path, port_base: int) -> subprocess.CompletedProcess[str]:
    """Runs the demo as `make demo` does, without a terminal."""
    return subprocess.run(
        command(directory, port_base),
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def left_over(directory: Path, port_base: int) -> list[str]:
    """Ports of a demo that still answer, and processes that name its folder."""
    ports = [f"port {port}" for port in range(port_base, port_base + _PORTS_USED) if listening(port)]
    commands = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return ports + [line for line in commands if str(directory) in line]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Two demos in one folder. They take long, so all tests share them."""
    directory, port_base = tmp_path_factory.mktemp("demo"), free_port_base()
    try:
        yield Demo(directory, port_base, play(directory, port_base), play(directory, port_base))
    finally:
        stop_stack(directory)  # only a killed demo leaves something to stop


def test_the_demo_succeeds_from_nothing_and_again_on_its_data(demo: Demo) -> None:
    for run in (demo.first, demo.second):
        assert run.returncode == 0, run.stdout + run.stderr
        assert "The demo succeeded" in run.stdout


def test_nothing_is_left_running_or_listening(demo: Demo) -> None:
    assert left_over(demo.directory, demo.port_base) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    port_base = free_port_base()
    with subprocess.Popen(
        command(tmp_path, port_base), cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:

            def is_starting() -> bool:
                assert process.poll() is None
                return listening(port_base + 1)

            wait_until("Supabase listens", is_starting, seconds=120)
            process.send_signal(number)
            said, _ = process.communicate(timeout=60)
        finally:
            process.kill()
            stop_stack(tmp_path)
    assert process.returncode == 130
    assert "nothing of the demo is left running" in said
    assert left_over(tmp_path, port_base) == []


def test_the_second_demo_uses_the_org_and_the_blueprint_of_the_first(demo: Demo) -> None:
    for run in (demo.first, demo.second):
        assert "Clean companies version 1" in run.stdout
    assert "API token" in demo.first.stdout
    assert "API token" not in demo.second.stdout


def test_the_account_covers_every_step_and_fits_eighty_columns(demo: Demo) -> None:
    for heading in ("Records", "Rejected", "Duplicates dropped", "Before → after", "Where it went"):
        assert heading in demo.first.stdout
    for step in ("normalize-company", "validate-records", "dedupe-records", "deliver-webhook"):
        assert step in demo.first.stdout
    account = demo.first.stdout.split("\nRecords")[1].split("Where it went")[0]
    assert max(cell_len(line) for line in account.splitlines()) <= 80


def test_the_export_holds_the_companies_once(demo: Demo) -> None:
    with (demo.directory / "demo" / "companies.clean.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert 450 <= len(rows) <= 520
    assert len({row["record_id"] for row in rows}) == len(rows)
    assert sum(row["domain"] == "nestle.com" for row in rows) == 1


def test_the_token_is_for_its_owner_only_and_secrets_are_not_printed(demo: Demo) -> None:
    token_file = demo.directory / "demo" / "api-token"
    assert token_file.stat().st_mode & 0o077 == 0
    printed = demo.first.stdout + demo.first.stderr
    secret_key = load_or_create(demo.directory / "credentials.json").secret_key
    for secret in (token_file.read_text().strip(), secret_key):
        assert secret not in printed
