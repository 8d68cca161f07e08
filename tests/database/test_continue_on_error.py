"""Steps that may fail: their input passes on, and the run ends as succeeded with errors."""

from __future__ import annotations

import pytest

from tests.support.pipeline import INLINE, Json, Run, create_run, records, verdict
from tests.support.sql_client import Client, refused
from tests.support.tenants import Company, Org

ERROR = {"code": "broken", "message": "It broke."}


@pytest.fixture
def run(worker: Client, org: Org, company: Company) -> Run:
    """A run whose second step may fail."""
    steps: list[Json] = [{"slug": INLINE}, {"slug": INLINE, "continue_on_error": True}, {"slug": INLINE}]
    run = create_run(worker, org, company, *steps)
    run.take()
    run.start(1)
    run.write(
        1, [{"id": "1", "data": {"by": "first"}}, {"id": "2", "data": {"by": "first"}}], dropped=[verdict(3)]
    )
    run.on_step("finish_step", 1)
    return run


def fail_the_second(run: Run) -> None:
    run.start(2)
    run.write(2, records(1), rejected=[verdict(2, "of_the_second")])
    assert run.on_step("fail_step", 2, error=ERROR) == {"status": "failed", "continues": True}


def test_a_step_that_may_fail_passes_its_input_on(run: Run, worker: Client, member: Client) -> None:
    fail_the_second(run)
    taken = worker.call("worker.read_chunk", step_result_id=run.step_id(3), chunk_index=0)
    assert [record["data"] for record in taken["records"]] == [{"by": "first"}] * 2
    run.pass_through(3)
    assert run.on_run("finish_pipeline_run") == {"status": "succeeded_with_errors"}
    now = member.call("get_pipeline_run", pipeline_run_id=run.id)
    assert (now["status"], now["error"], bool(now["finished_at"])) == ("succeeded_with_errors", None, True)
    assert [step["status"] for step in now["steps"]] == ["succeeded", "failed", "succeeded"]
    assert now["steps"][1]["error"] == ERROR
    assert now["steps"][2]["input_step_result_id"] == run.step_id(1)
    # Two records come in, although the second step rejected one of them.
    assert (now["steps"][2]["records_in"], now["steps"][2]["records_out"]) == (2, 2)


def test_every_view_says_which_step_failed_and_why(run: Run, member: Client) -> None:
    fail_the_second(run)
    failed = [{"position": 2, "slug": INLINE, **ERROR}]

    def views() -> list[object]:
        listed = member.call("list_pipeline_runs", submission_id=run.submission["id"])["items"]
        return [
            run["failed_steps"] for run in (member.call("get_pipeline_run", pipeline_run_id=run.id), *listed)
        ]

    assert views() == [failed, failed]
    run.pass_through(3)
    run.on_run("finish_pipeline_run")
    assert views() == [failed, failed]
    assert member.call("list_pipeline_runs", status="succeeded_with_errors")["items"][0]["id"] == run.id


def test_the_output_is_that_of_the_last_step_that_succeeded(run: Run, member: Client) -> None:
    run.pass_through(2)
    run.start(3)
    with refused(409, "pipeline_run_not_succeeded"):
        member.call("list_pipeline_run_records", pipeline_run_id=run.id)
    assert run.on_step("fail_step", 3, error=ERROR)["continues"] is False
    with refused(409, "pipeline_run_not_succeeded"):
        member.call("list_pipeline_run_records", pipeline_run_id=run.id)


def test_output_and_fields_pass_over_failed_steps(
    worker: Client, org: Org, company: Company, member: Client
) -> None:
    may_fail = {"slug": INLINE, "continue_on_error": True}
    run = create_run(worker, org, company, may_fail, may_fail)
    run.take()
    for position in (1, 2):
        run.start(position)
        run.write(position, [{"id": str(i), "data": {"other": i}} for i in (1, 2)], rejected=[verdict(3)])
        run.on_step("fail_step", position, error=ERROR)
    assert run.on_run("finish_pipeline_run") == {"status": "succeeded_with_errors"}

    def listed(kind: str) -> list[str]:
        page = member.call("list_pipeline_run_records", pipeline_run_id=run.id, kind=kind)
        return [item["id"] for item in page["items"]]

    # No record is lost, and no record of the output counts as lost.
    assert (listed("output"), listed("rejected"), listed("dropped")) == (["1", "2", "3"], [], [])
    assert member.call("list_pipeline_run_fields", pipeline_run_id=run.id)["fields"] == ["name"]
    of_the_step = member.call("list_step_result_records", step_result_id=run.step_id(1), kind="rejected")
    assert [item["id"] for item in of_the_step["items"]] == ["3"]


def test_failing_twice_changes_nothing(run: Run) -> None:
    fail_the_second(run)
    assert run.on_step("fail_step", 2, error={"code": "other", "message": "Later."})["continues"] is True
    assert run.start(2)["status"] == "failed"
    run.pass_through(3)
    assert run.on_run("finish_pipeline_run") == {"status": "succeeded_with_errors"}


def test_a_step_that_may_not_fail_fails_the_run(run: Run, member: Client) -> None:
    run.pass_through(2)
    run.start(3)
    run.on_step("fail_step", 3, error=ERROR)
    now = member.call("get_pipeline_run", pipeline_run_id=run.id)
    assert (now["status"], now["error"]["code"], now["error"]["position"]) == ("failed", "broken", 3)


@pytest.mark.parametrize("status", ["succeeded", "succeeded_with_errors"])
def test_the_steps_alone_decide_which_success_a_run_is(run: Run, postgres: Client, status: str) -> None:
    statement = f"update public.pipeline_runs set status = '{status}' where id = %(id)s"
    with refused(409, "invalid_transition"):
        postgres.change(statement, {"id": run.id})
    fail_the_second(run)
    run.pass_through(3)
    if status == "succeeded":
        with refused(409, "invalid_transition"):
            postgres.change(statement, {"id": run.id})
    else:
        assert postgres.change(statement, {"id": run.id}) == 1


def test_the_input_and_options_of_a_step_cannot_be_changed_later(run: Run, postgres: Client) -> None:
    run.start(2)
    for change in ("input_step_result_id = null", "skip_reason = 'condition'", "continue_on_error = false",
                   "reused_from = id", "resumed_from = id", "delivery_key = repeat('0', 32)"):  # fmt: skip
        with refused(409, "immutable"):
            postgres.change(
                f"update public.step_results set {change} where id = %(id)s", {"id": run.step_id(2)}
            )
