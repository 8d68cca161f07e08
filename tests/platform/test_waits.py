from datetime import timedelta

import pytest

from local.trigger_platform.errors import PlatformError
from local.trigger_platform.models import Batch, ExecutionStatus, Run, RunStatus
from local.trigger_platform.trigger_request import BatchRequest, Caller
from local.trigger_platform.wire_shapes import latest_execution
from tests.platform.bench import Bench, process_error, task

WAITING = ExecutionStatus.EXECUTING_WITH_WAITPOINTS


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.register(task("parent"), task("child"), task("narrow", queue={"concurrencyLimit": 1}))
    return made


def open_batch(bench: Bench, parent: Run, count: int) -> Batch:
    asked = {"runCount": count, "parentRunId": parent.friendly_id, "resumeParentOnCompletion": True}
    return bench.platform.triggering.create_batch(BatchRequest.model_validate(asked), Caller())[0]


def run_next(bench: Bench) -> Run:
    [run] = bench.platform.dispatch.take(limit=1)
    bench.start(run)
    return run


def execution_status(run: Run) -> str:
    return run.snapshot.status.value


def completed(run: Run) -> list[dict[str, object]]:
    waitpoints: list[dict[str, object]] = latest_execution(run)["completedWaitpoints"]
    return waitpoints


def test_a_parent_goes_on_with_the_output_of_its_child(bench: Bench) -> None:
    parent = bench.executing("parent")
    child = bench.child(parent, "child")
    assert parent.snapshot.status == WAITING
    assert parent.status == RunStatus.EXECUTING
    assert (child.parent_id, child.root_id, child.depth) == (parent.id, parent.id, 1)
    bench.succeed(run_next(bench), '"done"')
    assert parent.snapshot.status == ExecutionStatus.EXECUTING
    [waitpoint] = completed(parent)
    assert (waitpoint["type"], waitpoint["output"], waitpoint["outputIsError"]) == ("RUN", '"done"', False)
    assert waitpoint["completedByTaskRun"] == {"id": child.id, "friendlyId": child.friendly_id}


def test_a_parent_goes_on_with_the_error_of_its_child(bench: Bench) -> None:
    parent = bench.executing("parent")
    bench.child(parent, "child")
    bench.fail(run_next(bench))
    assert completed(parent)[0]["outputIsError"] is True


def test_a_waiting_parent_gives_its_slot_to_its_child(bench: Bench) -> None:
    parent = bench.executing("narrow")
    child = bench.child(parent, "narrow")
    assert bench.take() == [child]


def test_a_parent_whose_slot_was_taken_goes_on_when_it_is_free_again(bench: Bench) -> None:
    parent = bench.executing("narrow")
    bench.child(parent, "child")
    other = bench.trigger("narrow")
    assert [run.task_id for run in bench.take()] == ["child", "narrow"]
    child = next(run for run in bench.platform.state.runs.values() if run.task_id == "child")
    bench.start(child)
    bench.start(other)
    bench.trigger("narrow")
    bench.succeed(child, '"done"')
    assert execution_status(parent) == "QUEUED_EXECUTING"
    bench.succeed(other)
    assert parent.snapshot.status == ExecutionStatus.EXECUTING
    assert completed(parent)[0]["output"] == '"done"'
    assert bench.take() == []
    bench.succeed(parent)
    assert len(bench.take()) == 1


def test_a_run_waits_until_a_moment(bench: Bench) -> None:
    run = bench.executing("parent")
    bench.platform.waits.for_moment(run, bench.clock.moment + timedelta(seconds=8))
    bench.advance(7.9)
    assert run.snapshot.status == WAITING
    bench.advance(0.1)
    assert run.snapshot.status == ExecutionStatus.EXECUTING
    assert completed(run)[0]["type"] == "DATETIME"


def test_a_batch_lets_its_parent_go_on_when_all_children_are_done(bench: Bench) -> None:
    parent = bench.executing("parent")
    batch = open_batch(bench, parent, 2)
    assert parent.snapshot.status == WAITING
    assert bench.platform.triggering.add_items(batch, bench.batch_items("child", "child"), Caller()) == (2, 0)
    first, second = run_next(bench), run_next(bench)
    bench.succeed(second, '"second"')
    assert parent.snapshot.status == WAITING
    bench.succeed(first, '"first"')
    assert parent.snapshot.status == ExecutionStatus.EXECUTING
    waitpoints = completed(parent)
    assert [(found["type"], found.get("index"), found["output"]) for found in waitpoints] == [
        ("RUN", 0, '"first"'),
        ("RUN", 1, '"second"'),
        ("BATCH", None, "Batch waitpoint completed"),
    ]


