"""What the README says under "Use it", typed into bash in a copy of the repository."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from local.ports import Ports
from local.processes import marked_processes
from local.settings import ROOT
from local.stack import stop_stack
from local.state import read_state
from tests.support.stack import free_port_base
from tests.support.waiting import wait_until

# What `make install` made from these lists. The copy's lists are made old, so that make installs nothing.
INSTALLED = {
    ".venv": ".installed",
    "trigger/node_modules": ".package-lock.json",
    "local/supabase/node_modules": ".package-lock.json",
    "supabase/node_modules": ".package-lock.json",
}
_LISTS = ("requirements.txt", "package-lock.json")
_OF_ANOTHER_STACK = re.compile("^(SUPABASE|TRIGGER|DATABASE|POSTGREST|API)_|^MAKE")


@dataclass(frozen=True)
class Terminal:
    """Bash in a copy of the repository, whose stack has ports of its own."""

    repository: Path
    port_base: int

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not _OF_ANOTHER_STACK.match(name)}
        return {**kept, "PORT_BASE": str(self.port_base)}

    def type(self, lines: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", lines],
            cwd=self.repository,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    @contextmanager
    def left_running(self, line: str) -> Iterator[Path]:
        """Types a line whose program runs until Ctrl-C; yields the file with what it prints."""
        printed = self.repository / "printed.txt"
        with (
            printed.open("wb") as output,
            subprocess.Popen(
                ["bash", "-c", line],
                cwd=self.repository,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as program,
        ):
            try:
                yield printed
            finally:
                os.killpg(program.pid, signal.SIGINT)
                program.wait(120)


def blocks(section: str) -> list[str]:
    """The code blocks of a section of the README."""
    text = (ROOT / "README.md").read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    copy = tmp_path / "repository"
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, tracked.split("\0")):
        source, target = ROOT / name, copy / name
        if source.exists() and not source.is_relative_to(ROOT / "tests"):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
            if target.name in _LISTS:
                os.utime(target, (0, 0))
    for folder, stamp in INSTALLED.items():
        # Otherwise make would install into the link's target.
        assert (ROOT / folder / stamp).exists(), f"{folder} was not made by `make install`"
        (copy / folder).symlink_to(ROOT / folder)
    try:
        yield Terminal(copy, free_port_base())
    finally:
        stop_stack(copy / ".local")


@pytest.mark.long
def test_what_the_readme_says_can_be_typed(terminal: Terminal) -> None:
    starting, using = blocks("Use it")
    demo, up = starting.splitlines()
    played = terminal.type(demo)
    assert played.returncode == 0, played.stdout + played.stderr

    with terminal.left_running(up) as printed:

        def is_ready() -> bool:
            state = read_state(terminal.repository / ".local")
            assert state is None or state.phase != "failed", printed.read_text()
            return state is not None and state.phase == "ready" and "Demo token" in printed.read_text()

        wait_until("make up is ready", is_ready, seconds=240)
        typed = terminal.type(using)
        assert typed.returncode == 0, typed.stdout + typed.stderr

        with (terminal.repository / ".local/companies.clean.csv").open(
            encoding="utf-8-sig", newline=""
        ) as file:
            rows = list(csv.DictReader(file))
        assert len(rows) > 100
        assert all(row["name"] for row in rows)

        ports = Ports(terminal.port_base)
        messages = httpx.get(f"http://127.0.0.1:{ports.webhook_receiver}/messages", trust_env=False).json()
        assert {message["verdict"] for message in messages} == {"accepted"}
        assert sum(message["records"] for message in messages) == len(rows)

        said = printed.read_text()
        for address in (ports.api, ports.supabase, ports.webhook_receiver):
            assert f"http://127.0.0.1:{address}" in said
        token = (terminal.repository / ".local/demo/api-token").read_text().strip()
        assert token in said
        assert "ada@demo.example" in said
    assert marked_processes(terminal.repository / ".local") == []
