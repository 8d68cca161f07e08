"""Measures a quiet time, then one attack after the other."""

from __future__ import annotations

import asyncio
import multiprocessing
import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.context import SpawnContext
from multiprocessing.queues import Queue
from pathlib import Path
from typing import TypeVar

from tests.siege import attacker, loop_delay, neighbour
from tests.siege.attacks import ATTACKS
from tests.siege.loop_delay import Delay
from tests.siege.measured import Measured, Targets, percentile
from tests.siege.memory import MemoryWatch
from tests.siege.neighbour import Begun, Note, Sample
from tests.siege.stage import Stage, set_stage
from tests.siege.target import Target

_READY_SECONDS = 180.0
_LEAVING_SECONDS = 10.0
_LOOK_SECONDS = 0.5
# An attack is over when the neighbour has been served as usual for this long.
_CALM_SECONDS = 3.0
_CALM_FACTOR = 3.0
_CALM_FLOOR_SECONDS = 0.3
# Fills caches, opens connections and starts the first process of the worker.
_WARM_UP_SECONDS = 15.0
# The neighbour gives up earlier.
_ANSWER_SECONDS = 150.0

_Item = TypeVar("_Item")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    quiet_seconds: float = 60
    attack_seconds: float = 30
    settle_seconds: float = 120
    attacks: tuple[str, ...] = tuple(attack.name for attack in ATTACKS)


class _Instruments:
    """Collects the notes of the watching processes."""

    def __init__(self, notes: Queue[Note], delays: Queue[Delay], memory: MemoryWatch) -> None:
        self._notes, self._delays_noted, self._memory = notes, delays, memory
        self._begun: list[float] = []
        self._samples: list[Sample] = []
        self._delays: list[Delay] = []

    def samples(self, began: float, ended: float) -> list[Sample]:
        """The samples that began in this time."""
        self._drain()
        return [sample for sample in self._samples if began <= sample.began < ended]

    def reset_peaks(self) -> None:
        self._memory.take()

    def read(self, name: str, began: float, ended: float) -> Measured:
        """Waits until each sample that began in this time has its answer."""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while len(self.samples(began, ended)) < self._count_begun(began, ended):
            assert time.monotonic() < deadline, "the neighbour does not note its samples any more"
            time.sleep(_LOOK_SECONDS)
        delays = [delay for delay in self._delays if began <= delay.began < ended]
        return Measured(name, self.samples(began, ended), delays, self._memory.take())

    def _count_begun(self, began: float, ended: float) -> int:
        return sum(began <= moment < ended for moment in self._begun)

    def _drain(self) -> None:
        for note in _drained(self._notes):
            if isinstance(note, Begun):
                self._begun.append(note.began)
            else:
                self._samples.append(note)
        self._delays += _drained(self._delays_noted)


def play(directory: Path, plan: Plan, say: Say = lambda line: None) -> list[Measured]:
    """The first result is the quiet time."""
    spawn = multiprocessing.get_context("spawn")
    with set_stage(directory) as stage, _watching(spawn, stage) as instruments:
        time.sleep(min(_WARM_UP_SECONDS, plan.quiet_seconds))
        instruments.reset_peaks()
        say(f"Quiet for {plan.quiet_seconds:.0f} s.")
        began = time.monotonic()
        time.sleep(plan.quiet_seconds)
        measured = [instruments.read("quiet", began, time.monotonic())]
        for name in plan.attacks:
            say(f"Attack: {name}.")
            measured.append(_attack(spawn, stage, instruments, plan, name, measured[0]))
        return measured


def _attack(
    spawn: SpawnContext, stage: Stage, instruments: _Instruments, plan: Plan, name: str, quiet: Measured
) -> Measured:
    attack = _AttackProcess(spawn, name, stage.attacker, plan.attack_seconds)
    attack.wait_until_ready()
    instruments.reset_peaks()
    began = time.monotonic()
    time.sleep(plan.attack_seconds)
    ended = time.monotonic()
    answers = attack.end()
    settled_after = _settle(instruments, quiet, ended, plan.settle_seconds)
    measured = instruments.read(name, began, ended)
    stage.cancel_runs_of_attacker()
    if settled_after is None or measured.peaks.api > Targets.api_mb:
        # The next attack must find a healthy API with little memory in use.
        asyncio.run(stage.restart_api())
        time.sleep(_WARM_UP_SECONDS)
    return replace(measured, answers=answers, settled_after=settled_after)


class _AttackProcess:
    def __init__(self, spawn: SpawnContext, name: str, target: Target, seconds: float) -> None:
        self._messages: Queue[attacker.Message] = spawn.Queue()
        self._process = spawn.Process(
            target=attacker.attack, args=(name, target, seconds, self._messages), daemon=True, name=name
        )
        self._process.start()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while (message := self._next_message(seconds=1)) is None:
            self._check()
            assert time.monotonic() < deadline, f"{self._process.name} is not prepared"
        assert message == attacker.READY

    def end(self) -> Counter[str]:
        """The counted answers. An attack that hangs is killed and has none."""
        answers = self._next_message(_LEAVING_SECONDS)
        self._check()
        self._process.kill()
        self._process.join()
        assert not isinstance(answers, str)
        return answers or Counter()

    def _next_message(self, seconds: float) -> attacker.Message | None:
        try:
            return self._messages.get(timeout=seconds)
        except queue.Empty:
            return None

    def _check(self) -> None:
        """Raises if the attack has crashed."""
        assert not self._process.exitcode, f"{self._process.name} ended with {self._process.exitcode}"


def _settle(instruments: _Instruments, quiet: Measured, ended: float, seconds: float) -> float | None:
    """Seconds from the end of the attack until the neighbour is served as usual; None if it is not."""
    longest = max(_CALM_FACTOR * percentile(quiet.request_seconds, 95), _CALM_FLOOR_SECONDS)
    while (now := time.monotonic()) < ended + seconds:
        # Samples of the last moment have had no time to be late.
        since = now - longest - _CALM_SECONDS
        lately = [sample for sample in instruments.samples(since, now - longest) if sample.kind != "run"]
        calm = all(sample.error is None and sample.seconds <= longest for sample in lately)
        if calm and len(lately) >= _CALM_SECONDS / neighbour.BEAT_SECONDS / 2:
            return max(0.0, since - ended)
        time.sleep(_LOOK_SECONDS)
    return None


@contextmanager
def _watching(spawn: SpawnContext, stage: Stage) -> Iterator[_Instruments]:
    """The neighbour works while the block runs; processes watch it and the API."""
    stop = spawn.Event()
    notes: Queue[Note] = spawn.Queue()
    delays: Queue[Delay] = spawn.Queue()
    idle_port: Queue[int] = spawn.Queue()
    idle = spawn.Process(target=loop_delay.serve_idly, args=(idle_port,), daemon=True)
    idle.start()
    port = idle_port.get(timeout=_READY_SECONDS)
    watching = [
        spawn.Process(target=neighbour.live, args=(stage.neighbour, notes, stop), daemon=True),
        spawn.Process(target=loop_delay.watch, args=(stage.stack.api_url, port, delays, stop), daemon=True),
    ]
    with MemoryWatch(stage.stack.directory) as memory:
        for process in watching:
            process.start()
        instruments = _Instruments(notes, delays, memory)
        try:
            yield instruments
        finally:
            stop.set()
            for process in (*watching, idle):
                process.terminate()
                process.join(_LEAVING_SECONDS)


def _drained(items: Queue[_Item]) -> Iterator[_Item]:
    while True:
        try:
            yield items.get_nowait()
        except queue.Empty:
            return
