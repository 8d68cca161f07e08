"""Each target is missed by the measurements that exceed it, and by no others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.siege.loop_delay import Delay, every_delay
from tests.siege.measured import Measured, Targets, percentile
from tests.siege.memory import Peaks
from tests.siege.neighbour import Sample
from tests.siege.report import misses, report


def measured(
    *,
    requests: float = 0.06,
    runs: float = 3.0,
    api: float = 0.002,
    idle: float = 0.001,
    peaks: Peaks | None = None,
    name: str = "an attack",
) -> Measured:
    samples = [Sample("list", number, requests) for number in range(100)] + [Sample("run", 5, runs)]
    delays = [Delay("api", number, api) for number in range(100)]
    delays += [Delay("idle", number, idle) for number in range(100)]
    return Measured(name, samples, delays, peaks or Peaks(api=100, worker=150, backend=40))


QUIET = measured(name="quiet")


def missed(attack: Measured) -> list[str]:
    """The first three words of each sentence."""
    return [" ".join(sentence.split()[:3]) for sentence in Targets().missed(QUIET, attack)]


def test_quiet_day_misses_no_target() -> None:
    assert missed(QUIET) == []
    # Up to twice as slow is allowed, and anything below the floor.
    assert missed(measured(requests=0.12, runs=6, api=0.04)) == []
    assert list(Targets().missed(measured(requests=0.001), measured(requests=0.09))) == []


@pytest.mark.parametrize(
    ("attack", "sentence"),
    [
        (measured(requests=0.13), "p95 of requests"),
        (measured(runs=11), "p95 of runs"),
        (measured(api=0.06), "p99 of loop"),
        (measured(peaks=Peaks(api=301)), "API 301 MB,"),
        (measured(peaks=Peaks(backend=201)), "a backend 201"),
        (replace(QUIET, settled_after=None), "the neighbour was"),
        (replace(QUIET, samples=[*QUIET.samples, Sample("get", 7, 0.01, "get 503")]), "errors: get 503"),
    ],
)
def test_target_that_is_missed_is_told(attack: Measured, sentence: str) -> None:
    assert missed(attack) == [sentence]


def test_what_waits_for_a_processor_is_no_delay_of_the_loop() -> None:
    assert missed(measured(api=0.5, idle=0.48)) == []


def test_one_long_delay_counts_for_all_that_it_has_kept_back() -> None:
    assert len(every_delay(2.0)) == 100
    assert every_delay(0.001) == [0.001]


def test_percentile_is_one_of_the_values() -> None:
    assert [percentile([3, 1, 2, 4], percent) for percent in (50, 95, 100)] == [2, 4, 4]
    assert percentile([], 95) == 0


def test_report_has_a_row_for_each_attack() -> None:
    attack = measured(requests=1.5, name="lists, many")
    told = report([QUIET, attack])
    assert "lists, many" in told
    assert "25.0" in told
    assert list(misses([QUIET, attack])) == ["lists, many: p95 of requests 1.500 s, 0.120 s allowed"]
