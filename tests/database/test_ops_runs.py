"""Operators see which runs are stuck and why, and cancel, requeue, retry and explain runs."""

from __future__ import annotations

import pytest

from tests.database.operations import actions, last_audit_id, operate, operations_since
from tests.database.test_reconcile import let_pass, mark, reconcile, set_times, start_of
from tests.support.pipeline import INLINE, Run, create_run
from tests.support.sql_client import Client, Connection, refused, signed_in
from tests.support.tenants import Company, Org


@pytest.fixture
def run(worker: Client, org: Org, company: Company) -> Run:
    return create_run(worker, org, company, {"slug": INLINE}, {"slug": INLINE})


def lose(run: Run, *, restarts: int = 0) -> None:
    """The run loses its worker, after this many restarts."""
    for number in range(restarts + 1):
        run.take(f"run_{number}")
        set_times(run, dispatched_at="2 hours", lease_expires_at="1 hour")


def fail(run: Run) -> None:
    run.take()
    run.on_run("fail_pipeline_run", error={"code": "broken", "message": "It broke."})


def now(postgres: Client, run: Run, column: str) -> object:
    return postgres.value(f"select {column} from public.pipeline_runs where id = %(id)s", {"id": run.id})


def problem(postgres: Client, run: Run, older_than: str = "10 minutes") -> str | None:
    rows = operate(postgres, "list_stuck_runs", older_than=older_than)
    found = [row["problem"] for row in rows if str(row["pipeline_run_id"]) == run.id]
    return found[0] if found else None


def test_a_run_is_stuck_when_it_has_waited_for_long_enough(postgres: Client, run: Run) -> None:
    set_times(run, created_at="1 hour", admitted_at="599 seconds")
    assert problem(postgres, run) is None
    assert problem(postgres, run, "9 minutes") == "never dispatched"
    set_times(run, admitted_at="10 minutes")
    assert problem(postgres, run) == "never dispatched"


def test_a_dispatched_run_waits_from_its_dispatch_on(postgres: Client, run: Run) -> None:
    mark(run, "run_1")
    set_times(run, created_at="1 hour", dispatched_at="9 minutes")
    assert problem(postgres, run) is None
    set_times(run, dispatched_at="10 minutes")
    assert problem(postgres, run) == "dispatched, not claimed"


def test_a_run_that_works_is_never_stuck(postgres: Client, run: Run) -> None:
    run.take()
    set_times(run, created_at="3 hours", dispatched_at="3 hours", started_at="3 hours")
    assert problem(postgres, run, "0") is None
    (row,) = postgres.rows("select * from ops.unfinished_runs where pipeline_run_id = %(id)s", {"id": run.id})
    assert row["problem"] is None
    assert row["waiting_for"].total_seconds() == 3 * 3600


def test_a_lost_run_is_stuck_from_the_end_of_its_lease_on(postgres: Client, run: Run) -> None:
    run.take()
    set_times(run, created_at="1 hour", lease_expires_at="9 minutes")
    assert problem(postgres, run) is None
    set_times(run, lease_expires_at="11 minutes")
    assert problem(postgres, run) == "lost its worker"


def test_a_finished_run_is_not_stuck(postgres: Client, run: Run) -> None:
    set_times(run, created_at="1 hour")
    operate(postgres, "cancel_runs", run_ids=run.id, dry_run=False)
    assert problem(postgres, run, "0") is None


@pytest.mark.parametrize(
    ("restarts", "told"), [(0, "again within a minute"), (5, "fails it within a minute")]
)
def test_the_view_says_what_the_reconciler_does_next(
    postgres: Client, run: Run, restarts: int, told: str
) -> None:
    lose(run, restarts=restarts)
    (row,) = postgres.rows("select * from ops.stuck_runs where pipeline_run_id = %(id)s", {"id": run.id})
    assert told in row["what_happens"]
    outcome = reconcile(run)
    assert (len(outcome["starts"]), outcome["failed"]) == ((1, 0) if restarts == 0 else (0, 1))


