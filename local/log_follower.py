"""One log on the screen: the new lines of all log files, each after the coloured name of its process."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

_COLOURS = (36, 33, 32, 35, 34, 31)
_POLL_SECONDS = 0.1


class LogFollower:
    """Inside a `with` block, prints the lines that are added to `logs`. The list may grow meanwhile."""

    def __init__(self, logs: Sequence[Path]) -> None:
        self._logs = logs
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._files: list[BinaryIO] = []
        self._unfinished: list[bytes] = []
        self._done = threading.Event()
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._closing = ExitStack()

    def __enter__(self) -> LogFollower:
        self._follower.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._follower.join()
        self._closing.close()

    def say(self, sentence: str) -> None:
        """Prints a sentence under the name `stack`."""
        self._print("stack", sentence, 1)

    def _follow(self) -> None:
        while not self._done.wait(_POLL_SECONDS):
            self._show_new_lines()
        self._show_new_lines()

    def _show_new_lines(self) -> None:
        for path in self._logs[len(self._files) :]:
            self._files.append(self._closing.enter_context(path.open("rb")))
            self._unfinished.append(b"")
        for index, file in enumerate(self._files):
            *lines, self._unfinished[index] = (self._unfinished[index] + file.read()).split(b"\n")
            for line in lines:
                self._print(self._logs[index].stem, line.decode(errors="replace"), _COLOURS[index % 6])

    def _print(self, name: str, line: str, colour: int) -> None:
        prefix = f"{name:>16} | "
        if self._colour:
            prefix = f"\033[{colour}m{prefix}\033[0m"
        print(f"{prefix}{line}", flush=True)
