"""The state machines of runs and step results: each transition is allowed or forbidden.

The tests act as postgres, to which no grant and no policy applies: a refusal here is a refusal to everybody.
"""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.support.pipeline import INLINE, Run, create_run, records
from tests.support.sql_client import Client, Connection, denied, refused, signed_in
from tests.support.tenants import Company, Org

RUN_STATUSES = ("queued", "running", "succeeded", "succeeded_with_errors", "failed", "cancelled")
RUN_FINAL = {"succeeded", "succeeded_with_errors", "failed", "cancelled"}
RUN_ALLOWED = {
    ("queued", "running"),
    ("queued", "failed"),
    ("queued", "cancelled"),
    ("running", "succeeded"),
    ("running", "succeeded_with_errors"),
    ("running", "failed"),
    ("running", "cancelled"),
}

STEP_STATUSES = ("pending", "running", "succeeded", "failed", "cancelled", "skipped")
STEP_FINAL = {"succeeded", "failed", "cancelled", "skipped"}
STEP_ALLOWED = {
    ("pending", "running"),
    ("pending", "skipped"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "cancelled"),
}

ERROR = {"code": "broken", "message": "It broke."}


@pytest.fixture
def run(worker: Client, org: Org, company: Company) -> Run:
    return create_run(worker, org, company, {"slug": INLINE}, {"slug": INLINE, "continue_on_error": True})


def test_every_status_is_tried_here(postgres: Client) -> None:
    labels = "select array(select unnest(enum_range(null::public.{}))::text)"
    assert postgres.value(labels.format("pipeline_run_status")) == list(RUN_STATUSES)
    assert postgres.value(labels.format("step_result_status")) == list(STEP_STATUSES)


def bring_to_its_end(run: Run, status: str) -> None:
    """Finishes the steps of a running run, so that only its own status is left to set."""
    run.pass_through(1)
    if status == "succeeded":
        run.pass_through(2)
    else:
        run.start(2)
        run.on_step("fail_step", 2, error=ERROR)


def bring_run_to(run: Run, reader: Client, status: str) -> None:
    if status == "succeeded":
        run.succeed()
    elif status != "queued":
        run.take()
    if status == "succeeded_with_errors":
        bring_to_its_end(run, status)
        run.on_run("finish_pipeline_run")
    elif status == "failed":
        run.on_run("fail_pipeline_run", error=ERROR)
    elif status == "cancelled":
        reader.call("cancel_pipeline_run", pipeline_run_id=run.id)


@pytest.mark.parametrize(("old", "new"), list(permutations(RUN_STATUSES, 2)))
def test_a_run_goes_only_where_it_may(
    connection: Connection, postgres: Client, run: Run, org: Org, old: str, new: str
) -> None:
    admin = signed_in(connection, org.admin)
    bring_run_to(run, admin, old)
    if old == "running" and new in {"succeeded", "succeeded_with_errors"}:
        bring_to_its_end(run, new)
    statement = """
        update public.pipeline_runs
        set status = %(new)s, claim_id = gen_random_uuid(), lease_expires_at = now()
        where id = %(id)s
    """
    if (old, new) in RUN_ALLOWED:
        assert postgres.change(statement, {"new": new, "id": run.id}) == 1
        assert run.statuses(admin)[0] == new
        return
    with refused(409, "pipeline_run_finished" if old in RUN_FINAL else "invalid_transition"):
        postgres.change(statement, {"new": new, "id": run.id})
    assert run.statuses(admin)[0] == old


def bring_step_to(run: Run, status: str) -> None:
    run.take()
    if status == "skipped":
        run.on_run("fail_pipeline_run", error=ERROR)
    elif status == "succeeded":
        run.pass_through(1)
    elif status != "pending":
        run.start(1)
    if status == "failed":
        run.on_step("fail_step", 1, error=ERROR)
    elif status == "cancelled":
        run.worker.connection.execute(
            "update public.pipeline_runs set status = 'cancelled' where id = %s", (run.id,)
        )


@pytest.mark.parametrize(("old", "new"), list(permutations(STEP_STATUSES, 2)))
def test_a_step_result_goes_only_where_it_may(postgres: Client, run: Run, old: str, new: str) -> None:
    bring_step_to(run, old)
    if (old, new) == ("running", "succeeded"):
        run.write(1, records(1, 2, 3))
    error = "'{}'" if new == "failed" else "null"
    reason = "'condition'" if new == "skipped" else "skip_reason"
    statement = f"""
        update public.step_results
        set status = %(new)s, error = {error}, skip_reason = {reason}
        where id = %(id)s
    """
    if (old, new) in STEP_ALLOWED:
        assert postgres.change(statement, {"new": new, "id": run.step_id(1)}) == 1
    else:
        with refused(409, "immutable" if old in STEP_FINAL else "invalid_transition"):
            postgres.change(statement, {"new": new, "id": run.step_id(1)})
    status = "select status::text from public.step_results where id = %(id)s"
    assert postgres.value(status, {"id": run.step_id(1)}) == (new if (old, new) in STEP_ALLOWED else old)


@pytest.mark.parametrize("status", sorted(RUN_FINAL))
def test_a_finished_run_is_history(postgres: Client, run: Run, company: Company, status: str) -> None:
    bring_run_to(run, signed_in(postgres.connection, company.member), status)
    for change in (
        "error = '{}'",
        "trigger_run_id = 'run_other'",
        "restart_count = 3",
        "claim_id = gen_random_uuid()",
    ):
        with refused(409, "pipeline_run_finished"):
            postgres.change(f"update public.pipeline_runs set {change} where id = %(id)s", {"id": run.id})


