"""Operators create an org with its first admin, add companies, and disable and enable an org."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.database.operations import actions, operate
from tests.support.pipeline import create_run
from tests.support.sql_client import Client, Connection, refused, signed_in, with_token
from tests.support.tenants import Org, Tenants, User, create_token

NEW = {"name": "New Data", "slug": "new-data", "admin_email": "Ada@New.Example", "admin_full_name": "Ada"}


def sign_up(postgres: Client, email: str) -> User:
    """An identity whose e-mail Supabase Auth has confirmed."""
    row = postgres.rows(
        "insert into auth.users (id, email, email_confirmed_at) "
        "values (gen_random_uuid(), %(email)s, now()) returning id::text",
        {"email": email},
    )[0]
    return User(row["id"], "", None, "org_admin", email)


def test_the_first_admin_signs_up_with_the_invited_address_and_accepts(
    connection: Connection, postgres: Client
) -> None:
    operate(postgres, "create_org", **NEW, dry_run=False)
    context = signed_in(connection, sign_up(postgres, "ada@new.example")).call("accept_invitation")
    org_id = postgres.value("select id::text from public.orgs where slug = 'new-data'")
    assert (context["org_id"], context["role"], context["company_id"]) == (org_id, "org_admin", None)


def test_the_report_says_how_an_existing_identity_accepts(postgres: Client) -> None:
    sign_up(postgres, "ada@new.example")
    before = operate(postgres, "create_org", **NEW)
    other = operate(postgres, "create_org", **NEW | {"admin_email": "bob@new.example"})
    assert before[-1]["detail"].startswith("Has signed up already")
    assert other[-1]["detail"].startswith("Signs up with this address")


def test_a_slug_is_unique(postgres: Client, org: Org) -> None:
    with refused(409, "conflict"):
        operate(postgres, "create_org", **NEW | {"slug": org.slug})


@pytest.mark.parametrize("slug", [None, "", "Upper", "two--dashes", "-edge", "edge-", "dot.ted", "x" * 64])
def test_a_malformed_slug_is_refused(postgres: Client, slug: str | None) -> None:
    with refused(422, "invalid_request"):
        operate(postgres, "create_org", **NEW | {"slug": slug})


@pytest.mark.parametrize("email", [None, "", "nobody", "two@at@signs", "blank in@new.example"])
def test_a_malformed_address_is_refused(postgres: Client, org: Org, email: str | None) -> None:
    with refused(422, "invalid_request"):
        operate(postgres, "create_org", **NEW | {"admin_email": email})
    with refused(422, "invalid_request"):
        operate(postgres, "invite_admin", org_slug=org.slug, email=email)


def test_a_user_of_any_org_is_not_invited_again(postgres: Client, tenants: Tenants) -> None:
    email = tenants.other.admin.email.upper()
    with refused(409, "already_registered"):
        operate(postgres, "create_org", **NEW | {"admin_email": email})
    with refused(409, "already_registered"):
        operate(postgres, "invite_admin", org_slug=tenants.org.slug, email=email)


def test_a_second_invitation_takes_the_place_of_the_first(postgres: Client, org: Org) -> None:
    for expected in (["invited", "next"], ["revoked", "invited", "next"]):
        report = operate(postgres, "invite_admin", org_slug=org.slug, email="a@new.example", dry_run=False)
        assert actions(report) == expected
    statement = (
        "select count(*) filter (where revoked_at is null) || ' of ' || count(*) "
        "from public.invitations where email = 'a@new.example'"
    )
    assert postgres.value(statement) == "1 of 2"


def test_an_external_id_is_unique_within_an_org(postgres: Client, tenants: Tenants) -> None:
    company = {"name": "East", "external_id": "east", "dry_run": False}
    operate(postgres, "add_company", org_slug=tenants.org.slug, **company)
    operate(postgres, "add_company", org_slug=tenants.other.slug, **company)
    with refused(409, "conflict"):
        operate(postgres, "add_company", org_slug=tenants.org.slug, **company)


def test_a_company_without_an_external_id_can_be_added(postgres: Client, org: Org) -> None:
    for _ in range(2):
        assert actions(operate(postgres, "add_company", org_slug=org.slug, name="East")) == ["would add"]


def test_disabling_refuses_every_credential_until_it_is_enabled_again(
    connection: Connection, postgres: Client, tenants: Tenants
) -> None:
    org, stranger = tenants.org, signed_in(connection, tenants.other.admin)
    clients = [
        signed_in(connection, org.admin),
        signed_in(connection, org.first.member),
        with_token(connection, create_token(connection, org.admin)),
    ]
    operate(postgres, "disable_org", org_slug=org.slug, reason="Unpaid.", dry_run=False)
    for client in clients:
        with refused(403, "org_disabled"):
            client.call("auth_context")
    assert stranger.call("auth_context")
    operate(postgres, "enable_org", org_slug=org.slug, dry_run=False)
    assert all(client.call("auth_context")["org_id"] == org.id for client in clients)


def test_disabling_counts_what_it_reaches_and_leaves_runs_alone(
    connection: Connection, postgres: Client, worker: Client, org: Org
) -> None:
    create_token(connection, org.admin)
    create_token(connection, org.first.other_member)
    create_token(connection, org.admin, revoked_at=datetime.now(UTC))
    create_token(connection, org.admin, expires_at=datetime.now(UTC) - timedelta(days=1))
    postgres.change(
        "update public.users set deactivated_at = now() where id = %(id)s", {"id": org.first.member.id}
    )
    run = create_run(worker, org, org.second)
    report = operate(postgres, "disable_org", org_slug=org.slug, reason="Unpaid.", dry_run=False)
    assert [line["subject"] for line in report] == [
        f"org {org.slug}", "6 users", "2 API tokens", "1 unfinished run",
    ]  # fmt: skip
    assert run.take()["outcome"] == "claimed"


def test_disabling_and_enabling_twice_change_nothing(postgres: Client, org: Org) -> None:
    operate(postgres, "disable_org", org_slug=org.slug, reason="Unpaid.", dry_run=False)
    report = operate(postgres, "disable_org", org_slug=org.slug, reason="Unpaid.", dry_run=False)
    assert actions(report) == ["left alone"]
    operate(postgres, "enable_org", org_slug=org.slug, dry_run=False)
    assert actions(operate(postgres, "enable_org", org_slug=org.slug, dry_run=False)) == ["left alone"]


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_disabling_needs_a_reason(postgres: Client, org: Org, reason: str | None) -> None:
    with refused(422, "invalid_request"):
        operate(postgres, "disable_org", org_slug=org.slug, reason=reason)


def test_the_overview_counts_what_is_active(
    connection: Connection, postgres: Client, worker: Client, org: Org
) -> None:
    create_token(connection, org.admin)
    operate(postgres, "revoke_api_tokens", org_slug=org.slug, dry_run=False)
    create_token(connection, org.admin)
    operate(postgres, "invite_admin", org_slug=org.slug, email="a@new.example", dry_run=False)
    postgres.change(
        "update public.users set deactivated_at = now() where id = %(id)s", {"id": org.second.member.id}
    )
    create_run(worker, org, org.first)
    (row,) = postgres.rows("select * from ops.org_overview where org = %(slug)s", {"slug": org.slug})
    counts = ("companies", "users", "admins", "invitations", "tokens", "unfinished_runs")
    assert [row[name] for name in counts] == [2, 6, 1, 1, 1, 1]
    assert (row["status"], row["name"]) == ("active", org.name)
    assert row["last_submission"] is not None
