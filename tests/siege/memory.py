"""Samples the memory of the stack's processes from /proc, and keeps the peaks.

For API and worker it is the resident set. For a backend of Postgres it is the anonymous memory alone, because
all backends share the buffers.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.state import read_state
from tests.support.stack_processes import executes_tasks

_EVERY_SECONDS = 0.05
_LOOK_FOR_PROCESSES_SECONDS = 0.5
_MB = 1024  # /proc counts in kB
# The target is missed by far already. The backend is ended, so that the machine stays usable.
_ENOUGH_OF_A_BACKEND_MB = 1500


@dataclass
class Peaks:
    """In megabytes, of the largest process of each kind."""

    api: float = 0
    worker: float = 0
    backend: float = 0
    backends_ended: int = 0


class MemoryWatch:
    """Samples in a thread. `take` returns the peaks since the last call."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._postmaster = int((directory / "postgres/data/postmaster.pid").read_text().splitlines()[0])
        self._peaks = Peaks()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._ended: set[int] = set()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def take(self) -> Peaks:
        with self._lock:
            taken, self._peaks = self._peaks, Peaks()
            return taken

    def _watch(self) -> None:
        looked = 0.0
        api: list[int] = []
        workers: list[int] = []
        backends: list[int] = []
        while not self._stop.wait(_EVERY_SECONDS):
            if time.monotonic() - looked > _LOOK_FOR_PROCESSES_SECONDS:
                looked = time.monotonic()
                api, workers = self._part("api"), self._task_processes()
                backends = [process.pid for process in _descendants(self._postmaster)]
            self._note(
                max((_kilobytes(pid, "VmRSS") for pid in api), default=0) / _MB,
                max((_kilobytes(pid, "VmRSS") for pid in workers), default=0) / _MB,
                {pid: _kilobytes(pid, "RssAnon") / _MB for pid in backends},
            )

    def _note(self, api: float, worker: float, backends: dict[int, float]) -> None:
        with self._lock:
            self._peaks.api = max(self._peaks.api, api)
            self._peaks.worker = max(self._peaks.worker, worker)
            self._peaks.backend = max(self._peaks.backend, *backends.values(), 0)
            for pid, size in backends.items():
                if size > _ENOUGH_OF_A_BACKEND_MB and pid not in self._ended:
                    self._ended.add(pid)
                    self._peaks.backends_ended += 1
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGTERM)

    def _part(self, name: str) -> list[int]:
        state = read_state(self._directory)
        return [state.processes[name].pid] if state and name in state.processes else []

    def _task_processes(self) -> list[int]:
        found = []
        for process in (child for pid in self._part("trigger-worker") for child in _descendants(pid)):
            with suppress(psutil.NoSuchProcess):
                if executes_tasks(process):
                    found.append(process.pid)
        return found


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kilobytes(pid: int, field: str) -> int:
    """0 if the process has ended."""
    with suppress(OSError), open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    return 0
