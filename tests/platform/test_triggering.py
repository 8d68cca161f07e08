import pytest

from local.trigger_platform.errors import PlatformError
from local.trigger_platform.models import RunStatus
from local.trigger_platform.trigger_request import Caller
from tests.platform.bench import Bench, task


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.register(task("hello"))
    return made


def test_the_same_key_returns_the_same_run(bench: Bench) -> None:
    run, is_cached = bench.trigger_as(Caller(), "hello", idempotencyKey="key")
    assert not is_cached
    assert bench.trigger_as(Caller(), "hello", idempotencyKey="key") == (run, True)


def test_the_key_in_the_header_wins_over_the_body(bench: Bench) -> None:
    run, _ = bench.trigger_as(Caller(idempotency_key="header"), "hello", idempotencyKey="body")
    assert bench.trigger("hello", idempotencyKey="header") is run
    assert bench.trigger("hello", idempotencyKey="body") is not run


def test_an_empty_key_is_no_key(bench: Bench) -> None:
    assert bench.trigger("hello", idempotencyKey="") is not bench.trigger("hello", idempotencyKey="")


def test_a_key_belongs_to_its_task(bench: Bench) -> None:
    bench.register(task("hello"), task("other"), content_hash="two")
    assert bench.trigger("hello", idempotencyKey="key") is not bench.trigger("other", idempotencyKey="key")


def test_a_key_is_kept_on_success_and_on_cancel(bench: Bench) -> None:
    succeeded = bench.executing("hello", idempotencyKey="a")
    bench.succeed(succeeded)
    cancelled = bench.trigger("hello", idempotencyKey="b")
    bench.platform.engine.cancel(cancelled)
    assert bench.trigger("hello", idempotencyKey="a") is succeeded
    assert bench.trigger("hello", idempotencyKey="b") is cancelled


def test_the_key_of_a_failed_run_starts_a_new_one(bench: Bench) -> None:
    failed = bench.executing("hello", idempotencyKey="key")
    bench.fail(failed)
    assert failed.status == RunStatus.COMPLETED_WITH_ERRORS
    again = bench.trigger("hello", idempotencyKey="key")
    assert again is not failed
    assert bench.trigger("hello", idempotencyKey="key") is again


def test_the_key_of_an_expired_run_starts_a_new_one() -> None:
    bench = Bench()
    expired = bench.trigger("hello", idempotencyKey="key", ttl="1s")
    bench.advance(1)
    assert expired.status == RunStatus.EXPIRED
    assert bench.trigger("hello", idempotencyKey="key") is not expired


def test_a_repeated_request_is_not_a_second_run(bench: Bench) -> None:
    caller = Caller(request_key="trigger hello 1")
    run, _ = bench.trigger_as(caller, "hello")
    assert bench.trigger_as(caller, "hello") == (run, False)


def test_a_run_waits_for_a_worker_that_has_its_task_and_queue(bench: Bench) -> None:
    no_task = bench.trigger("later")
    no_queue = bench.trigger("hello", queue={"name": "later-queue"})
    assert {no_task.status, no_queue.status} == {RunStatus.PENDING_VERSION}
    assert bench.take() == []
    bench.register(
        task("hello"),
        task("later"),
        content_hash="two",
        queues=[{"name": "later-queue", "concurrencyLimit": 1}],
    )
    assert bench.take() == [no_task, no_queue]


def test_a_run_from_before_the_worker_goes_to_the_queue_of_its_task() -> None:
    bench = Bench()
    runs = [bench.trigger("later") for _ in range(2)]
    bench.register(task("later", queue={"concurrencyLimit": 1}))
    assert bench.take() == runs[:1]


def test_a_run_expires_when_nobody_starts_it_in_time(bench: Bench) -> None:
    run = bench.trigger("unknown")
    assert run.ttl == "10m"
    bench.advance(599)
    assert not run.is_finished
    bench.advance(1)
    assert run.status == RunStatus.EXPIRED
    assert run.error == {"type": "STRING_ERROR", "raw": "Run expired because the TTL (10m) was reached"}


def test_a_run_that_started_does_not_expire(bench: Bench) -> None:
    run = bench.executing("hello", ttl="2s")
    bench.advance(5)
    assert run.status == RunStatus.EXECUTING


def test_a_ttl_of_zero_never_ends(bench: Bench) -> None:
    run = bench.trigger("unknown", ttl=0)
    assert run.ttl is None
    bench.advance(1200)
    assert run.status == RunStatus.PENDING_VERSION


def test_a_delayed_run_is_queued_when_its_delay_is_over(bench: Bench) -> None:
    run = bench.trigger("hello", delay="10s")
    assert run.status == RunStatus.DELAYED
    bench.advance(9)
    assert bench.take() == []
    bench.advance(1)
    assert bench.take() == [run]


def test_tags_are_limited_in_number(bench: Bench) -> None:
    bench.trigger("hello", tags=[f"tag{number}" for number in range(10)])
    with pytest.raises(PlatformError) as refused:
        bench.trigger("hello", tags=[f"tag{number}" for number in range(11)])
    assert refused.value.status == 422


def test_an_option_that_cannot_be_honoured_is_refused(bench: Bench) -> None:
    with pytest.raises(PlatformError) as refused:
        bench.trigger("hello", debounce={"key": "k", "delay": "1s"})
    assert refused.value.status == 422
    assert bench.take() == []


def test_the_callers_options_win_over_the_tasks(bench: Bench) -> None:
    run = bench.executing("hello", maxAttempts=1, maxDuration=7, machine="small-2x")
    assert (run.max_attempts, run.max_duration, run.machine) == (1, 7, "small-2x")
    other = bench.executing("hello")
    assert (other.max_attempts, other.max_duration, other.machine) == (3, None, "small-1x")


def test_the_oldest_finished_runs_are_dropped_with_their_keys() -> None:
    bench = Bench(trigger_finished_runs_kept=2)
    bench.register(task("hello"))
    runs = []
    for number in range(3):
        runs.append(bench.executing("hello", idempotencyKey=f"key{number}"))
        bench.succeed(runs[-1])
    assert list(bench.platform.state.runs) == [run.id for run in runs[1:]]
    assert len(bench.platform.state.keyed) == 2
    assert bench.trigger("hello", idempotencyKey="key0") is not runs[0]
    assert bench.trigger("hello", idempotencyKey="key1") is runs[1]


def test_a_large_payload_is_moved_to_the_packet_store(bench: Bench) -> None:
    run = bench.trigger("hello", {"text": "x" * 600_000})
    assert (run.payload, run.payload_type) == (f"{run.friendly_id}/payload.json", "application/store")
    packet = bench.platform.packets.get(run.payload or "")
    assert (len(packet.content), packet.data_type) == (600_011, "application/json")


def test_a_run_has_a_trace_of_its_own_and_keeps_the_callers_beside_it(bench: Bench) -> None:
    traceparent = f"00-{'ab' * 16}-{'cd' * 8}-01"
    run, _ = bench.trigger_as(Caller(traceparent=traceparent), "hello")
    assert run.trace_context["external"] == {"traceparent": traceparent}
    assert "ab" * 16 not in run.trace_context["traceparent"]
    assert bench.trigger("hello").trace_context["external"] == {}
