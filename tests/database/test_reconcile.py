"""The reconciler repairs runs that nobody dispatched or that lost a worker, be it again and again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.pipeline import INLINE, Run, create_blueprint, create_run, records, verdict
from tests.support.sql_client import Client, Connection, refused, signed_in
from tests.support.tenants import Company, Org


@pytest.fixture
def run(worker: Client, org: Org, company: Company) -> Run:
    return create_run(worker, org, company, {"slug": INLINE})


def reconcile(run: Run) -> dict[str, Any]:
    """The reconciler's answer about this run alone: a shared database may have others."""
    answer: dict[str, Any] = run.worker.call("worker.reconcile_pipeline_runs", limit=None)
    mine = [start for start in answer["starts"] if start["pipeline_run_id"] == run.id]
    return {**answer, "starts": mine}


def mark(run: Run, trigger_run_id: str) -> bool:
    answer = run.worker.call(
        "worker.mark_pipeline_run_dispatched", pipeline_run_id=run.id, trigger_run_id=trigger_run_id
    )
    return bool(answer["marked"])


def set_times(run: Run, **ago: str) -> None:
    """Sets times of the run to an interval ago. The guard is off: it accepts no time but now."""
    connection = run.worker.connection
    connection.execute("alter table public.pipeline_runs disable trigger pipeline_runs_guard")
    for column, interval in ago.items():
        connection.execute(
            f"update public.pipeline_runs set {column} = now() - %s::interval where id = %s".encode(),
            (interval, run.id),
        )
    connection.execute("alter table public.pipeline_runs enable trigger pipeline_runs_guard")


def let_pass(run: Run, interval: str) -> None:
    """Moves the run's times back by the interval. A time that is not set stays unset."""
    run.worker.connection.execute(
        "update public.pipeline_runs set lease_expires_at = lease_expires_at - %(past)s::interval, "
        "dispatched_at = dispatched_at - %(past)s::interval where id = %(id)s",
        {"past": interval, "id": run.id},
    )


def start_of(run: Run, key: str | None = None) -> list[dict[str, str]]:
    """The start of a run that nobody dispatched or, with the key of a restart, of a lost run."""
    start = {"pipeline_run_id": run.id, "org_id": run.pipeline_run["org_id"]}
    is_lost = key is not None and ":start:" not in key
    return [
        start | {"idempotency_key": key or run.id, "repair": "restarted" if is_lost else "not_dispatched"}
    ]


def suspects(run: Run) -> list[dict[str, Any]]:
    answer: dict[str, Any] = run.worker.call("worker.reconcile_pipeline_runs", limit=None)
    return [suspect for suspect in answer["suspects"] if suspect["pipeline_run_id"] == run.id]


def repair(run: Run, trigger_run_id: str | None, finding: str) -> dict[str, Any]:
    answer: dict[str, Any] = run.worker.call(
        "worker.repair_pipeline_run", pipeline_run_id=run.id, trigger_run_id=trigger_run_id, finding=finding
    )
    return answer


def repairs_of(run: Run) -> list[str]:
    """The repairs of the run, from the audit log."""
    rows = run.worker.connection.execute(
        "select after ->> 'repair' from public.audit_log "
        "where entity = 'pipeline_runs' and entity_id = %s and action = 'reconciled' order by id",
        (run.id,),
    ).fetchall()
    return [row[0] for row in rows]


def test_a_fresh_run_is_left_to_its_creator(run: Run) -> None:
    assert reconcile(run)["starts"] == []


def test_a_run_that_nobody_dispatched_is_due_after_ten_seconds(run: Run) -> None:
    set_times(run, start_taken_at="11 seconds")
    assert reconcile(run)["starts"] == start_of(run)
    # The caller that took the start has ten seconds to make it.
    assert reconcile(run)["starts"] == []
    set_times(run, start_taken_at="11 seconds")
    assert reconcile(run)["starts"] == start_of(run)
    assert mark(run, "run_1")
    set_times(run, start_taken_at="1 hour")
    assert reconcile(run)["starts"] == []


@pytest.mark.parametrize(("finding", "kind"), [("unknown", "start_unknown"), ("ended", "start_ended")])
def test_a_start_that_trigger_has_lost_is_made_again_under_another_key(
    run: Run, finding: str, kind: str
) -> None:
    mark(run, "run_1")
    set_times(run, dispatched_at="119 seconds")
    assert suspects(run) == []
    assert repair(run, "run_1", finding) == {"repair": None, "start": None}
    set_times(run, dispatched_at="121 seconds")
    expected = {"pipeline_run_id": run.id, "trigger_run_id": "run_1", "ended": False}
    assert suspects(run) == [expected]
    assert repair(run, "run_other", finding) == {"repair": None, "start": None}
    repaired = repair(run, "run_1", finding)
    assert (repaired["repair"], repaired["start"]["idempotency_key"]) == (kind, f"{run.id}:start:1")
    assert repair(run, "run_1", finding) == {"repair": None, "start": None}
    assert suspects(run) == []
    assert mark(run, "run_2")
    assert repairs_of(run) == [kind]
    assert run.take("run_2")["outcome"] == "claimed"


