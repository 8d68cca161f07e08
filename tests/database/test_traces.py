"""A run keeps one trace and one request id, from the creating request to its last change."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

from tests.database.audit import Since
from tests.support.pipeline import INLINE, Run, create_run, submit
from tests.support.sql_client import Client, Connection, owner, refused, set_headers, signed_in
from tests.support.tenants import Company, Org
from tests.support.traceparents import PARENT, TRACE, TRACEPARENT, TRACEPARENTS

HEADERS = {"traceparent": TRACEPARENT, "x-request-id": "request-of-the-submit"}
OTHER_HEADERS = {"traceparent": f"00-{'ab' * 16}-{PARENT}-00", "x-request-id": "request-of-another"}

Trace = tuple[str, bool, str | None]


def trace_of(connection: Connection, run_id: str) -> Trace:
    """The row's trace id, its recorded flag and its request id."""
    (row,) = owner(connection).rows(
        "select trace_id, trace_sampled, request_id from public.pipeline_runs where id = %(id)s",
        {"id": run_id},
    )
    return row["trace_id"], row["trace_sampled"], row["request_id"]


def run_of(
    connection: Connection, worker: Client, org: Org, company: Company, headers: dict[str, str] | None
) -> Run:
    set_headers(connection, headers)
    run = create_run(worker, org, company, {"slug": INLINE})
    set_headers(connection, None)
    return run