def test_items_sent_twice_make_one_run_each_and_a_short_batch_is_not_sealed(bench: Bench) -> None:
    parent = bench.executing("parent")
    batch = open_batch(bench, parent, 3)
    triggering = bench.platform.triggering
    assert triggering.add_items(batch, bench.batch_items("child", "child"), Caller()) == (2, 0)
    assert not batch.sealed
    assert triggering.add_items(batch, bench.batch_items("child", "child", "child"), Caller()) == (1, 2)
    assert batch.sealed
    assert len(bench.take()) == 3


def test_a_batch_may_hold_a_run_that_an_earlier_one_started(bench: Bench) -> None:
    earlier = bench.executing("child", idempotencyKey="key")
    parent = bench.executing("parent")
    batch = open_batch(bench, parent, 1)
    items = bench.batch_items("child", idempotencyKey="key")
    bench.platform.triggering.add_items(batch, items, Caller())
    bench.succeed(earlier, '"kept"')
    assert parent.snapshot.status == ExecutionStatus.EXECUTING
    child, _ = completed(parent)
    assert child["index"] == 0
    assert child["completedByTaskRun"] == {
        "id": earlier.id,
        "friendlyId": earlier.friendly_id,
        "batch": {"id": batch.id, "friendlyId": f"batch_{batch.id}"},
    }


def test_waiting_for_a_child_that_is_finished_already_goes_on_at_once(bench: Bench) -> None:
    finished = bench.executing("child", idempotencyKey="key")
    bench.succeed(finished, '"kept"')
    parent = bench.executing("parent")
    assert bench.child(parent, "child", idempotencyKey="key") is finished
    assert parent.snapshot.status == ExecutionStatus.EXECUTING
    assert completed(parent)[0]["output"] == '"kept"'


def test_cancelling_a_waiting_parent_cancels_its_children(bench: Bench) -> None:
    parent = bench.executing("parent")
    child = bench.child(parent, "child")
    bench.start(bench.take()[0])
    grandchild = bench.child(child, "child")
    bench.platform.engine.cancel(parent)
    assert parent.status == RunStatus.CANCELED
    bench.fail(parent, process_error("TASK_RUN_CANCELLED"))
    assert child.status == RunStatus.CANCELED
    bench.fail(child, process_error("TASK_RUN_CANCELLED"))
    assert (grandchild.status, grandchild.is_finished) == (RunStatus.CANCELED, True)


def test_cancelling_a_child_lets_its_parent_go_on_with_an_error(bench: Bench) -> None:
    parent = bench.executing("parent")
    child = bench.child(parent, "child")
    bench.platform.engine.cancel(child)
    assert parent.snapshot.status == ExecutionStatus.EXECUTING
    assert completed(parent)[0]["outputIsError"] is True


def test_a_parent_that_crashed_while_waiting_queues_for_a_new_slot(bench: Bench) -> None:
    parent = bench.executing("parent")
    child = bench.child(parent, "child")
    crashed = process_error("TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", "Process exited with code 1")
    assert bench.fail(parent, crashed) == "RETRY_QUEUED"
    bench.start(bench.take()[0])
    bench.succeed(child)
    bench.advance(1)
    assert bench.take() == [parent]
    bench.start(parent)
    assert (parent.attempt_number, parent.snapshot.completed) == (2, ())


def test_a_finished_run_cannot_wait(bench: Bench) -> None:
    parent = bench.executing("parent")
    bench.succeed(parent)
    with pytest.raises(PlatformError) as refused:
        bench.child(parent, "child")
    assert refused.value.status == 422
    assert bench.take() == []


def test_a_child_takes_its_parents_trace_and_version(bench: Bench) -> None:
    parent = bench.executing("parent")
    traceparent = parent.trace_context["traceparent"]
    caller = Caller(from_worker=True, traceparent=traceparent)
    child, _ = bench.trigger_as(caller, "child", lockToVersion="20261121.1")
    assert child.trace_context["traceparent"].split("-")[1] == traceparent.split("-")[1]
    assert (child.trigger_source, child.worker) == ("sdk", bench.platform.workers.current)
