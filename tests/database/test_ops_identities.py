"""Operators find everybody who has access to an org, and revoke API tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.database.operations import actions, last_audit_id, operate, operations_since
from tests.support.sql_client import Client, Connection, refused, with_token
from tests.support.tenants import Org, Tenants, Token, create_identity, create_token


def find(postgres: Client, text: str) -> list[tuple[str, str]]:
    return [(row["kind"], str(row["id"])) for row in operate(postgres, "find", text=text)]


def prefix(token: Token) -> str:
    return token.secret[:12]


def test_a_person_is_found_by_an_address_a_part_of_it_or_an_id(postgres: Client, org: Org) -> None:
    admin = org.admin
    for text in (admin.email, admin.email.upper(), f"  {admin.email} ", admin.email[4:30], admin.id):
        assert find(postgres, text) == [("user", admin.id)], text


def test_pattern_characters_are_taken_literally(postgres: Client, org: Org) -> None:
    assert find(postgres, "%@example.com") == []
    assert find(postgres, org.admin.email.replace("-", "_", 1)) == []


def test_a_token_is_found_by_prefix_id_owner_and_as_a_whole(
    connection: Connection, postgres: Client, org: Org
) -> None:
    token = create_token(connection, org.admin)
    create_token(connection, org.first.member)
    found = ("API token", token.id)
    for text in (token.secret, prefix(token), prefix(token)[:9], token.id, f"Bearer {token.secret}"):
        assert find(postgres, text) == [found], text
    assert set(find(postgres, org.admin.email)) == {found, ("user", org.admin.id)}


def test_an_address_is_never_taken_for_a_token(postgres: Client) -> None:
    postgres.change(
        "insert into auth.users (id, email) values (gen_random_uuid(), 'index_fund@fund.example')"
    )
    assert [kind for kind, _ in find(postgres, "index_fund@fund")] == ["identity"]


def test_a_whole_token_that_does_not_exist_is_not_found_by_its_prefix(
    connection: Connection, postgres: Client, org: Org
) -> None:
    token = create_token(connection, org.admin)
    assert find(postgres, f"{token.secret[:-1]}{'x' if token.secret[-1] != 'x' else 'y'}") == []


def test_invitations_and_identities_without_an_org_are_found(
    connection: Connection, postgres: Client, org: Org
) -> None:
    identity = create_identity(connection, org.id)
    operate(postgres, "invite_admin", org_slug=org.slug, email=identity.email, dry_run=False)
    rows = operate(postgres, "find", text=identity.email)
    assert {(row["kind"], row["status"], row["org"]) for row in rows} == {
        ("identity", "user of no org", None),
        ("invitation", "open", org.slug),
    }


def status_of(postgres: Client, token: Token) -> str:
    (row,) = operate(postgres, "find", text=token.id)
    assert isinstance(row["status"], str)
    return row["status"]


def test_a_tokens_status_says_whether_it_works_now(
    connection: Connection, postgres: Client, org: Org
) -> None:
    now = datetime.now(UTC)
    assert status_of(postgres, create_token(connection, org.admin, revoked_at=now)) == "revoked"
    expired = create_token(connection, org.admin, expires_at=now - timedelta(days=1))
    assert status_of(postgres, expired) == "expired"
    token = create_token(connection, org.first.member)
    assert status_of(postgres, token) == "active"
    postgres.change("update public.users set deactivated_at = now() where id = %(id)s", {"id": token.user.id})
    assert status_of(postgres, token) == "user deactivated"


@pytest.mark.parametrize("text", [None, "", "ab", "  a  "])
def test_a_search_needs_three_characters(postgres: Client, text: str | None) -> None:
    with refused(422, "invalid_request"):
        operate(postgres, "find", text=text)


def test_a_search_shows_a_hundred_and_says_how_many_more(postgres: Client) -> None:
    postgres.change(
        "insert into auth.users (id, email) "
        "select gen_random_uuid(), 'crowd-' || n || '@crowd.example' from generate_series(1, 103) n"
    )
    rows = operate(postgres, "find", text="@crowd.example")
    assert len(rows) == 101
    assert (rows[-1]["kind"], rows[-1]["email"]) == ("more", "3 others: give more of the text")


def test_a_search_is_in_the_log_of_each_org_that_it_showed_and_of_no_other(
    connection: Connection, postgres: Client, tenants: Tenants
) -> None:
    token = create_token(connection, tenants.org.admin)
    create_token(connection, tenants.org.admin)
    since = last_audit_id(postgres)
    find(postgres, token.secret)
    find(postgres, "org_admin-")
    found = operations_since(postgres, since)
    orgs = {row["org_id"] for row in found[1:]}
    assert found[0]["org_id"] == tenants.org.id
    assert {tenants.org.id, tenants.other.id} <= orgs
    assert len(found[1:]) == len(orgs)


@pytest.mark.parametrize("form", ["{}", "Bearer {}", "'{}'", "dex_{}", "{0} {0}"])
def test_a_whole_token_stays_out_of_the_audit_log(
    connection: Connection, postgres: Client, org: Org, form: str
) -> None:
    token = create_token(connection, org.admin)
    since = last_audit_id(postgres)
    operate(postgres, "find", text=form.format(token.secret))
    operate(postgres, "revoke_api_tokens", org_slug=org.slug, prefix=token.secret, dry_run=False)
    logged = postgres.value(
        "select string_agg(a::text, ' ') from public.audit_log a where id > %(since)s", {"since": since}
    )
    assert prefix(token) in logged
    assert token.secret[4:20] not in logged
    assert token.token_hash not in logged


def revoke(postgres: Client, **filters: Any) -> list[str]:  # noqa: ANN401
    """Revokes tokens and returns their prefixes."""
    report = operate(postgres, "revoke_api_tokens", **filters, dry_run=False)
    return sorted(line["subject"][-13:-1] for line in report if line["action"] == "revoked")


def test_a_revoked_token_is_refused_and_the_others_are_not(
    connection: Connection, postgres: Client, org: Org
) -> None:
    leaked, kept = (create_token(connection, org.admin) for _ in range(2))
    assert revoke(postgres, prefix=prefix(leaked)) == [prefix(leaked)]
    with refused(401, "api_token_revoked"):
        with_token(connection, leaked).call("auth_context")
    assert with_token(connection, kept).call("auth_context")


def test_all_filters_must_match(connection: Connection, postgres: Client, tenants: Tenants) -> None:
    org, other = tenants
    mine = create_token(connection, org.admin)
    members = create_token(connection, org.first.member)
    foreign = create_token(connection, other.admin)
    assert revoke(postgres, org_slug=org.slug, email=other.admin.email) == []
    assert revoke(postgres, org_slug=other.slug, prefix=prefix(mine)) == []
    assert revoke(postgres, email=org.admin.email.upper(), org_slug=org.slug) == [prefix(mine)]
    assert revoke(postgres, org_slug=org.slug) == [prefix(members)]
    assert status_of(postgres, foreign) == "active"


def test_revoked_and_expired_tokens_are_nothing_to_do(
    connection: Connection, postgres: Client, org: Org
) -> None:
    now = datetime.now(UTC)
    create_token(connection, org.admin, revoked_at=now)
    create_token(connection, org.admin, expires_at=now - timedelta(days=1))
    report = operate(postgres, "revoke_api_tokens", email=org.admin.email, dry_run=False)
    assert actions(report) == ["nothing to do"]


@pytest.mark.parametrize("filters", [{}, {"prefix": ""}, {"prefix": "dex_"}, {"prefix": "dex_abc"}])
def test_revoking_needs_a_filter_that_names_something(postgres: Client, filters: dict[str, str]) -> None:
    with refused(422, "invalid_request"):
        operate(postgres, "revoke_api_tokens", **filters, dry_run=False)
