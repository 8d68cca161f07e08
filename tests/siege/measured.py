"""The measurements of one attack, and the targets that they miss."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.siege.loop_delay import Delay, Server
from tests.siege.memory import Peaks
from tests.siege.neighbour import Sample


@dataclass(frozen=True)
class Measured:
    """`settled_after` is None if the neighbour was not served as usual again in time."""

    name: str
    samples: list[Sample]
    delays: list[Delay]
    peaks: Peaks
    answers: Counter[str] = field(default_factory=Counter)
    settled_after: float | None = 0.0

    @property
    def request_seconds(self) -> list[float]:
        return [sample.seconds for sample in self.samples if sample.kind != "run"]

    @property
    def run_seconds(self) -> list[float]:
        return [sample.seconds for sample in self.samples if sample.kind == "run"]

    @property
    def errors(self) -> Counter[str]:
        return Counter(sample.error for sample in self.samples if sample.error)

    @property
    def loop_delay(self) -> float:
        """The 99th percentile of /healthz minus that of the idle server."""
        return max(0.0, percentile(self._delays_of("api"), 99) - percentile(self._delays_of("idle"), 99))

    def _delays_of(self, server: Server) -> list[float]:
        return [delay.seconds for delay in self.delays if delay.server == server]


@dataclass(frozen=True)
class Targets:
    """The allowed maxima. The floors apply where the quiet times are tiny."""

    request_factor: float = 2
    request_floor: float = 0.1
    run_factor: float = 2
    run_floor: float = 10
    api_mb: float = 300
    backend_mb: float = 200
    loop_delay: float = 0.05

    def missed(self, quiet: Measured, measured: Measured) -> Iterator[str]:
        allowed = max(self.request_factor * percentile(quiet.request_seconds, 95), self.request_floor)
        requests = percentile(measured.request_seconds, 95)
        if requests > allowed:
            yield f"p95 of requests {requests:.3f} s, {allowed:.3f} s allowed"
        allowed = max(self.run_factor * percentile(quiet.run_seconds, 95), self.run_floor)
        runs = percentile(measured.run_seconds, 95)
        if runs > allowed:
            yield f"p95 of runs {runs:.1f} s, {allowed:.1f} s allowed"
        if errors := measured.errors:
            told = ", ".join(f"{error} {count} times" for error, count in errors.most_common())
            yield f"errors: {told}"
        if measured.settled_after is None:
            yield "the neighbour was not served as usual again"
        if measured.peaks.api > self.api_mb:
            yield f"API {measured.peaks.api:.0f} MB, {self.api_mb:.0f} MB allowed"
        if measured.peaks.backend > self.backend_mb:
            yield f"a backend {measured.peaks.backend:.0f} MB, {self.backend_mb:.0f} MB allowed"
        if measured.loop_delay > self.loop_delay:
            yield f"p99 of loop delay {measured.loop_delay:.3f} s, {self.loop_delay:.3f} s allowed"


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile; 0 without values."""
    if not values:
        return 0.0
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
