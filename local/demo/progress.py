"""Progress of a run: a bar for each step on a terminal, else a line for each finished step."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from local.demo.models import PipelineRun, StepResult
from local.errors import DemoError

_POLL_SECONDS = 0.25
_PATIENCE_SECONDS = 180


def follow(console: Console, read_run: Callable[[], PipelineRun]) -> PipelineRun:
    """Shows progress until the run ends, and returns it. Raises DemoError if it stands still for minutes."""
    last, moved_at = "", time.monotonic()
    with _Bars(console) if console.is_terminal else _Lines(console) as display:
        while True:
            run = read_run()
            display.show(run)
            if run.finished:
                return run
            now = run.model_dump_json()
            if now != last:
                last, moved_at = now, time.monotonic()
            if time.monotonic() - moved_at > _PATIENCE_SECONDS:
                raise DemoError(
                    f"Nothing has moved for {_PATIENCE_SECONDS} s: the run is {run.status}.",
                    log="trigger-worker",
                )
            time.sleep(_POLL_SECONDS)


class _Display(Protocol):
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def show(self, run: PipelineRun) -> None: ...


class _Bars:
    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.fields[mark]} {task.description:<18}"),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[account]:<32}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._bars: dict[int, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, run: PipelineRun) -> None:
        for step in run.steps:
            bar = self._bars.get(step.position)
            if bar is None:
                bar = self._progress.add_task(step.slug, start=False, total=1, mark=" ", account="")
                self._bars[step.position] = bar
            if step.status != "pending":
                self._progress.start_task(bar)
            self._progress.update(
                bar,
                total=max(step.chunk_count or 1, 1),
                completed=step.chunks_written,
                mark=_MARKS.get(step.status, "✗"),
                account=account(step),
            )
            if step.status not in {"pending", "running"}:
                self._progress.stop_task(bar)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: set[tuple[int, str]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to clean up."""

    def show(self, run: PipelineRun) -> None:
        for step in run.steps:
            if step.status in {"pending", "running"} or (step.position, step.status) in self._shown:
                continue
            self._shown.add((step.position, step.status))
            self._console.print(f"  {_MARKS.get(step.status, '✗')} {step.slug:<18} {account(step)}")


_MARKS = {"pending": " ", "running": "…", "succeeded": "✓"}


def account(step: StepResult) -> str:
    """A step's counts so far, or its status while it has none."""
    if step.status == "pending":
        return "waiting"
    if step.status in {"failed", "cancelled", "skipped"} or step.chunks_written == 0:
        return step.status
    counts = [f"{step.records_in} → {step.records_out}"]
    if step.records_rejected:
        counts.append(f"{step.records_rejected} rejected")
    if step.records_dropped:
        counts.append(f"{step.records_dropped} dropped")
    return ", ".join(counts)