def test_listing_is_in_the_log_of_the_orgs_that_it_showed(
    postgres: Client, worker: Client, org: Org, run: Run
) -> None:
    set_times(run, admitted_at="100 days")
    since = last_audit_id(postgres)
    operate(postgres, "list_stuck_runs", older_than="99 days")
    rows = operations_since(postgres, since)
    assert [(row["org_id"], row["action"]) for row in rows] == [(org.id, "list_stuck_runs")]


def test_a_cancelled_run_ends_with_its_steps_and_its_worker_learns_it(
    connection: Connection, postgres: Client, run: Run, company: Company
) -> None:
    run.take()
    run.start(1)
    operate(postgres, "cancel_runs", run_ids=run.id, dry_run=False)
    reader = signed_in(connection, company.member)
    assert run.statuses(reader) == ("cancelled", ["cancelled", "skipped"])
    with refused(409, "pipeline_run_cancelled"):
        run.on_run("heartbeat")


def test_a_finished_run_is_left_alone(postgres: Client, run: Run) -> None:
    run.succeed()
    for function in ("cancel_runs", "requeue_runs", "retry_runs"):
        report = operate(postgres, function, run_ids=run.id, dry_run=False)
        assert actions(report) == ["left alone"], function
    assert now(postgres, run, "status") == "succeeded"


def test_a_run_that_succeeded_with_errors_is_not_done_again_from_its_first_step(
    postgres: Client, worker: Client, org: Org, company: Company
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE, "continue_on_error": True})
    run.take()
    run.start(1)
    run.on_step("fail_step", 1, error={"code": "broken", "message": "It broke."})
    run.on_run("finish_pipeline_run")
    assert now(postgres, run, "status") == "succeeded_with_errors"
    assert actions(operate(postgres, "retry_runs", run_ids=run.id, dry_run=False)) == ["left alone"]


def test_a_requeued_queued_run_is_due_at_once_under_another_key(postgres: Client, run: Run) -> None:
    mark(run, "run_1")
    set_times(run, created_at="1 minute")
    assert reconcile(run)["starts"] == []
    operate(postgres, "requeue_runs", run_ids=run.id, dry_run=False)
    assert reconcile(run)["starts"] == start_of(run, f"{run.id}:start:1")
    (row,) = postgres.rows("select * from ops.unfinished_runs where pipeline_run_id = %(id)s", {"id": run.id})
    assert row["problem"] == "requeued"


def test_a_requeued_run_that_its_first_start_claims_is_lost_with_its_worker(
    postgres: Client, run: Run
) -> None:
    mark(run, "run_1")
    operate(postgres, "requeue_runs", run_ids=run.id, dry_run=False)
    assert run.take("run_1")["outcome"] == "claimed"
    let_pass(run, "3 hours")
    assert problem(postgres, run) == "lost its worker"
    assert len(reconcile(run)["starts"]) == 1


def test_a_requeued_lost_run_is_due_again_and_has_all_of_its_restarts(postgres: Client, run: Run) -> None:
    lose(run, restarts=5)
    operate(postgres, "requeue_runs", run_ids=run.id, dry_run=False)
    # The clock of a transaction stands still, so the test ends the lease.
    set_times(run, lease_expires_at="1 second")
    outcome = reconcile(run)
    assert [start["idempotency_key"] for start in outcome["starts"]] == [f"{run.id}:1:start:1"]
    assert outcome["failed"] == 0
    assert run.take("run_after")["outcome"] == "claimed"
    assert now(postgres, run, "restart_count") == 1


def test_a_lost_run_whose_restart_was_just_dispatched_is_due_at_once_too(postgres: Client, run: Run) -> None:
    lose(run)
    mark(run, "run_1")
    set_times(run, dispatched_at="1 minute")
    assert reconcile(run)["starts"] == []
    operate(postgres, "requeue_runs", run_ids=run.id, dry_run=False)
    set_times(run, lease_expires_at="1 second")
    assert [start["idempotency_key"] for start in reconcile(run)["starts"]] == [f"{run.id}:1:start:1"]


