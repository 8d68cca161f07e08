from datetime import UTC, datetime, timedelta

import pytest

from local.trigger_platform import task_errors
from local.trigger_platform.models import JsonObject, RunStatus
from local.trigger_platform.retries import Cancel, Fail, Retry, after_failure, next_delay
from tests.platform.bench import process_error

NOW = datetime(2026, 11, 21, tzinfo=UTC)
POLICY: JsonObject = {"maxAttempts": 3, "minTimeoutInMs": 500, "factor": 2, "randomize": False}
THROWN = {"type": "BUILT_IN_ERROR", "name": "Error", "message": "boom", "stackTrace": ""}
KILLED = process_error(
    "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", "Process exited with code -1 after signal SIGKILL."
)
EXITED = process_error(
    "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", "Process exited with code 1 after signal null."
)


def decide(
    error: JsonObject,
    attempt: int = 1,
    max_attempts: int | None = 3,
    worker_retry: JsonObject | None = None,
    policy: JsonObject | None = None,
    machine: str = "small-1x",
) -> Cancel | Fail | Retry:
    return after_failure(
        error,
        now=NOW,
        attempt_number=attempt,
        max_attempts=max_attempts,
        worker_retry=worker_retry,
        task_retry=POLICY if policy is None else policy,
        machine=machine,
    )


def test_a_short_delay_is_waited_out_in_the_process() -> None:
    decision = decide(THROWN, worker_retry={"delay": 29_999, "timestamp": 0})
    assert decision == Retry(NOW + timedelta(milliseconds=29_999), in_queue=False)


def test_a_delay_of_30_seconds_goes_through_the_queue() -> None:
    decision = decide(THROWN, worker_retry={"delay": 30_000, "timestamp": 0})
    assert decision == Retry(NOW + timedelta(seconds=30), in_queue=True)


def test_a_thrown_error_without_retry_from_the_worker_fails() -> None:
    assert decide(THROWN) == Fail()


def test_the_last_attempt_fails_whatever_the_worker_says() -> None:
    assert decide(THROWN, attempt=3, worker_retry={"delay": 1, "timestamp": 0}) == Fail()


def test_a_task_without_a_number_of_attempts_fails() -> None:
    assert decide(EXITED, max_attempts=None) == Fail()


@pytest.mark.parametrize(
    "error",
    [
        EXITED,
        process_error("TASK_PROCESS_SIGTERM"),
        process_error("TASK_PROCESS_SIGSEGV"),
        process_error("TASK_RUN_UNCAUGHT_EXCEPTION", "read ECONNRESET"),
        process_error("TASK_MIDDLEWARE_ERROR"),
    ],
)
def test_a_process_that_died_is_retried_by_the_tasks_own_policy(error: JsonObject) -> None:
    assert decide(error) == Retry(NOW + timedelta(milliseconds=500), in_queue=True)
    assert decide(error, attempt=2) == Retry(NOW + timedelta(milliseconds=1000), in_queue=True)
    assert decide(error, attempt=3) == Fail()


def test_a_killed_process_counts_as_out_of_memory_and_fails() -> None:
    assert decide(KILLED) == Fail()
    assert task_errors.run_status(KILLED) is RunStatus.CRASHED


def test_out_of_memory_is_retried_on_the_larger_machine_the_task_names() -> None:
    policy = POLICY | {"outOfMemory": {"machine": "small-2x"}}
    retry = decide(KILLED, policy=policy)
    assert retry == Retry(NOW + timedelta(milliseconds=500), in_queue=True, machine="small-2x")
    assert decide(KILLED, policy=policy, machine="small-2x") == Fail()


@pytest.mark.parametrize("code", ["COULD_NOT_FIND_EXECUTOR", "MAX_DURATION_EXCEEDED", "UNSPECIFIED_ERROR"])
def test_some_errors_are_never_retried(code: str) -> None:
    assert decide(process_error(code), worker_retry={"delay": 1, "timestamp": 0}) == Fail()


def test_a_confirmed_cancellation_cancels() -> None:
    assert decide(process_error("TASK_RUN_CANCELLED")) == Cancel()


def test_delays_grow_up_to_their_maximum_and_end_with_the_attempts() -> None:
    policy = {"maxAttempts": 5, "minTimeoutInMs": 100, "maxTimeoutInMs": 250, "factor": 2, "randomize": False}
    delays = [next_delay(policy, attempt) for attempt in range(1, 6)]
    assert delays == [*(timedelta(milliseconds=ms) for ms in (100, 200, 250, 250)), None]


def test_a_random_delay_lies_between_one_and_two_times_the_plain_one() -> None:
    policy = {"minTimeoutInMs": 100, "factor": 1, "randomize": True}
    delays = [next_delay(policy, 1) for _ in range(50)]
    assert all(delay and 0.1 <= delay.total_seconds() <= 0.2 for delay in delays)
    assert len(set(delays)) > 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (THROWN, RunStatus.COMPLETED_WITH_ERRORS),
        (EXITED, RunStatus.CRASHED),
        (process_error("MAX_DURATION_EXCEEDED"), RunStatus.TIMED_OUT),
        (process_error("TASK_RUN_STALLED_EXECUTING"), RunStatus.CANCELED),
        (process_error("COULD_NOT_FIND_EXECUTOR"), RunStatus.SYSTEM_FAILURE),
        (process_error("A_CODE_OF_TOMORROW"), RunStatus.SYSTEM_FAILURE),
    ],
)
def test_the_error_says_how_the_run_ends(error: JsonObject, status: RunStatus) -> None:
    assert task_errors.run_status(error) is status


def test_callers_see_a_tasks_own_error_and_only_the_code_of_an_internal_one() -> None:
    assert task_errors.public_error(THROWN) == {"name": "Error", "message": "boom"}
    assert task_errors.public_error({"type": "STRING_ERROR", "raw": "Canceled by user"}) == {
        "message": "Canceled by user"
    }
    shown = task_errors.public_error(KILLED)
    assert shown == {"message": "trigger.dev internal error (TASK_PROCESS_MAYBE_OOM_KILLED)"}
