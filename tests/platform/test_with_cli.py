"""The real CLI and SDK execute tasks against the platform. The tasks are in `project/src`."""

import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from local.trigger_platform.schedules import Schedule
from tests.platform.live import Cli, LivePlatform
from tests.support.waiting import wait_until


def test_a_task_gets_its_payload_environment_and_options(live: LivePlatform) -> None:
    run = live.run("hello", {"name": "there"}, tags=["a"], maxDuration=33)
    assert run["status"] == "COMPLETED"
    assert run["output"] == {
        "greeting": "hello there",
        "attempt": 1,
        "runId": run["id"],
        "tags": ["a"],
        "variable": "42",
        "maxDuration": 33,
    }
    assert run["version"] == (live.health() or {})["worker"]


@pytest.mark.parametrize(
    ("task_id", "status", "attempts", "error"),
    [
        ("flaky", "COMPLETED", 2, None),
        ("always-fails", "FAILED", 2, "never works"),
        ("aborts", "FAILED", 1, "no use trying again"),
        ("crash", "COMPLETED", 2, None),
        ("killed", "CRASHED", 1, "trigger.dev internal error (TASK_PROCESS_MAYBE_OOM_KILLED)"),
        ("killed-once", "COMPLETED", 2, None),
    ],
)
def test_attempts_end_as_the_task_and_its_process_do(
    live: LivePlatform, task_id: str, status: str, attempts: int, error: str | None
) -> None:
    run = live.run(task_id, {})
    assert (run["status"], run["attemptCount"]) == (status, attempts), run
    assert run.get("error", {}).get("message") == error


def test_a_parent_waits_for_its_child_and_a_batch(live: LivePlatform) -> None:
    run = live.run("parent", {"name": "p"})
    assert run["output"] == {"child": "hello p", "batch": ["hello b1", "hello b2"]}
    functions = [child["triggerFunction"] for child in run["relatedRuns"]["children"]]
    assert functions == ["triggerAndWait", "batchTriggerAndWait", "batchTriggerAndWait"]


def test_a_parent_learns_which_of_its_children_failed(live: LivePlatform) -> None:
    assert live.run("parent-of-failure")["output"] == {"ok": False, "batch": [True, False]}


def test_a_parent_and_its_child_share_the_one_slot_of_their_queue(live: LivePlatform) -> None:
    ids = [live.trigger("narrow-parent", {"name": name}, concurrencyKey="same") for name in ("x", "y")]
    outputs = [live.until(run_id)["output"] for run_id in ids]
    assert outputs == [{"parent": run_id, "child": name} for run_id, name in zip(ids, "xy", strict=True)]


def test_the_platform_ends_a_long_wait(live: LivePlatform) -> None:
    run = live.run("waiter", {"seconds": 6})
    assert 5_900 <= run["output"]["waitedMs"] < 7_500


def test_large_payloads_and_outputs_travel_beside_the_run(live: LivePlatform) -> None:
    text = "x" * 700_000
    run = live.run("large", {"text": text})
    assert run["status"] == "COMPLETED", run
    assert "payload" not in run
    output: Any = httpx.get(run["outputPresignedUrl"]).json()
    assert output["json"] == {"length": 700_000, "text": text}


def test_an_executing_run_stops_when_it_is_cancelled(live: LivePlatform) -> None:
    run_id = live.trigger("slow", {"ms": 60_000})
    live.until(run_id, "EXECUTING")
    live.client.post(f"/api/v2/runs/{run_id}/cancel")
    assert live.retrieve(run_id)["status"] == "CANCELED"
    # It counts as finished only once the worker has confirmed.
    run = wait_until("the worker confirms", lambda: finished(live, run_id))
    assert run["error"] == {"message": "Canceled by user"}


def test_cancelling_a_waiting_parent_stops_its_child(live: LivePlatform) -> None:
    run_id = live.trigger("slow-parent", {"ms": 60_000})
    child_id = wait_until("the child executes", lambda: executing_child(live, run_id))
    live.client.post(f"/api/v2/runs/{run_id}/cancel")
    wait_until("parent and child end", lambda: finished(live, run_id) and finished(live, child_id))
    assert live.retrieve(child_id)["status"] == "CANCELED"


def test_a_scheduled_task_gets_its_dates(live: LivePlatform) -> None:
    """The test sends the schedule's payload itself, because the next minute may be far away."""
    last, moment = (datetime(2026, 11, 21, 20, minute, tzinfo=UTC) for minute in (0, 1))
    schedule = Schedule("sched_1", "scheduled", "* * * * *", "Europe/Berlin", last_run_at=last)
    run = live.run("scheduled", schedule.payload(moment), payloadType="application/super+json")
    assert run["output"] == {
        "timezone": "Europe/Berlin",
        "isDate": True,
        "seconds": 0,
        "upcoming": [f"2026-11-21T20:0{minute}:00.000Z" for minute in range(2, 7)],
        "last": "2026-11-21T20:00:00.000Z",
    }


def test_runs_start_without_delay_in_a_warm_process(live: LivePlatform) -> None:
    live.run("hello", {"name": "warm up"})
    best = min(seconds_for(live) for _ in range(10))
    assert best < 0.5


@pytest.mark.long
def test_a_killed_cli_loses_what_it_executed_and_a_new_one_gets_the_rest(
    live: LivePlatform, cli: Cli
) -> None:
    executing = live.trigger("slow", {"ms": 60_000})
    live.until(executing, "EXECUTING")
    cli.kill()
    queued = live.trigger("hello", {"name": "later"})
    lost = live.until(executing)
    assert (lost["status"], lost["error"]["message"]) == ("CANCELED", "Dev session ended (CLI exited)")
    wait_until("health tells that the CLI is gone", lambda: (live.health() or {})["worker"] is None)
    assert live.retrieve(queued)["status"] == "QUEUED"
    cli.restart()
    assert live.until(queued)["output"]["greeting"] == "hello later"


def finished(live: LivePlatform, run_id: str) -> dict[str, Any] | None:
    run = live.retrieve(run_id)
    return run if "finishedAt" in run else None


def executing_child(live: LivePlatform, run_id: str) -> str | None:
    children = live.retrieve(run_id)["relatedRuns"]["children"]
    return next((child["id"] for child in children if child["status"] == "EXECUTING"), None)


def seconds_for(live: LivePlatform) -> float:
    started = time.monotonic()
    live.run("hello", {"name": "quick"})
    return time.monotonic() - started
