"""API tokens: nobody grants more than they have, and a token can only be revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import errors

from api.auth.api_token import generate_api_token
from tests.support.sql_client import Client, Connection, denied, refused, signed_in, violates, with_token
from tests.support.tenants import Company, Org, Role, Tenants, create_token


def create(client: Client, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
    generated = generate_api_token()
    token: dict[str, Any] = client.call(
        "create_api_token",
        **{"name": "CRM", "token_hash": generated.token_hash, "prefix": generated.prefix} | arguments,
    )
    return token


def test_a_token_has_its_creators_role_and_company_unless_told_otherwise(
    connection: Connection, org: Org
) -> None:
    for user in (org.admin, org.first.company_admin):
        token = create(signed_in(connection, user))
        assert (token["role"], token["company_id"], token["user_id"]) == (user.role, user.company_id, user.id)
        assert token["expires_at"] is None
        assert token["revoked_at"] is None
        assert "token_hash" not in token


def test_an_org_admin_makes_tokens_for_any_company(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    assert create(admin, company_id=org.second.id)["role"] == "company_admin"
    assert create(admin, company_id=org.second.id, role="member")["role"] == "member"


@pytest.mark.parametrize(
    ("role", "for_company"), [("org_admin", True), ("company_admin", False), ("member", False)]
)
def test_a_token_has_a_company_unless_its_role_is_org_admin(
    connection: Connection, org: Org, role: Role, for_company: bool
) -> None:
    with refused(422, "invalid_request"):
        create(signed_in(connection, org.admin), role=role, company_id=org.first.id if for_company else None)


def test_a_company_admin_makes_tokens_for_its_company_up_to_its_role(
    connection: Connection, company: Company
) -> None:
    company_admin = signed_in(connection, company.company_admin)
    assert create(company_admin, role="member")["company_id"] == company.id
    with refused(403, "forbidden"):
        create(company_admin, role="org_admin")


def test_a_company_admin_makes_no_token_for_another_company(connection: Connection, tenants: Tenants) -> None:
    company_admin = signed_in(connection, tenants.org.first.company_admin)
    for foreign in (tenants.org.second, tenants.other.first):
        with refused(404, "company_not_found"):
            create(company_admin, company_id=foreign.id)


def test_a_member_makes_no_tokens(connection: Connection, company: Company) -> None:
    with refused(403, "forbidden"):
        create(signed_in(connection, company.member))


def test_a_token_makes_no_token_whatever_its_role(connection: Connection, org: Org) -> None:
    token = with_token(connection, create_token(connection, org.admin))
    with refused(403, "forbidden"):
        create(token, role="org_admin")
    with refused(403, "forbidden"):
        create(token, role="member", company_id=org.first.id)


def test_the_policy_holds_without_the_rpc(connection: Connection, tenants: Tenants) -> None:
    insert = """
        insert into public.api_tokens (company_id, name, token_hash, prefix, role)
        values (%(company_id)s, 'mine', %(hash)s, %(prefix)s, %(role)s)
    """
    org = tenants.org

    def insert_as(client: Client, company_id: str | None, role: Role) -> None:
        generated = generate_api_token()
        values = {"company_id": company_id, "role": role, "hash": generated.token_hash}
        assert client.change(insert, {"prefix": generated.prefix, **values}) == 1

    company_admin = signed_in(connection, org.first.company_admin)
    insert_as(company_admin, org.first.id, "member")
    with denied():
        insert_as(company_admin, None, "org_admin")
    with denied():
        insert_as(company_admin, org.second.id, "member")
    with denied():
        insert_as(signed_in(connection, org.first.member), org.first.id, "member")
    with denied():
        insert_as(with_token(connection, create_token(connection, org.admin)), None, "org_admin")
    with violates(errors.ForeignKeyViolation):
        insert_as(signed_in(connection, org.admin), tenants.other.first.id, "member")


def test_the_policy_itself_limits_the_role_not_only_the_form_of_a_row(
    connection: Connection, postgres: Client, company: Company
) -> None:
    """Otherwise the limit would depend on org_admin being the only role without a company."""
    postgres.change("alter table public.api_tokens drop constraint api_tokens_check")
    with denied():
        signed_in(connection, company.company_admin).change(
            "insert into public.api_tokens (company_id, name, token_hash, prefix, role) "
            "values (%(company)s, 'x', %(hash)s, 'dex_12345678', 'org_admin')",
            {"company": company.id, "hash": generate_api_token().token_hash},
        )


def test_an_expiry_must_lie_in_the_future(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    with refused(422, "invalid_request"):
        create(admin, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert create(admin, expires_at=datetime.now(UTC) + timedelta(days=1))["expires_at"]


def test_the_same_token_cannot_be_registered_twice(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    token_hash = generate_api_token().token_hash
    create(admin, token_hash=token_hash)
    with violates(errors.UniqueViolation):
        create(admin, token_hash=token_hash)


def test_a_hash_cannot_be_read_back(connection: Connection, org: Org) -> None:
    create_token(connection, org.admin)
    admin = signed_in(connection, org.admin)
    for statement in (
        "select token_hash from public.api_tokens",
        "select * from public.api_tokens",
        "select to_jsonb(t) from public.api_tokens t",
        "select id from public.api_tokens where token_hash like 'a%%'",
        "select id from public.api_tokens order by token_hash",
        "update public.api_tokens set revoked_at = now() where token_hash is not null",
        "insert into public.api_tokens (name, token_hash, prefix, role) select 'x', token_hash, prefix, role "
        "from public.api_tokens",
    ):
        with denied():
            admin.change(statement)


def test_callers_see_only_the_tokens_in_their_reach(connection: Connection, org: Org) -> None:
    of_admin = create_token(connection, org.admin).id
    of_first = create_token(connection, org.first.company_admin).id
    of_member = create_token(connection, org.first.member).id
    of_second = create_token(connection, org.second.company_admin).id

    def seen(client: Client) -> set[str]:
        return {item["id"] for item in client.call("list_api_tokens", limit=200)["items"]}

    assert seen(signed_in(connection, org.admin)) >= {of_admin, of_first, of_member, of_second}
    assert seen(signed_in(connection, org.first.company_admin)) == {of_first, of_member}
    assert seen(signed_in(connection, org.first.member)) == {of_member}
    assert seen(signed_in(connection, org.first.other_member)) == set()


def test_a_company_admin_revokes_in_its_company_only(connection: Connection, org: Org) -> None:
    company_admin = signed_in(connection, org.first.company_admin)
    own = create_token(connection, org.first.member)
    assert company_admin.call("revoke_api_token", api_token_id=own.id)["revoked_at"]
    for foreign in (create_token(connection, org.second.company_admin), create_token(connection, org.admin)):
        with refused(404, "api_token_not_found"):
            company_admin.call("revoke_api_token", api_token_id=foreign.id)


def test_a_member_revokes_nothing_but_sees_its_own(connection: Connection, company: Company) -> None:
    own = create_token(connection, company.member)
    with refused(403, "forbidden"):
        signed_in(connection, company.member).call("revoke_api_token", api_token_id=own.id)


def test_a_revoked_token_stays_revoked(connection: Connection, postgres: Client, org: Org) -> None:
    token = create_token(connection, org.admin)
    admin = signed_in(connection, org.admin)
    first = admin.call("revoke_api_token", api_token_id=token.id)
    assert admin.call("revoke_api_token", api_token_id=token.id) == first
    for client in (admin, postgres):
        with refused(409, "immutable"):
            client.change("update public.api_tokens set revoked_at = null")


def test_nobody_picks_the_time_of_revoking(connection: Connection, org: Org) -> None:
    token = create_token(connection, org.admin)
    admin = signed_in(connection, org.admin)
    admin.change("update public.api_tokens set revoked_at = '2099-01-01' where id = %(id)s", {"id": token.id})
    statement = "select revoked_at = now() from public.api_tokens where id = %(id)s"
    assert admin.value(statement, {"id": token.id}) is True


UNGRANTED = [
    "role = 'member'",
    "name = 'other'",
    "user_id = id",
    "company_id = null, role = 'org_admin'",
    "token_hash = repeat('0', 64)",
    "prefix = 'dex_00000000'",
    "created_at = '2001-01-01'",
    "replaces = id",
    "last_used_at = now()",
]


@pytest.mark.parametrize("change", UNGRANTED)
def test_no_client_changes_the_rights_or_the_identity_of_a_token(
    connection: Connection, org: Org, change: str
) -> None:
    token = create_token(connection, org.first.company_admin)
    statement = f"update public.api_tokens set {change} where id = %(id)s"
    for client in (
        signed_in(connection, org.admin),
        signed_in(connection, org.first.company_admin),
        with_token(connection, token),
    ):
        with denied():
            client.change(statement, {"id": token.id})


@pytest.mark.parametrize("change", [change for change in UNGRANTED if "last_used_at" not in change])
def test_not_even_the_owner_changes_the_rights_or_the_identity_of_a_token(
    connection: Connection, postgres: Client, org: Org, change: str
) -> None:
    token = create_token(connection, org.first.company_admin)
    with refused(409, "immutable"):
        postgres.change(f"update public.api_tokens set {change} where id = %(id)s", {"id": token.id})


def test_a_token_may_be_made_to_end_earlier(connection: Connection, postgres: Client, org: Org) -> None:
    token = create_token(connection, org.first.company_admin)
    statement = "update public.api_tokens set expires_at = now() + %(left)s::interval where id = %(id)s"
    company_admin = signed_in(connection, org.first.company_admin)
    for left in ("2 days", "1 day", "0 days"):
        assert company_admin.change(statement, {"id": token.id, "left": left}) == 1
    with refused(401, "api_token_expired"):
        with_token(connection, token).call("auth_context")


@pytest.mark.parametrize("expiry", ["null", "now() + interval '2 days'", "now() - interval '1 second'"])
def test_a_token_never_ends_later_nor_in_the_past(
    connection: Connection, postgres: Client, org: Org, expiry: str
) -> None:
    token = create_token(connection, org.admin, expires_at=datetime.now(UTC) + timedelta(days=1))
    statement = f"update public.api_tokens set expires_at = {expiry} where id = %(id)s"
    for client in (signed_in(connection, org.admin), postgres):
        with refused(409, "immutable"):
            client.change(statement, {"id": token.id})


def test_a_revoked_token_is_not_touched_again(connection: Connection, postgres: Client, org: Org) -> None:
    token = create_token(connection, org.admin, revoked_at=datetime.now(UTC))
    for change in ("expires_at = now()", "last_used_at = now()", "revoked_at = now() + interval '1 day'"):
        with refused(409, "immutable"):
            postgres.change(f"update public.api_tokens set {change} where id = %(id)s", {"id": token.id})


def test_a_foreign_admin_ends_no_token(connection: Connection, tenants: Tenants) -> None:
    token = create_token(connection, tenants.org.first.company_admin)
    for user in (
        tenants.other.admin,
        tenants.org.second.company_admin,
        tenants.org.first.member,
    ):
        for change in ("expires_at = now()", "revoked_at = now()"):
            statement = f"update public.api_tokens set {change} where id = %(id)s"
            assert signed_in(connection, user).change(statement, {"id": token.id}) == 0
    assert with_token(connection, token).call("auth_context")
