"""What `make bench-engine` concludes from its figures, and that its worker still fits the product's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from local.settings import TRIGGER_FOLDER
from tests.benchmarks import engine_records, engine_steps
from tests.benchmarks.engine import exit_code
from tests.benchmarks.engine_stack import copy_project
from tests.benchmarks.engine_targets import Target, Verdict, at_database_speed, percentile


@pytest.mark.parametrize(
    ("ratio", "at_database_speed", "with_postgrest", "with_stand_in"),
    [
        (2.0, 4.0, "met", "met"),
        (1.99, 2.0, "missed", "not judged"),
        (1.0, 1.99, "missed", "missed"),
        (1.0, None, "missed", "missed"),
    ],
)
def test_only_the_stand_in_excuses_a_ratio_that_is_too_small(
    ratio: float, at_database_speed: float | None, with_postgrest: Verdict, with_stand_in: Verdict
) -> None:
    target = Target("faster", 2, "at least", ratio, at_database_speed)
    assert target.verdict(has_postgrest=True) == with_postgrest
    assert target.verdict(has_postgrest=False) == with_stand_in


@pytest.mark.parametrize(
    ("ratio", "at_database_speed", "with_postgrest", "with_stand_in"),
    [
        (3.0, 1.0, "met", "met"),
        (3.01, 3.0, "missed", "not judged"),
        (5.0, 3.01, "missed", "missed"),
        (5.0, None, "missed", "missed"),
    ],
)
def test_only_the_stand_in_excuses_a_ratio_that_is_too_large(
    ratio: float, at_database_speed: float | None, with_postgrest: Verdict, with_stand_in: Verdict
) -> None:
    target = Target("no slower", 3, "at most", ratio, at_database_speed)
    assert target.verdict(has_postgrest=True) == with_postgrest
    assert target.verdict(has_postgrest=False) == with_stand_in


def test_the_command_fails_for_a_missed_target_alone() -> None:
    met, missed = Target("met", 1.2, "at most", 1.1), Target("missed", 1.2, "at most", 1.3)
    not_judged = Target("not judged", 1.2, "at most", 1.3, 1.1)
    assert exit_code([], has_postgrest=False) == 0
    assert exit_code([met, not_judged], has_postgrest=False) == 0
    assert exit_code([met, not_judged], has_postgrest=True) == 1
    assert exit_code([met, missed], has_postgrest=False) == 1


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([5, 1, 4, 2, 3], 50) == 3
    assert percentile(range(1, 41), 95) == 38
    assert percentile(range(1, 101), 95) == 95
    assert percentile([7], 95) == 7
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 95)


def test_waits_shrink_to_the_share_of_the_calls_in_which_the_database_works() -> None:
    assert at_database_speed(100, waiting=80, in_calls=80, in_database=20) == 40
    assert at_database_speed(100, waiting=40, in_calls=80, in_database=20) == 70
    assert at_database_speed(100, waiting=80, in_calls=80, in_database=0) == 20
    assert at_database_speed(100, waiting=80, in_calls=80, in_database=500) == 100


def test_steps_are_compared_by_the_medians_of_the_rounds() -> None:
    def round_of(engine: float, waiting: float, prefect: float, dbos: float) -> engine_steps.Round:
        return engine_steps.Round(engine, waiting, waiting, engine + 1, 160, prefect, dbos)

    rounds = [round_of(10, 8, 30, 4), round_of(12, 8, 24, 3), round_of(900, 896, 500, 100)]
    prefect, dbos = engine_steps.report(rounds, in_database=2)
    assert (prefect.ratio, prefect.at_database_speed) == (30 / 12, 30 / 6)
    assert (dbos.ratio, dbos.at_database_speed) == (12 / 4, 6 / 4)


def test_throughput_is_compared_over_all_rounds() -> None:
    runs = [
        engine_records.Run(
            seconds, waiting=10, in_calls=10, in_database=5, upload=5, peak_megabytes=200, calls=1_000
        )
        for seconds in (30, 50)
    ]
    (target,) = engine_records.report(runs, [8, 12], delivered=90_000)
    assert (target.ratio, target.at_database_speed) == (10 / 40, 10 / 35)


def test_no_two_copies_of_a_company_share_name_or_website() -> None:
    rows = len(engine_records.sample())
    records = list(engine_records.records(3 * rows))
    assert len(records) == 3 * rows
    for header, mark in ((" Account Name ", ""), ("Website", ".")):
        first, second, third = (
            {
                value
                for record in records[at : at + rows]
                if mark in (value := record.get(header, "").strip().lower()) and value
            }
            for at in (0, rows, 2 * rows)
        )
        assert len(first) > rows / 2
        assert first.isdisjoint(second)
        assert second.isdisjoint(third)


@pytest.mark.long
def test_the_worker_of_the_benchmark_is_the_products_with_one_step_more(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "trigger")
    steps = Path("src", "tasks", "steps")
    added = {
        str(path.relative_to(project / steps))
        for path in (project / steps).rglob("*.ts")
        if not (TRIGGER_FOLDER / path.relative_to(project)).exists()
    }
    assert added == {"fibo/index.ts"}
    assert "fibo" not in (TRIGGER_FOLDER / steps / "index.ts").read_text()
    checked = subprocess.run(
        ["node_modules/.bin/tsc", "--noEmit"], cwd=project, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
