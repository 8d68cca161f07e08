import pytest

from local.trigger_platform.errors import PlatformError
from local.trigger_platform.models import ExecutionStatus, RunStatus
from tests.platform.bench import Bench, process_error, task

EXITED = process_error("TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", "Process exited with code 1")


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.register(task("hello"), task("narrow", queue={"concurrencyLimit": 1}))
    return made


def test_a_run_goes_from_queue_to_success(bench: Bench) -> None:
    run = bench.trigger("hello")
    assert run.status == RunStatus.PENDING
    bench.take()
    assert (run.status, run.attempt_number) == (RunStatus.DEQUEUED, None)
    bench.start(run)
    assert (run.status, run.attempt_number) == (RunStatus.EXECUTING, 1)
    assert bench.succeed(run, '{"a":1}') == "RUN_FINISHED"
    assert (run.status, run.output) == (RunStatus.COMPLETED_SUCCESSFULLY, '{"a":1}')


def test_an_attempt_starts_only_from_the_latest_snapshot(bench: Bench) -> None:
    run = bench.trigger("hello")
    bench.take()
    handed_out = run.snapshot.id
    bench.start(run)
    with pytest.raises(PlatformError) as refused:
        bench.platform.engine.start_attempt(run, handed_out)
    assert refused.value.status == 409


def test_an_outcome_reported_twice_counts_once(bench: Bench) -> None:
    run = bench.executing("hello")
    snapshot_id = run.snapshot.id
    bench.fail(run, delay_ms=100)
    with pytest.raises(PlatformError) as refused:
        bench.platform.engine.complete_attempt(run, snapshot_id, {"ok": True})
    assert refused.value.status == 400
    assert run.status == RunStatus.EXECUTING


def test_a_short_retry_keeps_the_run_and_its_slot(bench: Bench) -> None:
    run = bench.executing("narrow")
    waiting = bench.trigger("narrow")
    assert bench.fail(run, delay_ms=500) == "RETRY_IMMEDIATELY"
    assert bench.notified == [run.id]
    assert bench.take() == []
    bench.start(run)
    assert run.attempt_number == 2
    bench.succeed(run)
    assert bench.take() == [waiting]


def test_a_long_retry_frees_the_slot_and_queues_the_run_when_its_time_comes(bench: Bench) -> None:
    run = bench.executing("narrow")
    waiting = bench.trigger("narrow")
    assert bench.fail(run, delay_ms=40_000) == "RETRY_QUEUED"
    assert run.status == RunStatus.PENDING
    assert bench.take() == [waiting]
    bench.start(waiting)
    bench.succeed(waiting)
    bench.advance(39)
    assert bench.take() == []
    bench.advance(1)
    assert bench.take() == [run]


def test_a_crashed_process_is_replaced_after_the_delay_of_the_tasks_policy(bench: Bench) -> None:
    run = bench.executing("hello")
    assert bench.fail(run, EXITED) == "RETRY_QUEUED"
    bench.advance(0.9)
    assert bench.take() == []
    bench.advance(0.1)
    assert bench.take() == [run]
    bench.start(run)
    assert run.attempt_number == 2


def test_the_last_failed_attempt_ends_the_run(bench: Bench) -> None:
    run = bench.executing("hello", maxAttempts=1)
    assert bench.fail(run, EXITED) == "RUN_FINISHED"
    assert run.status == RunStatus.CRASHED


def test_usage_adds_up_over_attempts(bench: Bench) -> None:
    run = bench.executing("hello")
    error = {"type": "STRING_ERROR", "raw": "no"}
    bench.complete(run, {"ok": False, "error": error, "retry": {"delay": 1}, "usage": {"durationMs": 5}})
    bench.start(run)
    bench.complete(run, {"ok": True, "usage": {"durationMs": 7}})
    assert run.usage_ms == 12


def test_a_queued_run_is_cancelled_at_once(bench: Bench) -> None:
    run = bench.trigger("hello")
    assert bench.platform.engine.cancel(run)
    assert (run.status, run.is_finished) == (RunStatus.CANCELED, True)
    assert bench.take() == []


def test_cancelling_an_executing_run_takes_effect_before_the_worker_confirms(bench: Bench) -> None:
    run = bench.executing("narrow")
    waiting = bench.trigger("narrow")
    bench.platform.engine.cancel(run)
    assert (run.status, run.snapshot.status) == (RunStatus.CANCELED, ExecutionStatus.PENDING_CANCEL)
    assert bench.notified == [run.id]
    assert bench.take() == [waiting]
    assert bench.fail(run, process_error("TASK_RUN_CANCELLED")) == "RUN_FINISHED"
    assert (run.status, run.is_finished) == (RunStatus.CANCELED, True)
    assert run.error == {"type": "STRING_ERROR", "raw": "Canceled by user"}


def test_the_report_of_a_worker_that_has_not_heard_of_the_cancellation_does_not_count(bench: Bench) -> None:
    run = bench.executing("hello")
    executing = run.snapshot.id
    bench.platform.engine.cancel(run)
    assert bench.platform.engine.complete_attempt(run, executing, {"ok": True}) == "RUN_FINISHED"
    assert run.status == RunStatus.CANCELED


def test_a_cancelled_run_whose_worker_goes_on_succeeds(bench: Bench) -> None:
    run = bench.executing("hello")
    bench.platform.engine.cancel(run)
    assert bench.succeed(run) == "RUN_FINISHED"
    assert (run.status, run.error) == (RunStatus.COMPLETED_SUCCESSFULLY, None)


