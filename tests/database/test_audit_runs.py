"""The audit of submissions and runs records what somebody did, not the work on the records."""

from __future__ import annotations

import re

import pytest

from tests.database.audit import Since, told
from tests.support.pipeline import INLINE, create_run, records, submit, verdict
from tests.support.sql_client import Client, Connection, owner, signed_in
from tests.support.tenants import Company, Org


def test_a_run_is_audited_by_its_states_and_not_by_its_work(
    worker: Client, org: Org, company: Company, since: Since
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE}, count=2500)
    assert told(since())[2:] == [
        ("submissions", "created"),
        ("submissions", "updated"),
        ("pipeline_runs", "created"),
    ]
    run.take("run_first")
    (claimed,) = since()
    assert claimed["before"] == {"status": "queued", "trigger_run_id": None, "started_at": None}
    assert claimed["after"].keys() == claimed["before"].keys()
    assert (claimed["after"]["status"], claimed["after"]["trigger_run_id"]) == ("running", "run_first")
    assert (claimed["entity_id"], claimed["company_id"]) == (run.id, company.id)

    run.start(1)
    for chunk_index in range(3):
        run.on_run("heartbeat", lease_seconds=600 + chunk_index)
        first = chunk_index * 1000 + 1
        last = min(first + 999, 2500)
        run.write(1, records(*range(first + 1, last + 1)), chunk_index, rejected=[verdict(first)])
    run.on_step("finish_step", 1)
    run.take("run_first")  # the next attempt of the same Trigger.dev run
    assert since() == []

    run.on_run("finish_pipeline_run")
    (finished,) = since()
    assert finished["before"] == {"status": "running", "finished_at": None}
    assert finished["after"]["status"] == "succeeded"


def test_a_new_run_is_audited_without_its_snapshot(
    worker: Client, org: Org, company: Company, since: Since
) -> None:
    create_run(worker, org, company)
    created = since("pipeline_runs")[0]["after"]
    assert created["blueprint_version"] == 1
    assert not {"blueprint_snapshot", "claim_id", "lease_expires_at", "dispatched_at"} & set(created)


def test_dispatch_takeover_failure_and_cancellation_are_audited(
    connection: Connection, postgres: Client, worker: Client, org: Org, company: Company, since: Since
) -> None:
    run = create_run(worker, org, company)
    member = signed_in(connection, company.member)
    since()
    member.call("mark_pipeline_run_dispatched", pipeline_run_id=run.id, trigger_run_id="run_first")
    (dispatched,) = since()
    assert (dispatched["actor_user_id"], dispatched["after"]) == (
        company.member.id,
        {"trigger_run_id": "run_first"},
    )
    run.take("run_first")
    since()
    postgres.change(
        "update public.pipeline_runs set lease_expires_at = now() where id = %(id)s", {"id": run.id}
    )
    assert since() == []
    run.take("run_second")
    (taken,) = since()
    assert taken["after"] == {"trigger_run_id": "run_second", "restart_count": 1}
    run.start(1)
    run.on_step("fail_step", 1, error={"code": "webhook_rejected", "message": "No."})
    (failed,) = since()
    assert (failed["after"]["status"], failed["after"]["error"]["code"]) == ("failed", "webhook_rejected")

    other = submit(member, company.id, run.pipeline_run["blueprint_id"])["pipeline_run"]
    since()
    member.call("cancel_pipeline_run", pipeline_run_id=other["id"])
    (cancelled,) = since()
    assert (cancelled["actor_user_id"], cancelled["after"]["status"]) == (company.member.id, "cancelled")


def test_an_upload_is_audited_when_it_opens_and_ends(
    connection: Connection, member: Client, blueprint_id: str, company: Company, since: Since
) -> None:
    since()
    opened = member.call(
        "open_submission", company_id=company.id, blueprint_id=blueprint_id, source="csv", fields=["a"]
    )["submission"]
    for chunk_index in range(3):
        member.call(
            "append_submission_chunk",
            submission_id=opened["id"],
            chunk_index=chunk_index,
            records=records(2 * chunk_index + 1),
            rejected=[verdict(2 * chunk_index + 2, "malformed_row")],
        )
    (created,) = since()
    assert not {"fields", "record_count", "rejected_count", "chunk_count"} & set(created["after"])
    member.call("finalize_submission", submission_id=opened["id"], fields=["a", "b"])
    received = since("submissions")[0]
    assert set(received["after"]) == {"status", "received_at"}


MUTABLE = {
    "pipeline_runs": ("private.guard_pipeline_run", {"started_at", "finished_at"}),
    "submissions": ("private.guard_submission", {"received_at"}),
}


@pytest.mark.parametrize("table", MUTABLE)
def test_every_changeable_column_is_audited_or_named_as_left_out(connection: Connection, table: str) -> None:
    """A trigger's condition names columns, so it could forget one that a later migration makes changeable."""
    guard, with_status = MUTABLE[table]
    postgres = owner(connection)
    body = postgres.value("select prosrc from pg_proc where oid = %(name)s::regproc", {"name": guard})
    definition = postgres.value(
        "select pg_get_triggerdef(oid) from pg_trigger where tgname = %(name)s",
        {"name": f"{table}_audit_update"},
    )
    lists = re.findall(r"'\{([a-z_,]+)\}'", re.sub(r"'\s*\n\s*'", "", body))
    changing = {name for text in lists for name in text.split(",")}
    audited = set(re.findall(r"new\.([a-z_]+)", definition))
    left_out = {name for text in re.findall(r"'\{([a-z_,]+)\}'", definition) for name in text.split(",")}
    assert changing
    assert changing <= audited | left_out | with_status, "audit it or name it as left out"
    assert not audited & left_out
