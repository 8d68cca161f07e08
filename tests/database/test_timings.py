"""The progress of a run and of its steps, their durations, and the parts of a step's time."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.pipeline import INLINE, OUTSIDE, Run, create_run, records
from tests.support.sql_client import Client, Connection, signed_in, violates
from tests.support.tenants import Company, Org

TIMINGS = {"reading_ms": 12, "processing_ms": 3400, "writing_ms": 0}
NOT_MEASURED = dict.fromkeys(TIMINGS)


def seen(run: Run, member: Client) -> Any:  # noqa: ANN401 (JSON)
    return member.call("get_pipeline_run", pipeline_run_id=run.id)


def progress(run: Run, member: Client) -> tuple[float, list[float]]:
    now = seen(run, member)
    return float(now["progress"]), [float(step["progress"]) for step in now["steps"]]


def timings(step: dict[str, Any]) -> dict[str, int | None]:
    return {name: step[name] for name in TIMINGS}


def test_progress_moves_with_each_chunk_and_ends_at_one(
    worker: Client, org: Org, company: Company, member: Client
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE}, {"slug": INLINE}, count=2500)
    assert progress(run, member) == (0, [0, 0])
    run.take()
    run.start(1)
    found = []
    for chunk_index in range(3):
        ids = range(chunk_index * 1000 + 1, min(chunk_index * 1000 + 1000, 2500) + 1)
        run.write(1, records(*ids), chunk_index)
        found.append(progress(run, member))
    assert found == [(0.1666, [0.3333, 0]), (0.3333, [0.6666, 0]), (0.5, [1, 0])]
    run.on_step("finish_step", 1)
    run.pass_through(2)
    assert progress(run, member) == (1, [1, 1])
    run.on_run("finish_pipeline_run")
    assert progress(run, member) == (1, [1, 1])


def test_a_failed_step_counts_as_done_if_the_run_continues(
    worker: Client, org: Org, company: Company, member: Client
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE, "continue_on_error": True}, {"slug": INLINE})
    run.take()
    run.start(1)
    run.on_step("fail_step", 1, error={"code": "broken", "message": "It is broken."})
    assert progress(run, member) == (0.5, [1, 0])
    run.pass_through(2)
    run.on_run("finish_pipeline_run")
    assert seen(run, member)["status"] == "succeeded_with_errors"
    assert progress(run, member) == (1, [1, 1])


def test_a_step_that_its_condition_skipped_counts_as_done(
    worker: Client, org: Org, company: Company, member: Client
) -> None:
    run = create_run(
        worker, org, company, {"slug": INLINE, "run_if": "run.record_count > 100"}, {"slug": INLINE}
    )
    run.take()
    run.on_step("skip_step", 1)
    assert progress(run, member) == (0.5, [1, 0])


def test_a_failed_run_keeps_its_progress(worker: Client, org: Org, company: Company, member: Client) -> None:
    run = create_run(worker, org, company, {"slug": INLINE}, {"slug": INLINE}, count=1500)
    run.take()
    run.start(1)
    run.write(1, records(*range(1, 1001)))
    run.on_step("fail_step", 1, error={"code": "broken", "message": "It is broken."})
    assert progress(run, member) == (0.25, [0.5, 0])


def test_a_finished_step_shows_its_timings(
    worker: Client, org: Org, company: Company, member: Client
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE})
    run.take()
    run.start(1)
    assert timings(seen(run, member)["steps"][0]) == NOT_MEASURED
    run.write(1, records(1, 2, 3))
    run.on_step("finish_step", 1, timings=TIMINGS)
    # The worker repeats a call whose answer was lost. The timings of the repeat do not count.
    run.on_step("finish_step", 1, timings={"reading_ms": 1, "processing_ms": 1, "writing_ms": 1})
    assert timings(seen(run, member)["steps"][0]) == TIMINGS


def test_a_failed_step_shows_its_timings(worker: Client, org: Org, company: Company, member: Client) -> None:
    run = create_run(worker, org, company, {"slug": INLINE})
    run.take()
    run.start(1)
    run.on_step("fail_step", 1, error={"code": "broken", "message": "It is broken."}, timings=TIMINGS)
    assert timings(seen(run, member)["steps"][0]) == TIMINGS


def test_a_worker_need_not_measure_anything(
    worker: Client, org: Org, company: Company, member: Client
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE})
    run.succeed()
    assert timings(seen(run, member)["steps"][0]) == NOT_MEASURED


def test_negative_timings_are_refused(worker: Client, org: Org, company: Company) -> None:
    run = create_run(worker, org, company, {"slug": INLINE})
    run.take()
    run.start(1)
    run.write(1, records(1, 2, 3))
    with violates(psycopg.errors.CheckViolation):
        run.on_step("finish_step", 1, timings=TIMINGS | {"writing_ms": -1})


@pytest.mark.parametrize("ended", [False, True])
def test_a_step_has_a_duration_and_a_rate_while_it_runs_and_after(
    connection: Connection, worker: Client, org: Org, company: Company, member: Client, ended: bool
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE}, {"slug": INLINE})
    run.take()
    run.start(1)
    run.write(1, records(1, 2, 3))
    if ended:
        run.on_step("finish_step", 1)
    # Moves the start ten seconds back. The guard is off: it would refuse that.
    connection.execute("alter table public.step_results disable trigger step_results_guard")
    connection.execute(
        "update public.step_results "
        "set started_at = coalesce(finished_at, clock_timestamp()) - interval '10 seconds' where id = %s",
        (run.step_id(1),),
    )
    connection.execute("alter table public.step_results enable trigger step_results_guard")
    first, second = seen(run, member)["steps"]
    assert 10_000 <= first["duration_ms"] < 11_000
    assert first["records_per_second"] == pytest.approx(0.3, abs=0.05)
    assert (second["duration_ms"], second["records_per_second"]) == (None, None)
    assert (
        member.call("get_step_result", step_result_id=run.step_id(1))["duration_ms"] >= first["duration_ms"]
    )


def test_a_retry_keeps_the_timings_of_the_steps_that_it_reuses(
    connection: Connection, worker: Client, org: Org, company: Company, member: Client
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE}, {"slug": OUTSIDE}, {"slug": INLINE})
    run.take()
    run.start(1)
    run.write(1, records(1, 2, 3))
    run.on_step("finish_step", 1, timings=TIMINGS)
    run.start(2)
    run.on_step("fail_step", 2, error={"code": "broken", "message": "It is broken."}, timings=TIMINGS)
    retry = signed_in(connection, company.member).call("retry_pipeline_run", pipeline_run_id=run.id)
    assert float(retry["progress"]) == 0.3333
    first, second, _ = retry["steps"]
    assert (timings(first), first["duration_ms"]) == (
        TIMINGS,
        seen(run, member)["steps"][0]["duration_ms"],
    )
    assert timings(second) == NOT_MEASURED
