"""Quotas: what an org's clients may create, store and send, in RPCs and direct writes alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.database.operations import operate
from tests.support.pipeline import create_blueprint, create_run, records, submit, verdict
from tests.support.sql_client import Client, Connection, refused, signed_in
from tests.support.tenants import Company, Org, create_org, create_token

Create = Callable[[Client, Org, str, int], Any]

CREATE: dict[str, Create] = {
    "companies": lambda admin, org, blueprint, n: admin.call("create_company", name=f"Company {n}"),
    "blueprints": lambda admin, org, blueprint, n: create_blueprint(admin),
    "api_tokens": lambda admin, org, blueprint, n: admin.call(
        "create_api_token", name="x", token_hash=f"{n:064x}", prefix="dex_Abcdefgh"
    ),
    "open_uploads": lambda admin, org, blueprint, n: admin.call(
        "open_submission", company_id=org.first.id, blueprint_id=blueprint, source="csv"
    ),
    "rows_per_day": lambda admin, org, blueprint, n: submit(admin, org.first.id, blueprint, count=1),
    "queued_runs": lambda admin, org, blueprint, n: submit(admin, org.first.id, blueprint, count=1),
}


@pytest.fixture
def org(connection: Connection, worker: Client, postgres: Client) -> Org:
    """An org of its own, whose runs all wait."""
    return create_org(connection, "quota")


def used(postgres: Client, org: Org, limit: str) -> int:
    (row,) = postgres.rows(
        'select used from ops.limit_usage where org = %(org)s and "limit" = %(limit)s',
        {"org": org.slug, "limit": limit},
    )
    return int(row["used"])


def set_limit(postgres: Client, org: Org, limit: str, value: int | None) -> None:
    operate(postgres, "set_org_limit", org_slug=org.slug, limit=limit, value=value, dry_run=False)


@pytest.mark.parametrize("limit", CREATE)
def test_a_client_creates_no_more_than_the_quota(
    connection: Connection, postgres: Client, org: Org, limit: str
) -> None:
    admin = signed_in(connection, org.admin)
    blueprint = create_blueprint(admin)["id"]
    if limit == "queued_runs":
        postgres.change("update private.run_limits set max_runs_in_flight = 1")
        for _ in range(3):
            submit(admin, org.first.id, blueprint, count=1)
    before = used(postgres, org, limit)
    set_limit(postgres, org, limit, before + 2)
    for number in range(2):
        CREATE[limit](admin, org, blueprint, number)
    with refused(429, "quota_exceeded", {"limit_name": limit, "limit": before + 2}):
        CREATE[limit](admin, org, blueprint, 2)
    set_limit(postgres, org, limit, before + 3)
    CREATE[limit](admin, org, blueprint, 2)
    assert used(postgres, org, limit) == before + 3


def test_a_direct_write_is_counted_as_a_whole(connection: Connection, postgres: Client, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    set_limit(postgres, org, "companies", 4)
    statement = "insert into public.companies (name) select 'Company ' || n from generate_series(1, %(n)s) n"
    with refused(429, "quota_exceeded"):
        admin.change(statement, {"n": 3})
    assert admin.change(statement, {"n": 2}) == 2


def test_rows_reset_with_the_day(connection: Connection, postgres: Client, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    blueprint = create_blueprint(admin)["id"]
    set_limit(postgres, org, "rows_per_day", 3)
    submit(admin, org.first.id, blueprint, count=3)
    with pytest.raises(Exception, match="Wait until the day is over"):
        submit(admin, org.first.id, blueprint, count=1)
    postgres.change("update private.usage_days set day = day - 1 where org_id = %(id)s", {"id": org.id})
    submit(admin, org.first.id, blueprint, count=3)


def test_rows_that_were_rejected_count(connection: Connection, postgres: Client, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    upload = admin.call(
        "open_submission", company_id=org.first.id, blueprint_id=create_blueprint(admin)["id"], source="csv"
    )["submission"]["id"]
    admin.call(
        "append_submission_chunk",
        submission_id=upload,
        chunk_index=0,
        records=records(1, 2),
        rejected=[verdict(3)],
    )
    assert used(postgres, org, "rows_per_day") == 3


def test_stored_bytes_are_freed_when_a_submission_is_deleted(
    connection: Connection, postgres: Client, org: Org
) -> None:
    admin = signed_in(connection, org.admin)
    blueprint = create_blueprint(admin)["id"]
    submission = submit(admin, org.first.id, blueprint, count=500)["submission"]["id"]
    stored = used(postgres, org, "stored_bytes")
    assert stored > 1000
    set_limit(postgres, org, "stored_bytes", stored + 10)
    with refused(429, "quota_exceeded", {"limit_name": "stored_bytes", "resets_at": None}):
        submit(admin, org.first.id, blueprint, count=10)
    postgres.change("delete from public.submissions where id = %(id)s", {"id": submission})
    assert used(postgres, org, "stored_bytes") == 0
    submit(admin, org.first.id, blueprint, count=10)


def test_tasks_and_operators_have_no_quota(
    connection: Connection, postgres: Client, worker: Client, org: Org, company: Company
) -> None:
    run = create_run(worker, org, org.first)
    for limit in CREATE:
        set_limit(postgres, org, limit, 1)
    run.take()
    run.pass_through(1)
    operate(postgres, "add_company", org_slug=org.slug, name="East", dry_run=False)
    create_token(connection, org.admin)


def test_a_limit_returns_to_its_default(postgres: Client, org: Org) -> None:
    value = 'select value, is_set from ops.limit_usage where org = %(org)s and "limit" = %(limit)s'
    names = {"org": org.slug, "limit": "companies"}
    set_limit(postgres, org, "companies", 7)
    assert postgres.rows(value, names) == [{"value": 7, "is_set": True}]
    set_limit(postgres, org, "companies", None)
    assert postgres.rows(value, names) == [{"value": 10_000, "is_set": False}]


@pytest.mark.parametrize(("limit", "value"), [("nothing", 5), ("companies", 0), ("audit_log_days", 29)])
def test_a_limit_that_does_not_exist_or_is_too_small_is_refused(
    postgres: Client, org: Org, limit: str, value: int
) -> None:
    with refused(422, "invalid_request"):
        set_limit(postgres, org, limit, value)
