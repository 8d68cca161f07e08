from datetime import UTC, datetime, timedelta

import pytest

from local.trigger_platform.clock import Timers
from local.trigger_platform.durations import format_duration, parse_duration, parse_moment
from tests.platform.bench import ManualClock

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("10m", 600), ("1h30m", 5400), ("2hr", 7200), ("1w1d", 691_200)]
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "m", "10 m", "-1m", "1.5h", "1h" * 60])
def test_a_text_that_is_no_duration_is_none(text: str) -> None:
    assert parse_duration(text) is None


def test_seconds_are_written_as_a_duration() -> None:
    assert [format_duration(seconds) for seconds in (600, 5400, 61, 0)] == ["10m", "1h30m", "1m1s", None]


def test_a_delay_is_a_duration_or_a_date() -> None:
    assert parse_moment("1m", NOW) == NOW + timedelta(minutes=1)
    assert parse_moment("2026-11-21T13:00:00.000Z", NOW) == NOW + timedelta(hours=1)
    assert parse_moment("later", NOW) is None


def test_a_timer_scheduled_again_runs_once_at_its_new_time() -> None:
    clock, ran = ManualClock(), list[str]()
    timers = Timers(clock)
    timers.after("name", 1, lambda: ran.append("old"))
    timers.after("name", 2, lambda: ran.append("new"))
    timers.after("cancelled", 1, lambda: ran.append("never"))
    timers.cancel("cancelled")
    clock.moment += timedelta(seconds=1)
    timers.run_due()
    assert ran == []
    clock.moment += timedelta(seconds=1)
    timers.run_due()
    timers.run_due()
    assert ran == ["new"]


def test_a_timer_that_fails_does_not_stop_the_others() -> None:
    clock, ran = ManualClock(), list[str]()
    timers = Timers(clock)

    def explode() -> None:
        raise RuntimeError("boom")

    timers.after("bad", 1, explode)
    timers.after("good", 1, lambda: ran.append("good"))
    clock.moment += timedelta(seconds=1)
    timers.run_due()
    assert ran == ["good"]