def test_a_requeued_run_is_never_due_under_a_key_that_was_used(postgres: Client, run: Run) -> None:
    keys = []
    for number in range(4):
        run.take(f"run_{number}")
        set_times(run, dispatched_at="2 hours", lease_expires_at="1 hour")
        if number % 2:
            operate(postgres, "requeue_runs", run_ids=run.id, dry_run=False)
            set_times(run, lease_expires_at="1 second")
        keys += [start["idempotency_key"] for start in reconcile(run)["starts"]]
    assert len(set(keys)) == len(keys) == 4


def test_a_requeued_running_run_is_taken_from_its_worker_and_keeps_its_chunks(
    connection: Connection, postgres: Client, run: Run, company: Company
) -> None:
    run.take("run_0")
    run.pass_through(1)
    hanging = Run(run.worker, run.pipeline_run, run.submission, run.claim)
    operate(postgres, "requeue_runs", run_ids=run.id, dry_run=False)
    for function in ("heartbeat", "finish_pipeline_run"):
        with refused(409, "claim_lost"):
            hanging.on_run(function)
    with refused(409, "claim_lost"):
        hanging.start(2)
    assert now(postgres, run, "lease_expires_at <= now()")
    set_times(run, lease_expires_at="1 second")
    assert run.take("run_1")["outcome"] == "claimed"
    assert [step["status"] for step in run.claim["steps"]] == ["succeeded", "pending"]
    run.pass_through(2)
    run.on_run("finish_pipeline_run")
    assert run.statuses(signed_in(connection, company.member))[0] == "succeeded"


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_a_retry_is_a_new_run_of_the_submission_with_a_fresh_snapshot(
    connection: Connection, postgres: Client, run: Run, org: Org, how: str
) -> None:
    if how == "failed":
        fail(run)
    else:
        operate(postgres, "cancel_runs", run_ids=run.id, dry_run=False)
    blueprint_id = run.pipeline_run["blueprint_id"]
    signed_in(connection, org.admin).call(
        "update_blueprint", blueprint_id=blueprint_id, steps=[{"slug": INLINE}]
    )
    report = operate(postgres, "retry_runs", run_ids=run.id, dry_run=False)
    new_id = report[1]["subject"].removeprefix("run ")
    new = signed_in(connection, org.admin).call("get_pipeline_run", pipeline_run_id=new_id)
    assert (new["status"], new["run_number"], new["created_by"]) == ("queued", 2, None)
    assert new["submission_id"] == run.submission["id"]
    assert len(new["steps"]) == 1
    assert now(postgres, run, "status") == how


def test_a_run_with_a_later_one_is_not_retried_again(postgres: Client, run: Run) -> None:
    fail(run)
    assert actions(operate(postgres, "retry_runs", run_ids=run.id, dry_run=False)) == ["retried", "created"]
    assert actions(operate(postgres, "retry_runs", run_ids=run.id, dry_run=False)) == ["left alone"]


def test_two_failed_runs_of_a_submission_are_retried_once(postgres: Client, run: Run) -> None:
    fail(run)
    report = operate(postgres, "retry_runs", run_ids=run.id, dry_run=False)
    second = report[1]["subject"].removeprefix("run ")
    operate(postgres, "cancel_runs", run_ids=second, dry_run=False)
    report = operate(postgres, "retry_runs", run_ids=f"{run.id} {second}", dry_run=False)
    assert sorted(actions(report)) == ["created", "left alone", "retried"]


def test_an_unfinished_run_is_not_retried(postgres: Client, run: Run) -> None:
    assert actions(operate(postgres, "retry_runs", run_ids=run.id, dry_run=False)) == ["left alone"]


@pytest.mark.parametrize("form", ["{0}", " {0}\n{1} ", "{0},{1}", "{{{0},{1}}}", "'{0}'; '{1}'", "{0} {0}"])
def test_ids_can_be_pasted_in_many_forms(
    postgres: Client, worker: Client, org: Org, company: Company, run: Run, form: str
) -> None:
    other = create_run(worker, org, company)
    wanted = {run.id} | ({other.id} if "{1}" in form else set())
    report = operate(postgres, "cancel_runs", run_ids=form.format(run.id, other.id))
    assert {line["subject"].removeprefix("run ") for line in report} == wanted
    assert len(report) == len(wanted)


