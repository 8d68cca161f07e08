"""Operators bill by counts: those of an org in a UTC month."""

from __future__ import annotations

from typing import Any

import pytest

from tests.database.operations import last_audit_id, operate, operations_since
from tests.support.pipeline import INLINE, Run, create_blueprint, create_run, records, submit, verdict
from tests.support.sql_client import Client, Connection, refused, signed_in, with_token
from tests.support.tenants import Org, Tenants, create_token

MONTH = "2024-05-01"


def usage(postgres: Client, org: Org, month: str | None = MONTH) -> dict[str, Any]:
    arguments = {"month": month} if month else {}
    (row,) = operate(postgres, "usage", org_slug=org.slug, **arguments)
    return row


@pytest.fixture
def long_standing(connection: Connection, postgres: Client, org: Org) -> Org:
    """The org, made older than the month."""
    postgres.change("update public.orgs set created_at = '2024-04-15' where id = %(id)s", {"id": org.id})
    return org


def move(run: Run, time: str) -> None:
    """Moves submission and run to a time. The guards are off: they accept no time but now."""
    connection = run.worker.connection
    for table, row_id in (("submissions", run.submission["id"]), ("pipeline_runs", run.id)):
        connection.execute(f"alter table public.{table} disable trigger user".encode())
        connection.execute(
            f"update public.{table} set created_at = %s where id = %s".encode(), (time, row_id)
        )
        connection.execute(f"alter table public.{table} enable trigger user".encode())


def test_a_month_counts_submissions_records_and_runs(
    postgres: Client, worker: Client, long_standing: Org
) -> None:
    org = long_standing
    succeeded, failed, cancelled, waiting = (
        create_run(worker, org, org.first, {"slug": INLINE}, {"slug": INLINE}, count=count)
        for count in (3, 5, 7, 11)
    )
    succeeded.take()
    succeeded.start(1)
    succeeded.write(1, records(1, 2), dropped=[verdict(3)])
    succeeded.on_step("finish_step", 1)
    succeeded.pass_through(2)
    succeeded.on_run("finish_pipeline_run")
    failed.take()
    failed.pass_through(1)
    failed.on_run("fail_pipeline_run", error={"code": "broken", "message": "It broke."})
    operate(postgres, "cancel_runs", run_ids=cancelled.id, dry_run=False)
    for run in (succeeded, failed, cancelled, waiting):
        move(run, "2024-05-15")
    operate(postgres, "retry_runs", run_ids=failed.id, dry_run=False)  # counts in another month

    row = usage(postgres, org)
    names = (
        "submissions",
        "records_in",
        "rejected",
        "runs",
        "succeeded",
        "failed",
        "cancelled",
        "records_out",
    )
    assert [row[name] for name in names] == [4, 26, 0, 4, 1, 1, 1, 2]
    stored = postgres.value(
        "select sum(pg_column_size(records)) from public.submission_chunks "
        "where submission_id = any (%(ids)s)",
        {"ids": [run.submission["id"] for run in (succeeded, failed, cancelled, waiting)]},
    )
    assert row["bytes"] == stored > 0


def test_rows_refused_at_ingestion_are_counted(
    connection: Connection, postgres: Client, worker: Client, org: Org
) -> None:
    blueprint = create_blueprint(signed_in(connection, org.admin))
    member = signed_in(connection, org.first.member)
    before = usage(postgres, org, None)
    upload = member.call(
        "open_submission", company_id=org.first.id, blueprint_id=blueprint["id"], source="csv"
    )["submission"]
    member.call(
        "append_submission_chunk", submission_id=upload["id"], chunk_index=0, records=records(1, 2),
        rejected=[verdict(3, "malformed_row")],
    )  # fmt: skip
    after = usage(postgres, org, None)
    counted = ("submissions", "records_in", "rejected", "runs")
    assert [after[name] - before[name] for name in counted] == [1, 2, 1, 0]


@pytest.mark.parametrize(
    ("time", "month"),
    [
        ("2024-04-30T23:59:59.999Z", "2024-04-01"),
        ("2024-05-01T00:00:00Z", "2024-05-01"),
        ("2024-05-01T01:00:00+02", "2024-04-01"),
        ("2024-05-31T23:59:59.999Z", "2024-05-01"),
        ("2024-06-01T00:00:00Z", "2024-06-01"),
    ],
)
def test_a_month_begins_and_ends_by_utc_wherever_the_operator_sits(
    connection: Connection, postgres: Client, worker: Client, long_standing: Org, time: str, month: str
) -> None:
    run = create_run(worker, long_standing, long_standing.first)
    move(run, time)
    connection.execute("set local timezone = 'Pacific/Auckland'")
    months = ("2024-04-01", "2024-05-01", "2024-06-01")
    counted = {one: usage(postgres, long_standing, one)["submissions"] for one in months}
    assert counted == {one: int(one == month) for one in months}


def test_any_day_names_its_month(postgres: Client, long_standing: Org) -> None:
    assert str(usage(postgres, long_standing, "2024-05-31")["month"]) == MONTH


def test_users_and_tokens_that_changed_something_are_counted(
    connection: Connection, postgres: Client, worker: Client, tenants: Tenants
) -> None:
    org, other = tenants
    blueprint = create_blueprint(signed_in(connection, org.admin))
    token = create_token(connection, org.first.member)
    before = usage(postgres, org, None), usage(postgres, other, None)
    submit(signed_in(connection, org.first.other_member), org.first.id, blueprint["id"])
    for _ in range(2):
        submit(with_token(connection, token), org.first.id, blueprint["id"])
    after = usage(postgres, org, None), usage(postgres, other, None)
    assert [after[0][name] - before[0][name] for name in ("users", "tokens")] == [2, 1]
    assert [after[1][name] - before[1][name] for name in ("users", "tokens")] == [0, 0]


def test_all_orgs_of_the_month_are_listed_and_their_logs_say_so(postgres: Client, tenants: Tenants) -> None:
    since = last_audit_id(postgres)
    listed = {row["org"] for row in operate(postgres, "usage")}
    assert {org.slug for org in tenants} <= listed
    logged = operations_since(postgres, since)
    assert len(logged) == len(listed) == postgres.value("select count(*) from public.orgs")
    assert {row["action"] for row in logged} == {"usage"}


def test_one_orgs_usage_is_in_its_log_alone(postgres: Client, org: Org) -> None:
    since = last_audit_id(postgres)
    usage(postgres, org, None)
    assert [row["org_id"] for row in operations_since(postgres, since)] == [org.id]


def test_an_org_used_nothing_before_it_existed(postgres: Client, org: Org) -> None:
    assert operate(postgres, "usage", month="2020-01-01", org_slug=org.slug) == []
    with refused(404, "org_not_found"):
        operate(postgres, "usage", org_slug="no-such-org")


def test_the_view_has_each_month_from_the_first_org_to_now(postgres: Client, org: Org) -> None:
    postgres.change(
        "update public.orgs set created_at = date_trunc('month', now()) - interval '2 months' "
        "where id = %(id)s",
        {"id": org.id},
    )
    months = postgres.rows(
        "select month from ops.usage_by_month where org = %(slug)s order by month", {"slug": org.slug}
    )
    assert len(months) == 3
    assert months[-1]["month"] == postgres.value("select date_trunc('month', now() at time zone 'UTC')::date")