def test_a_cancelled_run_whose_attempt_fails_is_attempted_again_and_ends_otherwise(bench: Bench) -> None:
    run = bench.executing("narrow")
    bench.platform.engine.cancel(run)
    other = bench.trigger("narrow")
    assert bench.fail(run, delay_ms=500) == "RETRY_IMMEDIATELY"
    assert (run.status, run.attempt_number) == (RunStatus.CANCELED, 1)
    bench.start(run)
    assert (run.status, run.attempt_number) == (RunStatus.EXECUTING, 2)
    assert bench.take() == [other], "its slot went to the other when it was cancelled"
    bench.succeed(run)
    assert bench.platform.state.runs[run.id].status == RunStatus.COMPLETED_SUCCESSFULLY


def test_a_platform_can_be_told_to_revive_what_its_worker_calls_cancelled() -> None:
    bench = Bench(trigger_revives_cancelled_runs=True)
    bench.register(task("hello"))
    run = bench.executing("hello")
    bench.platform.engine.cancel(run)
    assert bench.fail(run, process_error("TASK_RUN_CANCELLED")) == "RETRY_QUEUED"
    assert bench.take() == [run]
    bench.start(run)
    assert (run.status, run.attempt_number) == (RunStatus.EXECUTING, 2)
    bench.platform.engine.cancel(run)
    assert bench.fail(run, process_error("TASK_RUN_CANCELLED")) == "RUN_FINISHED"
    assert run.status == RunStatus.CANCELED


def test_cancelling_a_finished_run_changes_nothing(bench: Bench) -> None:
    run = bench.executing("hello")
    bench.succeed(run)
    assert not bench.platform.engine.cancel(run)
    assert run.status == RunStatus.COMPLETED_SUCCESSFULLY


def test_a_run_cancelled_between_its_attempts_is_not_started_again(bench: Bench) -> None:
    run = bench.executing("hello")
    bench.fail(run, delay_ms=500)
    bench.platform.engine.cancel(run)
    with pytest.raises(PlatformError) as refused:
        bench.start(run)
    assert refused.value.status == 500
    assert (run.status, run.is_finished) == (RunStatus.CANCELED, False)
    bench.advance(60)
    assert (run.status, run.is_finished) == (RunStatus.CANCELED, True)


def test_the_worker_is_reminded_of_a_cancellation_until_it_reacts(bench: Bench) -> None:
    run = bench.executing("hello")
    bench.platform.engine.cancel(run)
    bench.advance(10)
    reminders = len(bench.notified)
    assert reminders > 1
    bench.advance(10)
    assert len(bench.notified) == reminders


def test_a_silent_worker_loses_its_run_after_five_minutes(bench: Bench) -> None:
    run = bench.executing("hello")
    bench.advance(299)
    bench.platform.engine.heartbeat(run, run.snapshot.id)
    bench.advance(299)
    assert not run.is_finished
    bench.advance(1)
    assert run.status == RunStatus.CANCELED
    assert (run.error or {})["code"] == "TASK_RUN_STALLED_EXECUTING"


def test_the_heartbeat_of_an_old_snapshot_does_not_count(bench: Bench) -> None:
    run = bench.trigger("hello")
    bench.take()
    old = run.snapshot.id
    bench.start(run)
    bench.advance(200)
    bench.platform.engine.heartbeat(run, old)
    bench.advance(100)
    assert run.status == RunStatus.CANCELED


def test_a_run_that_was_handed_out_but_not_started_is_queued_again(bench: Bench) -> None:
    run = bench.trigger("hello")
    bench.take()
    bench.advance(60)
    assert run.status == RunStatus.PENDING
    assert bench.take() == [run]


def test_a_cancellation_that_is_not_confirmed_is_final_after_a_minute(bench: Bench) -> None:
    run = bench.executing("hello")
    bench.platform.engine.cancel(run)
    bench.advance(60)
    assert run.is_finished


def test_a_lost_cli_costs_its_executing_runs_but_not_those_it_had_not_started(bench: Bench) -> None:
    executing = bench.executing("hello")
    handed_out = bench.trigger("hello")
    bench.advance(1)
    queued = bench.trigger("narrow")
    bench.platform.dispatch.take(limit=1)
    assert handed_out.status == RunStatus.DEQUEUED
    assert bench.platform.engine.session_lost([executing, handed_out, queued]) == 1
    assert (executing.status, executing.is_finished) == (RunStatus.CANCELED, True)
    assert executing.error == {"type": "STRING_ERROR", "raw": "Dev session ended (CLI exited)"}
    assert bench.take() == [handed_out, queued]


def test_a_run_stays_with_the_build_that_took_it(bench: Bench) -> None:
    first = bench.platform.workers.current
    run = bench.executing("hello")
    bench.register(task("other"), content_hash="two")
    bench.fail(run, EXITED)
    bench.advance(1)
    assert bench.take() == [run]
    assert run.worker is first


def test_a_run_whose_task_vanished_waits_for_a_build_that_has_it_again(bench: Bench) -> None:
    run = bench.trigger("hello")
    bench.register(task("other"), content_hash="two")
    assert bench.take() == []
    assert run.status == RunStatus.PENDING_VERSION
    bench.register(task("hello"), content_hash="three")
    assert bench.take() == [run]


def test_the_same_build_is_the_same_version(bench: Bench) -> None:
    versions = [bench.register(task("hello"), content_hash=name) for name in ("a", "a", "b", "a")]
    assert versions == ["20261121.2", "20261121.2", "20261121.3", "20261121.4"]