@pytest.mark.parametrize("function", ["cancel_runs", "requeue_runs", "retry_runs"])
def test_one_wrong_id_refuses_the_whole_call(postgres: Client, run: Run, function: str) -> None:
    before = postgres.rows("select * from public.pipeline_runs where id = %(id)s", {"id": run.id})
    unknown = "00000000-0000-4000-8000-000000000000"
    for wrong, status, code in (
        (f"{run.id} {unknown}", 404, "pipeline_run_not_found"),
        (f"{run.id} run_1", 422, "invalid_request"),
        (" ", 422, "invalid_request"),
        (None, 422, "invalid_request"),
    ):
        with refused(status, code):
            operate(postgres, function, run_ids=wrong, dry_run=False)
    assert postgres.rows("select * from public.pipeline_runs where id = %(id)s", {"id": run.id}) == before


def explain(postgres: Client, run: Run) -> list[tuple[str, str]]:
    return [(row["event"], row["detail"]) for row in operate(postgres, "explain_run", run_id=run.id)]


def test_the_timeline_of_a_run_has_every_state_in_order(postgres: Client, run: Run, company: Company) -> None:
    mark(run, "run_0")
    run.take("run_0")
    run.start(1)
    run.pass_through(1)
    run.start(2)
    run.on_step("fail_step", 2, error={"code": "webhook_rejected", "message": "It said no."})
    events = explain(postgres, run)
    assert [event for event, _ in events] == [
        "created", "traced", "admitted", "dispatched", "claimed", "step 1 started", "step 1 succeeded",
        "step 2 started", "step 2 failed", "failed",
    ]  # fmt: skip
    details = dict(events)
    assert company.member.email in details["created"]
    assert details["admitted"] == "at once"
    assert "run_0" in details["dispatched"]
    assert "2 attempts" in details["step 1 started"]
    assert "3 in, 3 out" in details["step 1 succeeded"]
    assert details["failed"] == "webhook_rejected: It said no."


def test_a_timeline_says_who_cancelled(
    connection: Connection, postgres: Client, worker: Client, org: Org
) -> None:
    by_admin, by_operator = (create_run(worker, org, org.first) for _ in range(2))
    signed_in(connection, org.admin).call("cancel_pipeline_run", pipeline_run_id=by_admin.id)
    operate(postgres, "cancel_runs", run_ids=by_operator.id, dry_run=False)
    assert explain(postgres, by_admin)[-1] == ("cancelled", f"by {org.admin.email}")
    assert explain(postgres, by_operator)[-2:] == [
        ("ops.cancel_runs", "by postgres"), ("cancelled", "by postgres"),
    ]  # fmt: skip


def test_a_timeline_has_restarts_and_real_operations_but_no_dry_runs(postgres: Client, run: Run) -> None:
    lose(run, restarts=2)
    operate(postgres, "requeue_runs", run_ids=run.id)
    assert [event for event, _ in explain(postgres, run)].count("ops.requeue_runs") == 0
    operate(postgres, "requeue_runs", run_ids=run.id, dry_run=False)
    events = [event for event, _ in explain(postgres, run)]
    assert (events.count("restarted"), events.count("ops.requeue_runs")) == (2, 1)


def test_a_timeline_of_an_unfinished_run_ends_with_what_happens_next(postgres: Client, run: Run) -> None:
    assert explain(postgres, run)[-1][0] == "never dispatched"
    run.take()
    run.start(1)
    run.write(1, [{"id": str(number), "data": {}} for number in (1, 2, 3)])
    events = explain(postgres, run)
    assert events[-1][0] == "running"
    assert ("step 1 wrote last", "1 of 1 chunk written: 3 in, 3 out") in events


def test_explaining_is_in_the_orgs_log_and_needs_a_run(postgres: Client, run: Run, org: Org) -> None:
    since = last_audit_id(postgres)
    explain(postgres, run)
    rows = operations_since(postgres, since)
    assert [(row["org_id"], row["entity_id"], row["action"]) for row in rows] == [
        (org.id, run.id, "explain_run")
    ]
    with refused(404, "pipeline_run_not_found"):
        operate(postgres, "explain_run", run_id="00000000-0000-4000-8000-000000000000")