def test_a_suspect_that_was_claimed_meanwhile_is_left_alone(run: Run) -> None:
    mark(run, "run_1")
    set_times(run, dispatched_at="3 minutes")
    run.take("run_1")
    assert repair(run, "run_1", "ended") == {"repair": None, "start": None}
    run.on_run("heartbeat")
    assert repairs_of(run) == []


def test_a_run_that_a_start_presumed_lost_claims_is_lost_with_its_worker(run: Run) -> None:
    mark(run, "run_1")
    set_times(run, dispatched_at="3 minutes")
    assert repair(run, "run_1", "unknown")["repair"] == "start_unknown"
    assert run.take("run_1")["outcome"] == "claimed"
    assert not mark(run, "run_2")
    assert reconcile(run)["starts"] == []
    let_pass(run, "3 minutes")
    assert [start["idempotency_key"] for start in reconcile(run)["starts"]] == [f"{run.id}:1:start:1"]


def test_a_run_left_to_a_task_that_has_ended_is_lost_at_once(run: Run) -> None:
    run.take("run_1")
    assert suspects(run) == []
    run.on_run("heartbeat", lease_seconds=1860)
    assert suspects(run) == [{"pipeline_run_id": run.id, "trigger_run_id": "run_1", "ended": False}]
    set_times(run, dispatched_at="5 minutes")
    repaired = repair(run, "run_1", "ended")
    assert (repaired["repair"], repaired["start"]["idempotency_key"]) == ("ended_unfinished", f"{run.id}:1")
    assert repair(run, "run_1", "ended") == {"repair": None, "start": None}
    assert repairs_of(run) == ["ended_unfinished"]
    assert run.take("run_2")["outcome"] == "claimed"


@pytest.mark.parametrize(("finding", "noted"), [("stopped", ["stopped"]), ("quiet", [])])
def test_a_cancelled_run_stays_a_suspect_until_none_of_its_tasks_is_alive(
    connection: Connection, run: Run, company: Company, finding: str, noted: list[str]
) -> None:
    run.take("run_1")
    signed_in(connection, company.member).call("cancel_pipeline_run", pipeline_run_id=run.id)
    assert suspects(run) == []
    set_times(run, finished_at="11 seconds")
    assert suspects(run) == [{"pipeline_run_id": run.id, "trigger_run_id": "run_1", "ended": True}]
    assert repair(run, "run_1", "ended") == {"repair": None, "start": None}
    for _ in range(2):
        repair(run, "run_1", finding)
    assert suspects(run) == []
    assert repairs_of(run) == noted


def test_a_run_that_succeeded_has_nothing_to_stop(run: Run) -> None:
    run.succeed()
    set_times(run, finished_at="1 hour")
    assert suspects(run) == []
    assert repair(run, "run_first", "stopped") == {"repair": None, "start": None}


@pytest.mark.parametrize("finding", ["", "fine", None])
def test_a_finding_is_one_of_four(run: Run, finding: str | None) -> None:
    with refused(422, "invalid_request"):
        run.worker.call(
            "worker.repair_pipeline_run", pipeline_run_id=run.id, trigger_run_id="r", finding=finding
        )


def test_a_start_that_trigger_answers_with_a_dead_run_is_replaced_once(run: Run) -> None:
    def replace(key: str) -> Any:  # noqa: ANN401
        return run.worker.call("worker.replace_start", pipeline_run_id=run.id, idempotency_key=key)["start"]

    assert replace("another") is None
    start = replace(run.id)
    assert start["idempotency_key"] == f"{run.id}:start:1"
    assert replace(run.id) is None
    run.take("run_1")
    assert replace(f"{run.id}:1:start:1") is None
    set_times(run, lease_expires_at="1 second")
    assert replace(f"{run.id}:1:start:1")["idempotency_key"] == f"{run.id}:1:start:2"
    assert repairs_of(run) == ["start_ended", "start_ended"]


def mark_repaired(run: Run, kind: str, trigger_run_id: str = "r") -> bool:
    answer = run.worker.call(
        "worker.mark_pipeline_run_dispatched",
        pipeline_run_id=run.id,
        trigger_run_id=trigger_run_id,
        repair=kind,
    )
    return bool(answer["marked"])