@pytest.mark.parametrize(
    "change",
    [
        "blueprint_snapshot = '{}'",
        "blueprint_snapshot = jsonb_set(blueprint_snapshot, '{steps,0,config}', '{\"a\": 1}')",
        "blueprint_version = 99",
        "blueprint_id = gen_random_uuid()",
        "submission_id = gen_random_uuid()",
        "org_id = gen_random_uuid()",
        "company_id = gen_random_uuid()",
        "run_number = 99",
        "record_count = 99",
        "chunk_count = 99",
        "created_by = null",
        "created_at = now() - interval '1 day'",
        "id = gen_random_uuid()",
    ],
)
@pytest.mark.parametrize("status", ["queued", "running"])
def test_nobody_changes_the_snapshot_or_origin_of_a_run(
    connection: Connection, postgres: Client, worker: Client, run: Run, org: Org, change: str, status: str
) -> None:
    bring_run_to(run, postgres, status)
    before = postgres.rows("select * from public.pipeline_runs where id = %(id)s", {"id": run.id})
    statement = f"update public.pipeline_runs set {change} where id = %(id)s"
    with refused(409, "immutable"):
        postgres.change(statement, {"id": run.id})
    for client in (worker, signed_in(connection, org.admin)):
        with denied():
            client.change(statement, {"id": run.id})
    assert postgres.rows("select * from public.pipeline_runs where id = %(id)s", {"id": run.id}) == before


@pytest.mark.parametrize("change", ["slug = 'other'", "version = '9.9.9'", "position = 9", "chunk_count = 9"])
def test_nobody_changes_the_step_of_a_step_result(postgres: Client, run: Run, change: str) -> None:
    with refused(409, "immutable"):
        postgres.change(f"update public.step_results set {change} where id = %(id)s", {"id": run.step_id(1)})


def test_a_run_succeeds_only_when_all_of_its_steps_have(connection: Connection, run: Run, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    run.take()
    run.pass_through(1)
    with refused(409, "invalid_transition"):
        run.on_run("finish_pipeline_run")
    assert run.statuses(admin) == ("running", ["succeeded", "pending"])
    run.pass_through(2)
    run.on_run("finish_pipeline_run")
    assert run.statuses(admin) == ("succeeded", ["succeeded", "succeeded"])


def test_a_step_starts_only_when_all_before_it_have_succeeded(run: Run) -> None:
    run.take()
    with refused(409, "invalid_transition"):
        run.start(2)
    run.start(1)
    with refused(409, "invalid_transition"):
        run.start(2)


def test_a_step_succeeds_only_with_every_chunk_written(
    connection: Connection, worker: Client, postgres: Client, org: Org, company: Company
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE}, count=1001)
    run.take()
    run.start(1)
    first = worker.call("worker.read_chunk", step_result_id=run.step_id(1), chunk_index=0)["records"]
    run.write(1, first)
    with refused(409, "step_incomplete"):
        run.on_step("finish_step", 1)
    with refused(409, "step_incomplete"):
        postgres.change(
            "update public.step_results set status = 'succeeded' where id = %(id)s", {"id": run.step_id(1)}
        )


def test_a_failed_step_fails_the_run_and_skips_the_rest(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    admin = signed_in(connection, org.admin)
    run = create_run(worker, org, company, {"slug": INLINE}, {"slug": INLINE}, {"slug": INLINE})
    run.take()
    run.pass_through(1)
    run.start(2)
    run.on_step("fail_step", 2, error=ERROR | {"details": {"status": 500}})
    assert run.statuses(admin) == ("failed", ["succeeded", "failed", "skipped"])
    now = admin.call("get_pipeline_run", pipeline_run_id=run.id)
    assert now["error"] == ERROR | {"details": {"status": 500}, "position": 2, "slug": INLINE}
    assert [step["error"] for step in now["steps"]] == [None, ERROR | {"details": {"status": 500}}, None]
    assert now["finished_at"]
    assert all(step["finished_at"] for step in now["steps"])


def test_a_run_that_fails_as_a_whole_takes_its_running_step_with_it(
    connection: Connection, run: Run, org: Org
) -> None:
    run.take()
    run.start(1)
    run.on_run("fail_pipeline_run", error=ERROR)
    assert run.statuses(signed_in(connection, org.admin)) == ("failed", ["failed", "skipped"])


def test_a_step_can_fail_before_it_has_started(connection: Connection, run: Run, org: Org) -> None:
    run.take()
    run.on_step("fail_step", 1, error=ERROR)
    assert run.statuses(signed_in(connection, org.admin)) == ("failed", ["failed", "skipped"])


def test_cancelling_skips_pending_steps_and_cancels_the_running_one(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    member = signed_in(connection, company.member)
    run = create_run(worker, org, company, {"slug": INLINE}, {"slug": INLINE}, {"slug": INLINE})
    run.take()
    run.pass_through(1)
    run.start(2)
    cancelled = member.call("cancel_pipeline_run", pipeline_run_id=run.id)
    assert run.statuses(member) == ("cancelled", ["succeeded", "cancelled", "skipped"])
    assert member.call("cancel_pipeline_run", pipeline_run_id=run.id) == cancelled


def test_cancelling_a_queued_run_skips_every_step(connection: Connection, run: Run, company: Company) -> None:
    member = signed_in(connection, company.member)
    member.call("cancel_pipeline_run", pipeline_run_id=run.id)
    assert run.statuses(member) == ("cancelled", ["skipped", "skipped"])


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_finished_run_cannot_be_cancelled(
    connection: Connection, run: Run, company: Company, status: str
) -> None:
    member = signed_in(connection, company.member)
    bring_run_to(run, member, status)
    with refused(409, "pipeline_run_finished"):
        member.call("cancel_pipeline_run", pipeline_run_id=run.id)
    assert run.statuses(member)[0] == status
