"""Retries: a run continues where it failed, and rejected records are submitted again. No work is repeated."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.errors import UniqueViolation

from tests.support.pipeline import (
    INLINE,
    OUTSIDE,
    Json,
    Run,
    create_blueprint,
    create_run,
    records,
    submit,
    verdict,
)
from tests.support.sql_client import Client, Connection, denied, refused, signed_in
from tests.support.tenants import Company, Org, Tenants

ERROR = {"code": "broken", "message": "It broke."}
THREE = ({"slug": INLINE}, {"slug": OUTSIDE}, {"slug": INLINE})
# Two chunks.
COUNT = 1500


@pytest.fixture
def failed(worker: Client, org: Org, company: Company) -> Run:
    """A failed run. Step 1 dropped a record; step 2 wrote one of two chunks, rejected a record and failed."""
    run = create_run(worker, org, company, *THREE, count=COUNT)
    run.take()
    run.start(1)
    first, second = (input_of(run, 1, index) for index in (0, 1))
    run.write(1, first[1:], 0, dropped=[verdict(1)])
    run.write(1, second, 1)
    run.on_step("finish_step", 1)
    run.start(2)
    run.write(2, first[2:], 0, rejected=[verdict(2)])
    run.on_step("fail_step", 2, error=ERROR)
    return run


def input_of(run: Run, position: int, chunk_index: int) -> list[Json]:
    taken = run.worker.call(
        "worker.read_chunk", step_result_id=run.step_id(position), chunk_index=chunk_index
    )
    found: list[Json] = taken["records"]
    return found


def retry(client: Client, run: Run) -> Run:
    return Run(run.worker, client.call("retry_pipeline_run", pipeline_run_id=run.id), run.submission)


def column(run: Run, name: str) -> list[Any]:
    return [step[name] for step in run.pipeline_run["steps"]]


def listed(client: Client, run: Run, kind: str) -> list[str]:
    page = client.call("list_pipeline_run_records", pipeline_run_id=run.id, kind=kind, limit=1000)
    return [item["id"] for item in page["items"]]


def test_a_retry_reuses_the_steps_that_succeeded(failed: Run, member: Client) -> None:
    again = retry(member, failed)
    now = again.pipeline_run
    assert (now["status"], now["retry_of"], now["run_number"], now["dispatched"]) == (
        "queued",
        failed.id,
        2,
        False,
    )
    assert column(again, "status") == ["succeeded", "pending", "pending"]
    assert column(again, "reused_from") == [failed.step_id(1), None, None]
    assert column(again, "resumed_from") == [None, failed.step_id(2), None]
    assert column(again, "delivery_key") == column(failed, "delivery_key")
    before = member.call("get_pipeline_run", pipeline_run_id=failed.id)["steps"][0]
    for name in (
        "records_in",
        "records_out",
        "records_dropped",
        "chunks_written",
        "started_at",
        "finished_at",
    ):
        assert now["steps"][0][name] == before[name], name


def test_a_retry_continues_after_the_written_chunks(failed: Run, member: Client) -> None:
    again = retry(member, failed)
    taken = again.take()
    assert [(step["status"], step["begun"]) for step in taken["steps"]] == [
        ("succeeded", True),
        ("pending", True),
        ("pending", False),
    ]
    assert again.start(1)["status"] == "succeeded"
    assert again.start(2)["written_chunks"] == [0]
    with refused(409, "chunk_conflict"):
        again.write(2, [], 0)
    again.write(2, input_of(again, 2, 1), 1)
    done = again.on_step("finish_step", 2)
    assert (done["records_in"], done["records_rejected"], done["records_out"]) == (COUNT - 1, 1, COUNT - 2)
    assert done["input_step_result_id"] == failed.step_id(1)
    again.pass_through(3)
    assert again.on_run("finish_pipeline_run") == {"status": "succeeded"}
    assert listed(member, again, "output")[:2] == ["3", "4"]
    assert (listed(member, again, "dropped"), listed(member, again, "rejected")) == (["1"], ["2"])
    of_step = member.call("list_step_result_records", step_result_id=again.step_id(1), kind="dropped")
    assert [(item["id"], item["data"]) for item in of_step["items"]] == [("1", {"name": "Company 1"})]
    assert member.call("list_pipeline_run_fields", pipeline_run_id=again.id)["fields"] == ["name"]
    # The failed run is unchanged.
    assert failed.statuses(member) == ("failed", ["succeeded", "failed", "skipped"])


def test_a_retry_of_a_retry_refers_to_the_run_that_has_the_chunks(failed: Run, member: Client) -> None:
    second = retry(member, failed)
    # The second run is cancelled before it begins. The chunks of the first are not forgotten.
    member.call("cancel_pipeline_run", pipeline_run_id=second.id)
    third = retry(member, second)
    assert column(third, "reused_from") == [failed.step_id(1), None, None]
    assert column(third, "resumed_from") == [None, failed.step_id(2), None]
    third.take()
    assert third.start(2)["written_chunks"] == [0]
    third.write(2, input_of(third, 2, 1), 1)
    third.on_step("finish_step", 2)
    third.start(3)
    third.on_step("fail_step", 3, error=ERROR)
    fourth = retry(member, third)
    assert column(fourth, "reused_from") == [failed.step_id(1), third.step_id(2), None]
    fourth.take()
    assert [record["id"] for record in input_of(fourth, 3, 0)][:2] == ["3", "4"]
    fourth.pass_through(3)
    fourth.on_run("finish_pipeline_run")
    assert column(fourth, "delivery_key") == column(failed, "delivery_key")
    assert (listed(member, fourth, "dropped"), listed(member, fourth, "rejected")) == (["1"], ["2"])


def test_a_retry_has_the_snapshot_of_the_run_that_it_retries(
    connection: Connection, failed: Run, member: Client, org: Org
) -> None:
    signed_in(connection, org.admin).call(
        "update_blueprint", blueprint_id=failed.pipeline_run["blueprint_id"], steps=[{"slug": OUTSIDE}]
    )
    again = retry(member, failed)
    assert again.pipeline_run["blueprint_snapshot"] == failed_snapshot(member, failed)
    assert again.pipeline_run["blueprint_version"] == failed.pipeline_run["blueprint_version"]
    assert len(again.pipeline_run["steps"]) == 3


def failed_snapshot(client: Client, run: Run) -> Json:
    snapshot: Json = client.call("get_pipeline_run", pipeline_run_id=run.id)["blueprint_snapshot"]
    return snapshot


def test_only_the_failed_steps_of_a_run_that_succeeded_with_errors_run_again(
    worker: Client, org: Org, company: Company, member: Client
) -> None:
    run = create_run(worker, org, company, {"slug": OUTSIDE, "continue_on_error": True}, {"slug": OUTSIDE})
    run.take()
    run.start(1)
    run.on_step("fail_step", 1, error=ERROR)
    run.pass_through(2)
    run.on_run("finish_pipeline_run")
    again = retry(member, run)
    assert column(again, "status") == ["pending", "succeeded"]
    again.take()
    again.pass_through(1)
    assert again.start(2)["status"] == "succeeded"
    assert again.on_run("finish_pipeline_run") == {"status": "succeeded"}
    assert listed(member, again, "output") == ["1", "2", "3"]


def test_a_repeated_step_rejects_no_record_that_a_later_step_has_passed_on(
    worker: Client, org: Org, company: Company, member: Client
) -> None:
    """Otherwise a record would be in the output and rejected, and a retry of the rejected would repeat it."""
    steps = ({"slug": INLINE}, {"slug": OUTSIDE, "continue_on_error": True}, {"slug": OUTSIDE})
    run = create_run(worker, org, company, *steps, count=4)
    run.take()
    run.start(1)
    run.write(1, records(1, 2, 3), rejected=[verdict(4)])
    run.on_step("finish_step", 1)
    run.start(2)
    run.on_step("fail_step", 2, error=ERROR)
    run.pass_through(3)
    run.on_run("finish_pipeline_run")
    assert listed(member, run, "rejected") == ["4"]
    again = retry(member, run)
    again.take()
    again.start(2)
    again.write(2, records(1), rejected=[verdict(2)], dropped=[verdict(3)])
    again.on_step("finish_step", 2)
    again.on_run("finish_pipeline_run")
    assert listed(member, again, "output") == ["1", "2", "3"]
    assert listed(member, again, "rejected") == ["4"]
    assert listed(member, again, "dropped") == []
    assert member.call("retry_rejected_records", pipeline_run_id=again.id)["submission"]["record_count"] == 1


def test_chunks_with_many_rejected_records_are_copied_in_several_calls(
    worker: Client, org: Org, company: Company, member: Client, postgres: Client
) -> None:
    """Each call keeps its time limit, however much the earlier run rejected."""
    run = create_run(worker, org, company, {"slug": INLINE}, count=8_000)
    run.take()
    run.start(1)
    for index in range(7):
        taken = input_of(run, 1, index)
        run.write(1, taken[:1], index, rejected=[verdict(record["id"]) for record in taken[1:]])
    run.on_step("fail_step", 1, error=ERROR)
    again = retry(member, run)
    again.take()
    copied = "select count(*) from public.step_result_chunks where step_result_id = %(id)s"
    seen = []
    while (started := again.start(1)) == {"status": "copying"}:
        seen.append(postgres.value(copied, {"id": again.step_id(1)}))
    assert seen == [3, 6]
    assert (started["status"], started["attempt"]) == ("running", 1)
    assert started["written_chunks"] == list(range(7))
    assert started["next_chunk"]["chunk_index"] == 7
    assert again.start(1)["attempt"] == 2
    again.write(1, input_of(again, 1, 7), 7)
    again.on_step("finish_step", 1)
    again.on_run("finish_pipeline_run")
    counts = member.call("get_pipeline_run", pipeline_run_id=again.id)["steps"][0]
    assert (counts["records_in"], counts["records_rejected"]) == (8_000, 7 * 999)


def test_a_step_that_was_begun_keeps_its_input(
    worker: Client, org: Org, company: Company, member: Client
) -> None:
    """Another input would mix with the first, and deliver other records under the same key."""
    run = create_run(worker, org, company, {"slug": INLINE, "continue_on_error": True}, {"slug": OUTSIDE})
    run.take()
    run.start(1)
    run.on_step("fail_step", 1, error=ERROR)
    run.start(2)
    run.on_step("fail_step", 2, error=ERROR)
    again = retry(member, run)
    again.take()
    again.start(1)
    again.write(1, [{"id": "1", "data": {"new": True}}], dropped=[verdict(2), verdict(3)])
    again.on_step("finish_step", 1)
    again.start(2)
    assert [record["id"] for record in input_of(again, 2, 0)] == ["1", "2", "3"]
    again.write(2, records(1, 2, 3))
    again.on_step("finish_step", 2)
    of_step = member.call("list_step_result_records", step_result_id=again.step_id(2), kind="input")
    assert [item["id"] for item in of_step["items"]] == ["1", "2", "3"]


def test_a_step_that_its_condition_skipped_stays_skipped(
    worker: Client, org: Org, company: Company, member: Client
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE, "run_if": "false"}, {"slug": INLINE})
    run.take()
    run.on_step("skip_step", 1)
    run.start(2)
    run.on_step("fail_step", 2, error=ERROR)
    again = retry(member, run)
    assert column(again, "status") == ["skipped", "pending"]
    assert column(again, "skip_reason") == ["condition", None]
    again.take()
    again.pass_through(2)
    assert again.on_run("finish_pipeline_run") == {"status": "succeeded"}


def test_a_run_is_retried_once(failed: Run, member: Client, postgres: Client) -> None:
    again = retry(member, failed)
    with refused(409, "pipeline_run_retried", {"pipeline_run_id": again.id}):
        retry(member, failed)
    with refused(409, "pipeline_run_not_retryable", {"status": "queued"}):
        retry(member, again)
    # A direct insert meets the same refusal.
    with refused(409, "pipeline_run_retried"):
        member.change(
            "insert into public.pipeline_runs (submission_id, retry_of) values (%(s)s, %(r)s)",
            {"s": failed.submission["id"], "r": failed.id},
        )
    statement = "update public.pipeline_runs set retry_of = null where id = %(id)s"
    with denied():
        member.change(statement, {"id": again.id})
    with refused(409, "immutable"):
        postgres.change(statement, {"id": again.id})


@pytest.mark.parametrize("status", ["queued", "running", "succeeded"])
def test_a_run_that_has_not_failed_is_not_retried(
    worker: Client, org: Org, company: Company, member: Client, status: str
) -> None:
    run = create_run(worker, org, company)
    if status == "running":
        run.take()
    elif status == "succeeded":
        run.succeed()
    with refused(409, "pipeline_run_not_retryable", {"status": status}):
        retry(member, run)


def test_a_cancelled_run_is_retried(worker: Client, org: Org, company: Company, member: Client) -> None:
    run = create_run(worker, org, company)
    run.take()
    run.pass_through(1)
    run.start(2)
    member.call("cancel_pipeline_run", pipeline_run_id=run.id)
    again = retry(member, run)
    assert column(again, "status") == ["succeeded", "pending"]
    again.take()
    again.pass_through(2)
    again.on_run("finish_pipeline_run")


def test_a_retry_belongs_to_the_submission_of_its_run(
    worker: Client, org: Org, company: Company, failed: Run, member: Client
) -> None:
    other = create_run(worker, org, company)
    with refused(404, "pipeline_run_not_found"):
        member.change(
            "insert into public.pipeline_runs (submission_id, retry_of) values (%(s)s, %(r)s)",
            {"s": other.submission["id"], "r": failed.id},
        )


@pytest.mark.parametrize("function", ["retry_pipeline_run", "retry_rejected_records"])
def test_nobody_retries_a_run_out_of_their_sight(
    connection: Connection, postgres: Client, failed: Run, tenants: Tenants, org: Org, function: str
) -> None:
    strangers = (tenants.other.admin, org.second.company_admin, org.second.member)
    counts = "select (select count(*) from public.pipeline_runs) + (select count(*) from public.submissions)"
    before = postgres.value(counts)
    for user in strangers:
        with refused(404, "pipeline_run_not_found"):
            signed_in(connection, user).call(function, pipeline_run_id=failed.id)
    assert postgres.value(counts) == before
    for user in (org.admin, org.first.company_admin):
        with connection.transaction(force_rollback=True):
            assert signed_in(connection, user).call(function, pipeline_run_id=failed.id)


def test_rejected_records_are_submitted_again_as_they_came(
    connection: Connection, failed: Run, member: Client, postgres: Client, org: Org
) -> None:
    signed_in(connection, org.admin).call(
        "update_blueprint", blueprint_id=failed.pipeline_run["blueprint_id"], steps=[{"slug": OUTSIDE}]
    )
    created = member.call("retry_rejected_records", pipeline_run_id=failed.id, name="Again")
    submission, run = created["submission"], created["pipeline_run"]
    assert (submission["status"], submission["record_count"], submission["name"]) == ("received", 1, "Again")
    assert submission["retry_of_run_id"] == failed.id
    assert (submission["source"], submission["company_id"]) == ("json", failed.submission["company_id"])
    # The run has the blueprint of today.
    assert [step["slug"] for step in run["steps"]] == [OUTSIDE]
    assert (run["retry_of"], run["run_number"]) == (None, 1)
    chunk = "select records from public.submission_chunks where submission_id = %(id)s"
    assert postgres.value(chunk, {"id": submission["id"]}) == records(2)


def test_a_rejected_child_brings_its_row(
    worker: Client, org: Org, company: Company, member: Client, postgres: Client
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE}, {"slug": INLINE})
    run.take()
    run.start(1)
    run.write(1, records(1, "1.1", "1.2", 2), rejected=[verdict(3)])
    run.on_step("finish_step", 1)
    run.start(2)
    run.write(2, records(1, 2), rejected=[verdict("1.1"), verdict("1.2")])
    run.on_step("finish_step", 2)
    run.on_run("finish_pipeline_run")
    created = member.call("retry_rejected_records", pipeline_run_id=run.id)
    chunk = "select records from public.submission_chunks where submission_id = %(id)s"
    assert postgres.value(chunk, {"id": created["submission"]["id"]}) == records(1, 3)


def test_rejected_records_of_reused_steps_count_too(failed: Run, member: Client, postgres: Client) -> None:
    again = retry(member, failed)
    again.take()
    again.start(2)
    again.write(2, input_of(again, 2, 1), 1)
    again.on_step("finish_step", 2)
    again.start(3)
    again.on_step("fail_step", 3, error=ERROR)
    third = retry(member, again)
    third.take()
    third.pass_through(3)
    third.on_run("finish_pipeline_run")
    created = member.call("retry_rejected_records", pipeline_run_id=third.id)
    assert created["submission"]["record_count"] == 1


def test_a_run_without_rejected_records_has_none_to_retry(
    worker: Client, org: Org, company: Company, member: Client, postgres: Client
) -> None:
    run = create_run(worker, org, company)
    with refused(409, "pipeline_run_unfinished", {"status": "queued"}):
        member.call("retry_rejected_records", pipeline_run_id=run.id)
    run.succeed()
    count = "select count(*) from public.submissions"
    before = postgres.value(count)
    with refused(409, "no_rejected_records"):
        member.call("retry_rejected_records", pipeline_run_id=run.id)
    assert postgres.value(count) == before


def test_rejected_records_are_submitted_again_only_once(failed: Run, member: Client) -> None:
    again = member.call("retry_rejected_records", pipeline_run_id=failed.id)["submission"]
    with refused(409, "rejected_records_retried", {"submission_id": again["id"]}):
        member.call("retry_rejected_records", pipeline_run_id=failed.id)
    # A direct insert meets the index.
    with pytest.raises(UniqueViolation):
        member.change(
            "insert into public.submissions (company_id, blueprint_id, source, retry_of_run_id) "
            "select company_id, blueprint_id, source, retry_of_run_id "
            "from public.submissions where id = %(id)s",
            {"id": again["id"]},
        )


def test_a_retried_run_leaves_its_rejected_records_to_the_retry(failed: Run, member: Client) -> None:
    again = retry(member, failed)
    with refused(409, "pipeline_run_retried", {"pipeline_run_id": again.id}):
        member.call("retry_rejected_records", pipeline_run_id=failed.id)


def test_thousands_of_rejected_records_fit_their_chunks(
    connection: Connection, worker: Client, org: Org, company: Company, postgres: Client
) -> None:
    admin = signed_in(connection, org.admin)
    submitted = submit(admin, company.id, create_blueprint(admin, {"slug": INLINE})["id"], count=2500)
    run = Run(worker, submitted["pipeline_run"], submitted["submission"])
    run.take()
    run.start(1)
    for index in range(3):
        ids = [record["id"] for record in input_of(run, 1, index)]
        # All but the first of each chunk.
        run.write(
            1, input_of(run, 1, index)[:1], index, rejected=[verdict(record_id) for record_id in ids[1:]]
        )
    run.on_step("finish_step", 1)
    run.on_run("finish_pipeline_run")
    again = admin.call("retry_rejected_records", pipeline_run_id=run.id)["submission"]
    rows = postgres.rows(
        "select record_count, last_row from public.submission_chunks "
        "where submission_id = %(id)s order by chunk_index",
        {"id": again["id"]},
    )
    assert [row["record_count"] for row in rows] == [1000, 1000, 497]
    assert rows[-1]["last_row"] == 2500


def test_a_submission_outlives_the_run_whose_rejected_records_it_has(
    failed: Run, member: Client, postgres: Client
) -> None:
    again = member.call("retry_rejected_records", pipeline_run_id=failed.id)["submission"]
    postgres.change("delete from public.submissions where id = %(id)s", {"id": failed.submission["id"]})
    assert member.call("get_submission", submission_id=again["id"])["retry_of_run_id"] is None