def test_a_run_has_the_trace_and_the_id_of_the_request_that_created_it(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    run = run_of(connection, worker, org, company, HEADERS)
    assert trace_of(connection, run.id) == (TRACE, True, "request-of-the-submit")
    shown = signed_in(connection, company.member).call("get_pipeline_run", pipeline_run_id=run.id)
    (listed,) = (
        item
        for item in signed_in(connection, company.member).call("list_pipeline_runs")["items"]
        if item["id"] == run.id
    )
    for seen in (run.pipeline_run, shown, listed):
        assert (seen["trace_id"], seen["request_id"]) == (TRACE, "request-of-the-submit")


def test_without_a_request_a_run_has_a_trace_of_its_own(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    traces = [trace_of(connection, run_of(connection, worker, org, company, None).id) for _ in range(2)]
    for trace_id, sampled, request_id in traces:
        assert re.fullmatch("[0-9a-f]{32}", trace_id)
        assert (sampled, request_id) == (True, None)
    assert traces[0][0] != traces[1][0]


@pytest.mark.parametrize(("traceparent", "is_sampled"), TRACEPARENTS)
def test_a_traceparent_is_taken_only_in_the_form_of_w3c_trace_context(
    connection: Connection, postgres: Client, traceparent: str, is_sampled: bool | None
) -> None:
    set_headers(connection, {"traceparent": traceparent})
    (found,) = postgres.rows("select (t).id, (t).is_sampled from (select private.request_trace() as t) t")
    if is_sampled is not None:
        assert (found["id"], found["is_sampled"]) == (TRACE, is_sampled)
    else:
        assert re.fullmatch("[0-9a-f]{32}", found["id"])
        assert found["id"] not in traceparent.lower()
        assert found["is_sampled"] is True


def test_a_run_cannot_be_created_under_another_trace(
    connection: Connection, member: Client, company: Company, blueprint_id: str
) -> None:
    set_headers(connection, HEADERS)
    submission_id = submit(member, company.id, blueprint_id)["submission"]["id"]
    (created,) = owner(connection).rows(
        "insert into public.pipeline_runs (submission_id, trace_id, trace_sampled, request_id) "
        "values (%(id)s, %(trace)s, false, 'request-of-nobody') "
        "returning trace_id, trace_sampled, request_id",
        {"id": submission_id, "trace": "cd" * 16},
    )
    assert tuple(created.values()) == (TRACE, True, "request-of-the-submit")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        member.change(
            "insert into public.pipeline_runs (submission_id, trace_id) values (%(id)s, %(trace)s)",
            {"id": submission_id, "trace": "cd" * 16},
        )


@pytest.mark.parametrize(
    "change", ["trace_id = repeat('cd', 16)", "trace_sampled = false", "request_id = null"]
)
def test_the_trace_of_a_run_never_changes(
    connection: Connection, worker: Client, org: Org, company: Company, change: str
) -> None:
    run = run_of(connection, worker, org, company, HEADERS)
    statement = f"update public.pipeline_runs set {change} where id = %(id)s"
    with refused(409, "immutable"):
        owner(connection).change(statement, {"id": run.id})
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        signed_in(connection, org.admin).change(statement, {"id": run.id})


def test_a_claim_tells_the_worker_trace_and_request(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    for headers, expected in (
        (HEADERS, (TRACE, True, "request-of-the-submit")),
        (OTHER_HEADERS, ("ab" * 16, False, "request-of-another")),
    ):
        run = run_of(connection, worker, org, company, headers)
        told = run.take()["pipeline_run"]
        assert (told["trace_id"], told["trace_sampled"], told["request_id"]) == expected


def test_a_retry_belongs_to_the_request_that_asked_for_it(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    run = run_of(connection, worker, org, company, HEADERS)
    run.take()
    run.start(1)
    run.on_step("fail_step", 1, error={"code": "broken", "message": "It is broken."})
    set_headers(connection, OTHER_HEADERS)
    retry = signed_in(connection, company.member).call("retry_pipeline_run", pipeline_run_id=run.id)
    assert trace_of(connection, retry["id"]) == ("ab" * 16, False, "request-of-another")
    assert trace_of(connection, run.id) == (TRACE, True, "request-of-the-submit")


def test_what_a_worker_changes_of_a_run_is_audited_under_the_request_of_the_run(
    connection: Connection, worker: Client, org: Org, company: Company, since: Since
) -> None:
    run = run_of(connection, worker, org, company, HEADERS)
    other = run_of(connection, worker, org, company, None)
    since()
    # At the claim the worker does not know the request yet, and another run's worker may make the start.
    for headers in (None, OTHER_HEADERS):
        set_headers(connection, headers)
        run.take()
    worker.call("worker.mark_pipeline_run_dispatched", pipeline_run_id=other.id, trigger_run_id="run_other")
    run.pass_through(1)
    run.on_run("finish_pipeline_run")
    found = {(entry["entity_id"], entry["request_id"]) for entry in since("pipeline_runs")}
    assert found == {(run.id, "request-of-the-submit"), (other.id, None)}


def test_a_repair_is_audited_under_the_request_of_the_run(
    connection: Connection, worker: Client, org: Org, company: Company, since: Since
) -> None:
    run = run_of(connection, worker, org, company, HEADERS)
    since()
    worker.call(
        "worker.mark_pipeline_run_dispatched",
        pipeline_run_id=run.id,
        trigger_run_id="run_repaired",
        repair="not_dispatched",
    )
    found: list[Any] = [(entry["action"], entry["request_id"]) for entry in since()]
    assert sorted(found) == [("reconciled", "request-of-the-submit"), ("updated", "request-of-the-submit")]


def test_whoever_cancels_a_run_is_audited_under_a_request_of_their_own(
    connection: Connection, worker: Client, org: Org, company: Company, since: Since
) -> None:
    run = run_of(connection, worker, org, company, HEADERS)
    since()
    set_headers(connection, OTHER_HEADERS)
    signed_in(connection, company.member).call("cancel_pipeline_run", pipeline_run_id=run.id)
    assert [entry["request_id"] for entry in since("pipeline_runs")] == ["request-of-another"]


def test_operators_see_the_trace_of_a_run(
    connection: Connection, postgres: Client, worker: Client, org: Org, company: Company
) -> None:
    run = run_of(connection, worker, org, company, HEADERS)
    statement = "select detail from ops.explain_run(%(id)s) where event = 'traced'"
    assert postgres.value(statement, {"id": run.id}) == f"trace {TRACE}; request request-of-the-submit"
