"""Clients create, read and cancel pipeline runs."""

from __future__ import annotations

import pytest

from tests.support.pipeline import INLINE, OUTSIDE, Run, create_run
from tests.support.sql_client import Client, Connection, denied, refused, signed_in, with_token
from tests.support.tenants import Company, Org, create_token


@pytest.fixture
def run(worker: Client, org: Org, company: Company) -> Run:
    return create_run(worker, org, company)


def test_a_run_begins_with_a_snapshot_and_a_pending_result_for_each_step(
    connection: Connection, run: Run, company: Company
) -> None:
    now = signed_in(connection, company.member).call("get_pipeline_run", pipeline_run_id=run.id)
    assert (now["status"], now["run_number"], now["dispatched"], now["error"]) == ("queued", 1, False, None)
    assert (now["created_by"], now["record_count"], now["chunk_count"]) == (company.member.id, 3, 1)
    assert [(s["position"], s["slug"], s["status"]) for s in now["steps"]] == [
        (1, INLINE, "pending"),
        (2, OUTSIDE, "pending"),
    ]
    assert [s["task_id"] for s in now["blueprint_snapshot"]["steps"]] == ["run-pipeline", OUTSIDE]
    assert "claim_id" not in now


def test_a_received_submission_can_run_again(connection: Connection, run: Run, company: Company) -> None:
    member = signed_in(connection, company.other_member)
    again = member.call("create_pipeline_run", submission_id=run.submission["id"])
    assert (again["run_number"], again["created_by"]) == (2, company.other_member.id)
    assert again["id"] != run.id


def test_a_client_sets_nothing_of_a_new_run_but_its_submission(
    connection: Connection, run: Run, org: Org
) -> None:
    admin = signed_in(connection, org.admin)
    for columns in ("submission_id, status", "submission_id, org_id", "submission_id, blueprint_snapshot"):
        with denied():
            admin.change(f"insert into public.pipeline_runs ({columns}) values (null, null)")
    statement = "insert into public.pipeline_runs (submission_id) values (%(id)s) returning status::text"
    assert admin.value(statement, {"id": run.submission["id"]}) == "queued"


def test_even_an_operators_run_takes_everything_from_its_submission(
    connection: Connection, postgres: Client, run: Run, org: Org
) -> None:
    statement = """
        insert into public.pipeline_runs
            (submission_id, org_id, company_id, blueprint_id, run_number, blueprint_version,
            blueprint_snapshot, record_count, chunk_count, status)
        values (%(id)s, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 99, 99,
            '{}', 99, 99, 'running')
        returning to_jsonb(pipeline_runs)
    """
    made = postgres.value(statement, {"id": run.submission["id"]})
    seen = signed_in(connection, org.admin).call("get_pipeline_run", pipeline_run_id=made["id"])
    for name in ("org_id", "company_id", "blueprint_id", "blueprint_version", "record_count", "chunk_count"):
        assert seen[name] == run.pipeline_run[name]
    assert (seen["run_number"], seen["status"], len(seen["steps"])) == (2, "queued", 2)


def test_a_member_cannot_cancel_another_members_run(
    connection: Connection, run: Run, company: Company
) -> None:
    other = signed_in(connection, company.other_member)
    with refused(403, "forbidden"):
        other.call("cancel_pipeline_run", pipeline_run_id=run.id)
    assert other.change("update public.pipeline_runs set status = 'cancelled'") == 0
    assert run.statuses(other)[0] == "queued"