def test_a_repair_is_in_the_audit_log_once_trigger_took_the_start(run: Run) -> None:
    mark_repaired(run, "not_dispatched")
    mark_repaired(run, "of no kind")
    run.take("r")
    mark_repaired(run, "restarted", "another")
    set_times(run, lease_expires_at="1 second")
    mark_repaired(run, "restarted")
    assert repairs_of(run) == ["not_dispatched", "restarted"]


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_repair_is_in_the_audit_log_when_its_start_was_quicker_than_its_mark(
    run: Run, has_ended: bool
) -> None:
    run.take("run_1")
    set_times(run, lease_expires_at="1 second")
    run.take("run_2")
    if has_ended:
        run.on_run("fail_pipeline_run", error={"code": "broken", "message": "It broke."})
    assert not mark_repaired(run, "restarted", "run_2")
    assert not mark_repaired(run, "restarted", "run_3")
    assert repairs_of(run) == ["restarted"]


def test_a_run_with_a_lease_is_alive(run: Run) -> None:
    run.take("run_1")
    set_times(run, created_at="1 hour", dispatched_at="1 hour")
    assert reconcile(run)["starts"] == []
    assert not mark(run, "run_2")


def test_a_lost_run_is_started_again_with_a_key_of_its_own(run: Run) -> None:
    run.take("run_1")
    set_times(run, dispatched_at="70 seconds", lease_expires_at="1 second")
    assert reconcile(run)["starts"] == start_of(run, f"{run.id}:1")
    assert mark(run, "run_2")
    assert reconcile(run)["starts"] == []
    assert run.take("run_2")["outcome"] == "claimed"
    set_times(run, dispatched_at="70 seconds", lease_expires_at="1 second")
    assert reconcile(run)["starts"] == start_of(run, f"{run.id}:2")


def test_a_restart_that_never_began_is_due_again_after_two_minutes(run: Run) -> None:
    run.take("run_1")
    set_times(run, dispatched_at="10 minutes", lease_expires_at="9 minutes")
    mark(run, "run_2")
    set_times(run, dispatched_at="119 seconds")
    assert reconcile(run)["starts"] == []
    set_times(run, dispatched_at="121 seconds")
    assert reconcile(run)["starts"] == start_of(run, f"{run.id}:1")


def test_reconciling_twice_changes_nothing(run: Run, postgres: Client) -> None:
    run.take("run_1")
    set_times(run, dispatched_at="70 seconds", lease_expires_at="1 second")
    before = postgres.rows("select * from public.pipeline_runs where id = %(id)s", {"id": run.id})
    first = reconcile(run)
    assert reconcile(run) == {**first, "admitted": 0, "failed": 0, "expired_submissions": 0}
    assert postgres.rows("select * from public.pipeline_runs where id = %(id)s", {"id": run.id}) == before


def test_a_restart_counts_when_it_begins_however_often_it_was_dispatched(run: Run, postgres: Client) -> None:
    run.take("run_1")
    set_times(run, lease_expires_at="1 second")
    mark(run, "run_2")
    mark(run, "run_2")
    assert restarts(postgres, run) == 0
    run.take("run_2")
    run.take("run_2")  # its next attempt
    assert restarts(postgres, run) == 1


def test_undispatched_runs_come_before_lost_runs(
    worker: Client, org: Org, company: Company, run: Run
) -> None:
    run.take("run_1")
    set_times(run, dispatched_at="10 minutes", lease_expires_at="5 minutes")
    newer = create_run(worker, org, company)
    set_times(newer, start_taken_at="1 minute")
    starts = worker.call("worker.reconcile_pipeline_runs", limit=None)["starts"]
    due = [start["pipeline_run_id"] for start in starts]
    assert [run_id for run_id in due if run_id in (run.id, newer.id)] == [newer.id, run.id]


def restarts(postgres: Client, run: Run) -> int:
    count: int = postgres.value(
        "select restart_count from public.pipeline_runs where id = %(id)s", {"id": run.id}
    )
    return count


@pytest.mark.parametrize("lost_for", ["1 second", "90 seconds", "1 hour"])
def test_a_run_that_is_lost_after_its_last_restart_fails(
    connection: Connection, postgres: Client, run: Run, company: Company, lost_for: str
) -> None:
    run.take("run_0")
    for number in range(1, 6):
        set_times(run, dispatched_at="2 hours", lease_expires_at="90 seconds")
        assert reconcile(run)["starts"] == start_of(run, f"{run.id}:{number}")
        mark(run, f"run_{number}")
        run.take(f"run_{number}")
    run.start(1)
    assert restarts(postgres, run) == 5
    set_times(run, dispatched_at="2 hours", lease_expires_at=lost_for)
    outcome = reconcile(run)
    assert (outcome["starts"], outcome["failed"]) == ([], 1)
    now = signed_in(connection, company.member).call("get_pipeline_run", pipeline_run_id=run.id)
    assert (now["status"], now["error"]["code"]) == ("failed", "worker_lost")
    assert [step["status"] for step in now["steps"]] == ["failed"]
    assert reconcile(run)["failed"] == 0
    assert repairs_of(run) == ["given_up"]


