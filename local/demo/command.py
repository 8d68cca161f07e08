"""The command `demo`: its options, the stack that it uses or starts, and its exit code."""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console

from local.commands import local_command, start_command
from local.demo.findings import Findings, gather
from local.demo.report import print_next_commands, print_report
from local.demo.walkthrough import Demo, run_demo
from local.errors import DemoError, StackError
from local.overview import receiver_url
from local.ports import DEFAULT_PORT_BASE, PortsTakenError
from local.settings import DEFAULT_DIRECTORY, read_settings
from local.stack import Stack, environment_file
from local.state import port_base_of, read_state

_INTERRUPTED = 130
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(arguments: list[str]) -> int:
    """Runs the demo. Returns 0 only if the run succeeded and its results have no complaint."""
    options = _parser().parse_args(arguments)
    directory: Path = options.directory.resolve()
    console = Console()
    for number in _STOP_SIGNALS:  # SIGINT too: a background job of a script ignores it by default
        signal.signal(number, _interrupt)
    started = time.monotonic()
    try:
        with _stack(
            console, directory, options.port_base or port_base_of(directory), migrate=options.migrate
        ) as ready:
            demo = Demo(ready.environment, directory / "demo", receiver_url(ready.port_base), console)
            demo.folder.mkdir(parents=True, exist_ok=True)
            complaints = _run_and_report(demo).complaints()
            if not complaints:
                again = None if ready.was_running else start_command("up", directory)
                print_next_commands(demo, again)
    except KeyboardInterrupt:
        console.print("\nInterrupted: nothing of the demo is left running.")
        return _INTERRUPTED
    except StackError as error:
        console.print(f"\n[red]The stack did not start:[/] {error}", soft_wrap=True)
        if isinstance(error, PortsTakenError) and error.free_base is not None:
            console.print(f"Type: {start_command('demo', directory, error.free_base)}", soft_wrap=True)
        return 1
    except DemoError as error:
        return _fail(console, directory, str(error), error.log)
    if complaints:
        return _fail(console, directory, " ".join(complaints), "trigger-worker")
    console.print(f"\n[green]The demo succeeded[/] after {time.monotonic() - started:.0f} s.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local demo",
        description="Sends a sample CRM export through the whole product and shows the results.",
    )
    parser.add_argument(
        "--dir",
        dest="directory",
        type=Path,
        default=DEFAULT_DIRECTORY,
        help="the stack's folder (default: .local in the repository); the demo uses a stack that runs there",
    )
    parser.add_argument(
        "--port-base",
        type=int,
        metavar="N",
        help="ports of a stack that the demo starts, N to N+6 "
        f"(default: as the last time, or {DEFAULT_PORT_BASE})",
    )
    parser.add_argument(
        "--migrate", action="store_true", help="apply migrations to a Supabase project of your own"
    )
    return parser


@dataclass(frozen=True)
class _ReadyStack:
    environment: Mapping[str, str]
    port_base: int
    was_running: bool


@contextmanager
def _stack(console: Console, directory: Path, port_base: int, *, migrate: bool) -> Iterator[_ReadyStack]:
    """The stack that runs in the folder, or else one that runs while the block does."""
    state = read_state(directory)
    if state is not None and state.running:
        if state.phase != "ready" or state.scope != "all":
            raise StackError(
                f"The stack in {directory} runs without API and tasks, or is still starting. Wait for it, "
                f"or stop it: {local_command('down', directory)}"
            )
        console.print(f"Using the stack that runs in {directory}.", soft_wrap=True)
        environment = json.loads(environment_file(directory).read_text())
        yield _ReadyStack(environment, state.port_base, was_running=True)
        return
    console.print("Starting PostgreSQL, Supabase, Trigger.dev and the API …")
    stack = Stack(read_settings(directory=directory, port_base=port_base, migrate=migrate))
    environment = stack.start()
    try:
        yield _ReadyStack(environment, port_base, was_running=False)
    finally:
        _ignore_signals()
        stack.stop()


def _run_and_report(demo: Demo) -> Findings:
    with run_demo(demo) as (demo_run, server):
        if demo_run.run.status != "succeeded":
            error = demo_run.run.error or next(iter(demo_run.run.failed_steps), {})
            where = f" in {error['slug']}" if error.get("slug") else ""
            raise DemoError(
                f"The run {demo_run.run.status}{where}: {error.get('code')}: {error.get('message')}",
                log="trigger-worker",
            )
        findings = gather(demo, demo_run, server)
    print_report(demo.console, findings)
    return findings


def _fail(console: Console, directory: Path, sentence: str, log: str | None) -> int:
    console.print(f"\n[red]The demo failed.[/] {sentence}", soft_wrap=True)
    if log is not None:
        console.print(f"Look at: {local_command(f'logs {log}', directory)}", soft_wrap=True)
    return 1


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    """Ignores further signals: stopping takes some seconds and must not be interrupted."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
