"""Every function with a dry_run: a dry run changes nothing and reports what the real run then does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.database.operations import (
    actions,
    changed,
    fingerprint,
    last_audit_id,
    operate,
    operations_since,
)
from tests.database.populated import Target, populate
from tests.support.pipeline import Run, create_run
from tests.support.sql_client import Client, Connection, anonymous, denied, owner, refused, service, signed_in
from tests.support.tenants import Org, Tenants


@dataclass(frozen=True)
class Scene:
    org: Org
    done: Run
    queued: Run
    failed: Run


@dataclass(frozen=True)
class Case:
    arguments: Callable[[Scene], dict[str, Any]]
    changes: set[str]
    report: list[str]


CASES = {
    "create_org": Case(
        lambda scene: {"name": "New", "slug": f"new-{scene.org.slug}", "admin_email": "new@new.example"},
        {"public.orgs", "public.invitations"},
        ["created", "invited", "next"],
    ),
    "invite_admin": Case(
        lambda scene: {"org_slug": scene.org.slug, "email": "grace@example.com"},
        {"public.invitations"},
        ["revoked", "invited", "next"],
    ),
    "add_company": Case(
        lambda scene: {"org_slug": scene.org.slug, "name": "East", "external_id": "east"},
        {"public.companies"},
        ["added"],
    ),
    "disable_org": Case(
        lambda scene: {"org_slug": scene.org.slug, "reason": "Unpaid."},
        {"public.orgs"},
        ["disabled", "refused", "refused", "left alone"],
    ),
    "enable_org": Case(
        lambda scene: {"org_slug": scene.org.slug},
        {"public.orgs"},
        ["enabled", "admitted", "admitted"],
    ),
    "set_org_limits": Case(
        lambda scene: {"org_slug": scene.org.slug, "max_runs_in_flight": 3},
        {"public.orgs"},
        ["set", "admitted"],
    ),
    "set_org_limit": Case(
        lambda scene: {"org_slug": scene.org.slug, "limit": "open_uploads", "value": 3},
        {"private.org_limits"},
        ["set"],
    ),
    "revoke_api_tokens": Case(
        lambda scene: {"org_slug": scene.org.slug},
        {"public.api_tokens"},
        ["revoked", "revoked"],
    ),
    "cancel_runs": Case(
        lambda scene: {"run_ids": f"{scene.queued.id} {scene.done.id}"},
        {"public.pipeline_runs", "public.step_results"},
        ["cancelled", "left alone"],
    ),
    "requeue_runs": Case(
        lambda scene: {"run_ids": scene.queued.id},
        {"public.pipeline_runs"},
        ["requeued"],
    ),
    "retry_runs": Case(
        lambda scene: {"run_ids": scene.failed.id},
        {"public.pipeline_runs", "public.step_results", "private.run_turns"},
        ["retried", "created"],
    ),
    "purge_org_data": Case(
        lambda scene: {"org_slug": scene.org.slug, "before": "2026-01-01"},
        {
            "public.submissions", "public.submission_chunks", "public.pipeline_runs", "public.step_results",
            "public.step_result_chunks", "public.rejected_records", "private.usage_days",
        },
        ["deleted", "left"],
    ),
}  # fmt: skip


@pytest.fixture
def scene(connection: Connection, worker: Client, org: Org) -> Scene:
    """An org with work for each function. The submission of its finished run is from 2025."""
    done = populate(worker, org)
    failed, queued = create_run(worker, org, org.first), create_run(worker, org, org.first)
    failed.take()
    failed.on_step("fail_step", 1, error={"code": "broken", "message": "It broke."})
    worker.call(
        "worker.mark_pipeline_run_dispatched", pipeline_run_id=queued.id, trigger_run_id="run_somewhere"
    )
    connection.execute("alter table public.submissions disable trigger user")
    owner(connection).change(
        "update public.submissions set created_at = '2025-05-05' where id = %(id)s",
        {"id": done.submission["id"]},
    )
    connection.execute("alter table public.submissions enable trigger user")
    return Scene(org, done, queued, failed)


def arrange(postgres: Client, function: str, scene: Scene) -> dict[str, Any]:
    if function == "enable_org":
        operate(postgres, "disable_org", org_slug=scene.org.slug, reason="Before.", dry_run=False)
    return CASES[function].arguments(scene)


def neutral(report: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """A report without the ids that only the real run can know."""
    return [
        tuple(re.sub(r",? (id )?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", line[name]) for name in line)
        for line in report
    ]


def test_every_function_with_a_dry_run_has_a_case_and_takes_it_last_and_true_by_default(
    postgres: Client,
) -> None:
    found = postgres.rows(
        """
        select proname::text as name, proargnames[pronargs] as last, provolatile::text as volatility,
            pg_get_expr(proargdefaults, 'pg_proc'::regclass) as defaults
        from pg_proc where pronamespace = 'ops'::regnamespace and 'dry_run' = any (proargnames)
        """
    )
    assert {row["name"] for row in found} == set(CASES)
    for row in found:
        assert (row["last"], row["volatility"]) == ("dry_run", "v"), row["name"]
        assert row["defaults"].split(", ")[-1] == "true", row["name"]


@pytest.mark.parametrize("function", CASES)
@pytest.mark.parametrize("dry", [{}, {"dry_run": True}, {"dry_run": None}], ids=["default", "true", "null"])
def test_a_dry_run_changes_nothing(
    postgres: Client, scene: Scene, function: str, dry: dict[str, bool | None]
) -> None:
    arguments = arrange(postgres, function, scene)
    before = fingerprint(postgres)
    report = operate(postgres, function, **arguments, **dry)
    assert changed(before, fingerprint(postgres)) == set()
    assert any(action.startswith("would ") for action in actions(report))


@pytest.mark.parametrize("function", CASES)
def test_the_real_run_does_what_the_dry_run_said(postgres: Client, scene: Scene, function: str) -> None:
    case, arguments = CASES[function], arrange(postgres, function, scene)
    said = operate(postgres, function, **arguments)
    before = fingerprint(postgres)
    report = operate(postgres, function, **arguments, dry_run=False)
    assert changed(before, fingerprint(postgres)) == case.changes
    # Several runs come in the order of their ids.
    assert sorted(actions(report)) == sorted(case.report)
    assert [line[1:] for line in neutral(report)] == [line[1:] for line in neutral(said)]


@pytest.mark.parametrize("function", CASES)
def test_a_call_is_in_the_orgs_audit_log_dry_or_not(postgres: Client, scene: Scene, function: str) -> None:
    arguments, org_id = arrange(postgres, function, scene), scene.org.id
    for dry_run in (True, False):
        since = last_audit_id(postgres)
        operate(postgres, function, **arguments, dry_run=dry_run)
        rows = operations_since(postgres, since)
        if function == "create_org":
            # The new org is not the scene's, and has no log before it exists.
            assert len(rows) == (0 if dry_run else 1)
            org_id = rows[0]["org_id"] if rows else org_id
        assert {row["org_id"] for row in rows} == ({org_id} if rows else set())
        assert rows or function == "create_org"
        for row in rows:
            assert (row["action"], row["actor_type"], row["actor_name"]) == (function, "operator", "postgres")
            assert row["after"]["dry_run"] is dry_run
            given = row["after"].items()
            assert all((name, value) in given for name, value in arguments.items() if name != "run_ids"), row[
                "after"
            ]


@pytest.mark.parametrize("function", CASES)
def test_a_call_for_one_org_touches_no_other(
    postgres: Client, worker: Client, tenants: Tenants, scene: Scene, function: str
) -> None:
    populate(worker, tenants.other)
    postgres.connection.execute("alter table public.submissions disable trigger user")
    postgres.change("update public.submissions set created_at = '2025-05-05' where status = 'received'")
    postgres.connection.execute("alter table public.submissions enable trigger user")
    arguments = arrange(postgres, function, scene)
    other = Target(postgres.connection, tenants.other.id)
    before = other.fingerprint()
    operate(postgres, function, **arguments, dry_run=False)
    assert other.fingerprint() == before
    assert before["audit_log"]


@pytest.mark.parametrize(
    "function",
    [
        "invite_admin",
        "add_company",
        "disable_org",
        "enable_org",
        "set_org_limits",
        "set_org_limit",
        "revoke_api_tokens",
        "purge_org_data",
    ],
)
def test_an_org_that_does_not_exist_is_an_error(postgres: Client, scene: Scene, function: str) -> None:
    arguments = CASES[function].arguments(scene) | {"org_slug": "no-such-org"}
    before = fingerprint(postgres)
    with refused(404, "org_not_found"):
        operate(postgres, function, **arguments, dry_run=False)
    assert changed(before, fingerprint(postgres)) == set()


@pytest.mark.parametrize("function", CASES)
def test_no_client_can_call_an_operators_function(
    connection: Connection, scene: Scene, function: str
) -> None:
    for client in (signed_in(connection, scene.org.admin), anonymous(connection), service(connection)):
        with denied():
            operate(client, function, **CASES[function].arguments(scene))