def test_a_last_restart_that_may_still_begin_is_not_failed_yet(run: Run, postgres: Client) -> None:
    run.take("run_0")
    for number in range(1, 5):
        set_times(run, dispatched_at="2 hours", lease_expires_at="1 hour")
        run.take(f"run_{number}")
    set_times(run, dispatched_at="2 hours", lease_expires_at="1 hour")
    mark(run, "run_5")
    outcome = reconcile(run)
    assert (outcome["starts"], outcome["failed"], restarts(postgres, run)) == ([], 0, 4)
    assert run.take("run_5")["outcome"] == "claimed"
    assert restarts(postgres, run) == 5


def test_the_reconciler_leaves_finished_runs_alone(
    connection: Connection, run: Run, company: Company
) -> None:
    signed_in(connection, company.member).call("cancel_pipeline_run", pipeline_run_id=run.id)
    set_times(run, created_at="1 hour")
    assert reconcile(run)["starts"] == []
    assert not mark(run, "run_late")


def test_the_oldest_runs_come_first_up_to_the_limit(worker: Client, org: Org, company: Company) -> None:
    runs = [create_run(worker, org, company) for _ in range(3)]
    for hours, run in zip((101, 103, 102), runs, strict=True):
        set_times(run, admitted_at=f"{hours} hours", start_taken_at="1 hour")
    starts = worker.call("worker.reconcile_pipeline_runs", limit=2)["starts"]
    assert [start["pipeline_run_id"] for start in starts] == [runs[1].id, runs[2].id]


def test_an_abandoned_upload_expires_after_a_day(
    connection: Connection, postgres: Client, worker: Client, org: Org, company: Company
) -> None:
    member = signed_in(connection, company.member)
    blueprint = create_blueprint(signed_in(connection, org.admin))
    opened = [
        member.call(
            "open_submission", company_id=company.id, blueprint_id=blueprint["id"], source="csv"
        )["submission"]["id"]
        for _ in range(2)
    ]  # fmt: skip
    for upload in opened:
        member.call(
            "append_submission_chunk",
            submission_id=upload,
            chunk_index=0,
            records=records(1),
            rejected=[verdict(2)],
        )
    connection.execute("alter table public.submissions disable trigger submissions_guard")
    postgres.change(
        "update public.submissions set created_at = now() - interval '25 hours' where id = %(id)s",
        {"id": opened[0]},
    )
    connection.execute("alter table public.submissions enable trigger submissions_guard")
    worker.call("worker.reconcile_pipeline_runs")
    statuses = [member.call("get_submission", submission_id=one)["status"] for one in opened]
    assert statuses == ["expired", "receiving"]
    for table in ("submission_chunks", "rejected_records"):
        left = postgres.rows(
            f"select submission_id::text as id from public.{table} "
            "where submission_id = any (%(ids)s::uuid[])",
            {"ids": opened},
        )
        assert left == [{"id": opened[1]}], table
    with refused(409, "submission_not_receiving"):
        member.call("append_submission_chunk", submission_id=opened[0], chunk_index=0, records=[])


def test_idempotency_keys_are_kept_for_a_day(
    connection: Connection, postgres: Client, worker: Client, org: Org
) -> None:
    admin = signed_in(connection, org.admin)
    first = admin.call("create_company", name="A", idempotency_key="key", request_hash="hash")
    worker.call("worker.reconcile_pipeline_runs")
    assert admin.call("create_company", name="A", idempotency_key="key", request_hash="hash") == first
    postgres.change("update private.idempotency_keys set created_at = now() - interval '25 hours'")
    worker.call("worker.reconcile_pipeline_runs")
    assert admin.call("create_company", name="A", idempotency_key="key", request_hash="hash") != first


def test_the_database_says_when_the_reconciler_is_late(
    connection: Connection, postgres: Client, worker: Client, org: Org
) -> None:
    member = signed_in(connection, org.first.member)
    postgres.change("update private.reconciler set last_ran_at = now() - interval '20 minutes'")
    status = member.call("reconciler_status")
    assert status["is_late"]
    assert postgres.value("select status from ops.reconciler").startswith("late since ")
    worker.call("worker.reconcile_pipeline_runs")
    status = member.call("reconciler_status")
    assert (status["is_late"], status["late_since"]) == (False, None)
    assert status["last_ran_at"] is not None
    assert postgres.value("select status from ops.reconciler") == "in time"
