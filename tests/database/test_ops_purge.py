"""Operators delete an org's old data: oldest first, in batches, and no submission that is in work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.database.operations import actions, last_audit_id, operate, operations_since
from tests.support.pipeline import INLINE, OUTSIDE, Run, create_blueprint, create_run, publish_steps
from tests.support.sql_client import Client, Connection, connect, owner, refused, service, signed_in
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org, Tenants, create_org

BEFORE = "2025-06-01"


def move(run: Run, time: str) -> Run:
    connection = run.worker.connection
    connection.execute("alter table public.submissions disable trigger user")
    connection.execute(
        "update public.submissions set created_at = %s where id = %s", (time, run.submission["id"])
    )
    connection.execute("alter table public.submissions enable trigger user")
    return run


def finished(worker: Client, org: Org, time: str) -> Run:
    run = create_run(worker, org, org.first, {"slug": INLINE})
    run.succeed()
    return move(run, time)


def remaining(postgres: Client, *runs: Run) -> list[bool]:
    return [
        postgres.value(
            "select exists (select from public.submissions where id = %(id)s)", {"id": run.submission["id"]}
        )
        for run in runs
    ]


def purge(postgres: Client, org: Org, **arguments: object) -> list[tuple[str, str]]:
    report = operate(
        postgres, "purge_org_data", **{"org_slug": org.slug, "before": BEFORE, "dry_run": False} | arguments
    )
    return [(line["action"], line["subject"]) for line in report]


def test_an_old_submission_goes_with_all_of_its_rows_and_nothing_else(
    postgres: Client, worker: Client, tenants: Tenants
) -> None:
    old, kept = finished(worker, tenants.org, "2025-05-31T23:59:59Z"), finished(worker, tenants.org, BEFORE)
    foreign = finished(worker, tenants.other, "2025-01-01")
    assert purge(postgres, tenants.org) == [("deleted", "1 submission"), ("left", "0 submissions")]
    assert remaining(postgres, old, kept, foreign) == [False, True, True]
    for table in ("submission_chunks", "pipeline_runs", "rejected_records"):
        counted = postgres.value(
            f"select count(*) from public.{table} where submission_id = %(id)s", {"id": old.submission["id"]}
        )
        assert counted == 0, table
    assert (
        postgres.value(
            "select count(*) from public.step_results where pipeline_run_id = %(id)s", {"id": old.id}
        )
        == 0
    )
    assert kept.statuses(signed_in(worker.connection, tenants.org.admin))[0] == "succeeded"


def test_batches_take_the_oldest_first_until_nothing_is_left(
    postgres: Client, worker: Client, org: Org
) -> None:
    runs = [finished(worker, org, f"2025-0{month}-01") for month in (3, 1, 2)]
    assert purge(postgres, org, batch=2) == [("deleted", "2 submissions"), ("left", "1 submission")]
    assert remaining(postgres, *runs) == [True, False, False]
    assert purge(postgres, org, batch=2) == [("deleted", "1 submission"), ("left", "0 submissions")]
    assert purge(postgres, org, batch=2) == [("deleted", "0 submissions"), ("left", "0 submissions")]


def test_a_submission_in_work_stays_and_does_not_hold_up_the_rest(
    connection: Connection, postgres: Client, worker: Client, org: Org
) -> None:
    queued, running = (move(create_run(worker, org, org.first), "2025-01-01") for _ in range(2))
    running.take()
    again = finished(worker, org, "2025-01-02")
    signed_in(connection, org.admin).call("create_pipeline_run", submission_id=again.submission["id"])
    blueprint = create_blueprint(signed_in(connection, org.admin))
    upload = signed_in(connection, org.admin).call(
        "open_submission", company_id=org.first.id, blueprint_id=blueprint["id"], source="csv"
    )
    uploading = move(Run(worker, {"id": "none"}, upload["submission"]), "2025-01-03")
    old = finished(worker, org, "2025-02-01")
    assert purge(postgres, org, batch=1) == [
        ("deleted", "1 submission"), ("left alone", "4 submissions"), ("left", "0 submissions"),
    ]  # fmt: skip
    assert remaining(postgres, queued, running, again, uploading, old) == [True] * 4 + [False]


def test_the_log_names_the_deleted_submission_and_the_operator(
    postgres: Client, worker: Client, org: Org
) -> None:
    old = finished(worker, org, "2025-01-01")
    since = last_audit_id(postgres)
    purge(postgres, org)
    (row,) = operations_since(postgres, since)
    assert (row["action"], row["after"]["submissions"], row["after"]["runs"]) == ("purge_org_data", 1, 1)
    deleted = postgres.rows(
        "select entity, actor_name from public.audit_log where id > %(since)s and action = 'deleted' "
        "and entity_id = any (%(ids)s)",
        {"since": since, "ids": [old.submission["id"], old.id]},
    )
    assert {row["entity"] for row in deleted} == {"submissions", "pipeline_runs"}


@pytest.mark.parametrize("days", [0, -1])
def test_the_last_day_is_out_of_reach(postgres: Client, org: Org, days: int) -> None:
    for before in (postgres.value(f"select current_date - {days}"), None):
        with refused(422, "invalid_request"):
            operate(postgres, "purge_org_data", org_slug=org.slug, before=before, dry_run=False)


def test_the_day_before_yesterday_is_in_reach(postgres: Client, org: Org) -> None:
    before = postgres.value("select (now() at time zone 'UTC')::date - 1")
    assert actions(operate(postgres, "purge_org_data", org_slug=org.slug, before=before)) == [
        "would delete",
        "left",
    ]


@pytest.mark.parametrize("batch", [None, 0, -1, 10001])
def test_a_batch_has_its_bounds(postgres: Client, org: Org, batch: int | None) -> None:
    with refused(422, "invalid_request"):
        operate(postgres, "purge_org_data", org_slug=org.slug, before=BEFORE, batch=batch)


@pytest.fixture
def committed(supabase: StackEnvironment) -> Iterator[tuple[Connection, Org]]:
    """A committed org for two connections. It leaves no step and no unfinished run."""
    with connect(supabase) as connection:
        publish_steps(service(connection))
        org = create_org(connection, "purged")
        yield connection, org
        postgres = owner(connection)
        postgres.change(
            "update public.pipeline_runs set status = 'cancelled' "
            "where org_id = %(id)s and finished_at is null",
            {"id": org.id},
        )
        postgres.change("delete from public.blueprint_steps where org_id = %(id)s", {"id": org.id})
        postgres.change("delete from public.steps where slug in (%(a)s, %(b)s)", {"a": INLINE, "b": OUTSIDE})


def test_a_run_that_somebody_is_about_to_create_saves_its_submission(
    supabase: StackEnvironment, committed: tuple[Connection, Org]
) -> None:
    connection, org = committed
    old = finished(service(connection), org, "2025-01-01")
    with connect(supabase) as other:
        postgres = owner(other)
        with connection.transaction():
            admin = signed_in(connection, org.admin)
            admin.call("create_pipeline_run", submission_id=old.submission["id"])
            # Uncommitted: the purge neither waits for it nor deletes its submission.
            assert purge(postgres, org) == [("deleted", "0 submissions"), ("left", "1 submission")]
        assert purge(postgres, org) == [
            ("deleted", "0 submissions"), ("left alone", "1 submission"), ("left", "0 submissions"),
        ]  # fmt: skip
        assert remaining(postgres, old) == [True]
