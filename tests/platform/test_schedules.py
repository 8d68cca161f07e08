import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from tests.platform.bench import Bench, task


def every_minute(cron: str = "* * * * *", timezone: str = "Europe/Berlin") -> dict[str, object]:
    return task("tick", schedule={"cron": cron, "timezone": timezone})


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.platform.schedules.is_connected = lambda: True
    return made


def runs(bench: Bench) -> list[dict[str, object]]:
    return [json.loads(run.payload or "") for run in bench.platform.state.runs.values()]


def test_a_scheduled_task_runs_when_its_time_comes(bench: Bench) -> None:
    bench.register(every_minute())
    bench.advance(59)
    assert runs(bench) == []
    bench.advance(61)
    first, second = (payload["json"] for payload in runs(bench))
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first["type"] == "DECLARATIVE"
    assert first["timezone"] == "Europe/Berlin"
    assert first["timestamp"] == "2026-11-21T20:01:00.000Z"
    assert first["upcoming"][:2] == ["2026-11-21T20:02:00.000Z", "2026-11-21T20:03:00.000Z"]
    assert len(first["upcoming"]) == 5
    assert "lastTimestamp" not in first
    assert second["lastTimestamp"] == first["timestamp"]
    assert second["scheduleId"] == first["scheduleId"]


def test_the_dates_of_the_payload_are_marked_as_dates(bench: Bench) -> None:
    bench.register(every_minute())
    bench.advance(120)
    meta = runs(bench)[1]["meta"]
    assert isinstance(meta, dict)
    assert meta["values"]["timestamp"] == ["Date"]
    assert meta["values"]["lastTimestamp"] == ["Date"]
    assert meta["values"]["upcoming.4"] == ["Date"]


def test_the_pattern_applies_in_the_schedules_time_zone(bench: Bench) -> None:
    bench.register(every_minute("30 9 * * *", "America/New_York"))
    schedule = bench.platform.schedules._schedules["tick"]
    before_change, after_change = datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 11, 1, 20, tzinfo=UTC)
    assert schedule.after(before_change, 1) == [datetime(2026, 10, 31, 13, 30, tzinfo=UTC)]
    assert schedule.after(after_change, 1) == [datetime(2026, 11, 2, 14, 30, tzinfo=UTC)]


def test_nothing_is_triggered_while_no_cli_is_connected(bench: Bench) -> None:
    bench.platform.schedules.is_connected = lambda: False
    bench.register(every_minute())
    bench.advance(120)
    assert runs(bench) == []
    bench.platform.schedules.is_connected = lambda: True
    bench.advance(60)
    assert len(runs(bench)) == 1


def test_a_new_build_keeps_an_unchanged_schedule_and_drops_a_removed_one(bench: Bench) -> None:
    bench.register(every_minute())
    bench.advance(60)
    bench.register(every_minute(), task("more"), content_hash="two")
    bench.advance(60)
    first, second = (payload["json"] for payload in runs(bench))
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert second["scheduleId"] == first["scheduleId"]
    bench.register(task("more"), content_hash="three")
    bench.advance(120)
    assert len(runs(bench)) == 2


def test_a_schedule_for_other_environments_only_does_not_run_here(bench: Bench) -> None:
    schedule = {"cron": "* * * * *", "timezone": "UTC", "environments": ["PRODUCTION"]}
    bench.register(task("tick", schedule=schedule))
    bench.advance(120)
    assert runs(bench) == []


@pytest.mark.parametrize(("cron", "timezone"), [("every day", "UTC"), ("* * * * *", "Mars/Olympus")])
def test_an_invalid_schedule_is_refused(bench: Bench, cron: str, timezone: str) -> None:
    with pytest.raises(ValidationError):
        bench.register(every_minute(cron, timezone))
    assert bench.platform.workers.current is None