def test_creator_company_admin_and_org_admin_cancel(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    for user in (company.member, company.company_admin, org.admin):
        run = create_run(worker, org, company)
        client = signed_in(connection, user)
        assert client.call("cancel_pipeline_run", pipeline_run_id=run.id)["status"] == "cancelled"


def test_a_members_token_cancels_what_its_creator_may(
    connection: Connection, run: Run, company: Company
) -> None:
    with refused(403, "forbidden"):
        with_token(connection, create_token(connection, company.other_member)).call(
            "cancel_pipeline_run", pipeline_run_id=run.id
        )
    own = with_token(connection, create_token(connection, company.member))
    assert own.call("cancel_pipeline_run", pipeline_run_id=run.id)["status"] == "cancelled"


@pytest.mark.parametrize(
    "change",
    ["error = '{}'", "claim_id = gen_random_uuid()", "lease_expires_at = now()", "finished_at = now()",
     "dispatched_at = null", "restart_count = 0", "started_at = now()"],
)  # fmt: skip
def test_a_client_writes_no_column_of_the_workers(
    connection: Connection, run: Run, org: Org, change: str
) -> None:
    with denied():
        signed_in(connection, org.admin).change(f"update public.pipeline_runs set {change}")


def test_a_client_sets_no_status_but_cancelled(connection: Connection, run: Run, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    for status in ("failed", "running"):
        with denied():
            admin.change(f"update public.pipeline_runs set status = '{status}'")
    with refused(409, "invalid_transition"):
        admin.change("update public.pipeline_runs set status = 'succeeded'")
    assert run.statuses(admin) == ("queued", ["pending", "pending"])
    run.take()
    for status in ("succeeded", "failed"):
        with denied():
            admin.change(f"update public.pipeline_runs set status = '{status}'")
    with refused(409, "invalid_transition"):
        admin.change("update public.pipeline_runs set status = 'queued'")
    assert run.statuses(admin)[0] == "running"


def test_a_client_cannot_point_a_running_run_to_another_trigger_run(
    connection: Connection, run: Run, company: Company
) -> None:
    member = signed_in(connection, company.member)
    run.take("run_real")
    with denied():
        member.change("update public.pipeline_runs set trigger_run_id = 'run_mine'")
    marked = member.call("mark_pipeline_run_dispatched", pipeline_run_id=run.id, trigger_run_id="run_mine")
    assert marked["trigger_run_id"] == "run_real"


def test_a_queued_run_is_marked_dispatched(connection: Connection, run: Run, company: Company) -> None:
    member = signed_in(connection, company.member)
    arguments = {"pipeline_run_id": run.id, "trigger_run_id": "run_1"}
    marked = member.call("mark_pipeline_run_dispatched", **arguments)
    assert (marked["dispatched"], marked["trigger_run_id"], marked["status"]) == (True, "run_1", "queued")
    assert member.call("mark_pipeline_run_dispatched", **arguments) == marked


def test_another_member_cannot_mark_a_run_dispatched(
    connection: Connection, run: Run, company: Company
) -> None:
    other = signed_in(connection, company.other_member)
    marked = other.call("mark_pipeline_run_dispatched", pipeline_run_id=run.id, trigger_run_id="run_mine")
    assert (marked["dispatched"], marked["trigger_run_id"]) == (False, None)


def test_nobody_deletes_history(connection: Connection, worker: Client, run: Run, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    for table in ("submissions", "submission_chunks", "pipeline_runs", "step_results", "step_result_chunks",
                  "rejected_records", "blueprints", "api_tokens"):  # fmt: skip
        for client in (admin, worker):
            with denied():
                client.change(f"delete from public.{table}")


def test_the_claim_is_not_readable(connection: Connection, run: Run, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    for statement in ("select claim_id from public.pipeline_runs", "select * from public.pipeline_runs"):
        with denied():
            admin.rows(statement)


def test_clients_write_no_step_results(connection: Connection, run: Run, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    for statement in (
        "update public.step_results set status = 'succeeded'",
        "update public.step_results set records_out = 99",
        "insert into public.step_results select * from public.step_results",
        "update public.step_result_chunks set records = '[]'",
        "insert into public.step_result_chunks select * from public.step_result_chunks",
    ):
        with denied():
            admin.change(statement)


def test_lists_filter_by_company_submission_and_status(
    connection: Connection, worker: Client, run: Run, org: Org
) -> None:
    elsewhere = create_run(worker, org, org.second)
    elsewhere.take()
    admin = signed_in(connection, org.admin)

    def ids(**filters: str) -> set[str]:
        return {item["id"] for item in admin.call("list_pipeline_runs", **filters)["items"]}

    assert ids() == {run.id, elsewhere.id}
    assert ids(company_id=org.first.id) == {run.id}
    assert ids(submission_id=elsewhere.submission["id"]) == {elsewhere.id}
    assert ids(status="running") == {elsewhere.id}
    assert "steps" not in admin.call("list_pipeline_runs")["items"][0]


@pytest.mark.parametrize("role", ["org_admin", "member"])
def test_a_list_of_failed_runs_does_not_read_the_succeeded_ones(
    connection: Connection, postgres: Client, run: Run, org: Org, company: Company, role: str
) -> None:
    fail_and_let_many_succeed(postgres, run, 3000)
    client = signed_in(connection, org.admin if role == "org_admin" else company.member)
    read = "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relname = 'pipeline_runs'"
    before = postgres.value(read)
    listed = client.call("list_pipeline_runs", status="failed")["items"]
    assert run.id in [item["id"] for item in listed]
    assert postgres.value(read) - before < 300


def fail_and_let_many_succeed(postgres: Client, run: Run, count: int) -> None:
    """The triggers are off: they would take a minute."""
    run.take()
    run.on_run("fail_pipeline_run", error={"code": "broken", "message": "It broke."})
    postgres.change("alter table public.pipeline_runs disable trigger user")
    postgres.change(
        """
        insert into public.pipeline_runs (
            org_id, company_id, submission_id, run_number, blueprint_id, blueprint_version,
            blueprint_snapshot, status, record_count, chunk_count, trace_id, trace_sampled, finished_at
        )
        select r.org_id, r.company_id, r.submission_id, r.run_number + n, r.blueprint_id, r.blueprint_version,
            r.blueprint_snapshot, 'succeeded', 1, 1, r.trace_id, true, now()
        from public.pipeline_runs r, generate_series(1, %(count)s) n
        where r.id = %(id)s
        """,
        {"id": run.id, "count": count},
    )
    postgres.change("alter table public.pipeline_runs enable trigger user")
    postgres.change("analyze public.pipeline_runs")
