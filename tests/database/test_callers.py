"""The caller behind a credential: sessions and tokens lead to the same rows, which each request reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.support.sql_client import Client, Connection, anonymous, denied, refused, signed_in, with_token
from tests.support.tenants import (
    Company,
    Org,
    User,
    create_company,
    create_identity,
    create_org,
    create_token,
    create_user,
)


def context(client: Client) -> dict[str, str | None]:
    answer: dict[str, str | None] = client.call("auth_context")
    return answer


def expected(user: User, method: str, **changes: str | None) -> dict[str, str | None]:
    return {
        "org_id": user.org_id,
        "user_id": user.id,
        "company_id": user.company_id,
        "role": user.role,
        "auth_method": method,
    } | changes


def test_a_session_and_a_token_of_the_same_user_have_the_same_context(
    connection: Connection, org: Org
) -> None:
    for user in org.users:
        token = create_token(connection, user)
        assert context(signed_in(connection, user)) == expected(user, "supabase_jwt")
        assert context(with_token(connection, token)) == expected(user, "api_token")


def test_a_session_without_a_user_row_is_not_registered(connection: Connection, org: Org) -> None:
    stranger = create_identity(connection, org.id)
    with refused(403, "identity_not_registered"):
        context(signed_in(connection, stranger))


@pytest.mark.parametrize(
    "subject", ["", "somebody", "'; drop table users; --", "00000000-0000-4000-8000-000000000000"]
)
def test_a_subject_that_is_no_users_id_is_not_registered(connection: Connection, subject: str) -> None:
    claims = json.dumps({"sub": subject, "role": "authenticated"})
    with refused(403, "identity_not_registered"):
        context(Client(connection, "authenticated", claims))


@pytest.mark.parametrize("claims", ["", "{}", "null", '{"role": "authenticated"}', '{"sub": null}'])
def test_a_request_without_claims_has_no_credential(connection: Connection, claims: str) -> None:
    with refused(401, "missing_credential"):
        context(Client(connection, "authenticated", claims))


def test_an_unknown_caller_sees_no_row_of_any_table(connection: Connection, org: Org) -> None:
    for claims in ("", json.dumps({"sub": str(uuid4())}), json.dumps({"api_token_hash": "0" * 64})):
        nobody = Client(connection, "authenticated", claims)
        for table in ("orgs", "companies", "users", "steps", "blueprints", "submissions", "step_results"):
            assert nobody.value(f"select count(*) from public.{table}") == 0


def test_anonymous_may_not_even_ask(connection: Connection) -> None:
    with denied():
        context(anonymous(connection))


@pytest.mark.parametrize("token_hash", ["", "0" * 64, "not a hash"])
def test_a_token_that_does_not_exist_is_unknown(connection: Connection, org: Org, token_hash: str) -> None:
    # A sub beside it does not help: the token alone counts.
    claims = json.dumps({"api_token_hash": token_hash, "sub": org.admin.id})
    with refused(401, "api_token_unknown"):
        context(Client(connection, "authenticated", claims))


def test_a_token_wins_over_a_sub_beside_it(connection: Connection, org: Org) -> None:
    token = create_token(connection, org.first.member)
    claims = json.dumps({"api_token_hash": token.token_hash, "sub": org.admin.id})
    assert context(Client(connection, "authenticated", claims)) == expected(org.first.member, "api_token")


def test_revoking_takes_effect_on_the_next_request(connection: Connection, org: Org) -> None:
    token = create_token(connection, org.admin)
    client = with_token(connection, token)
    context(client)
    signed_in(connection, org.admin).call("revoke_api_token", api_token_id=token.id)
    with refused(401, "api_token_revoked"):
        context(client)


def test_a_token_ends_at_its_expiry(connection: Connection, org: Org) -> None:
    now = datetime.now(UTC)
    with refused(401, "api_token_expired"):
        context(
            with_token(connection, create_token(connection, org.admin, expires_at=now - timedelta(hours=1)))
        )
    context(with_token(connection, create_token(connection, org.admin, expires_at=now + timedelta(hours=1))))


def test_a_deactivated_user_is_refused_with_all_credentials(
    connection: Connection, postgres: Client, company: Company
) -> None:
    user = company.company_admin
    token = create_token(connection, user)
    postgres.change("update public.users set deactivated_at = now() where id = %(id)s", {"id": user.id})
    for client in (signed_in(connection, user), with_token(connection, token)):
        with refused(403, "user_deactivated"):
            context(client)
        assert client.value("select count(*) from public.companies") == 0


def test_a_disabled_org_refuses_everybody_in_it(connection: Connection, postgres: Client, org: Org) -> None:
    token = create_token(connection, org.admin)
    postgres.change("update public.orgs set disabled_at = now() where id = %(id)s", {"id": org.id})
    for client in (*(signed_in(connection, user) for user in org.users), with_token(connection, token)):
        with refused(403, "org_disabled"):
            context(client)
        assert client.value("select count(*) from public.orgs") == 0


def test_a_token_narrows_when_its_creator_is_demoted(connection: Connection, postgres: Client) -> None:
    org = create_org(connection)
    token = create_token(connection, org.admin)
    create_user(connection, org.id, "org_admin")
    postgres.change(
        "update public.users set role = 'member', company_id = %(company_id)s where id = %(id)s",
        {"company_id": org.first.id, "id": org.admin.id},
    )
    narrowed = expected(org.admin, "api_token", role="member", company_id=org.first.id)
    assert context(with_token(connection, token)) == narrowed


def test_a_token_does_not_grow_with_its_creator(connection: Connection, postgres: Client, org: Org) -> None:
    user = org.first.member
    token = create_token(connection, user)
    postgres.change(
        "update public.users set role = 'org_admin', company_id = null where id = %(id)s", {"id": user.id}
    )
    assert context(with_token(connection, token)) == expected(user, "api_token")
    assert context(signed_in(connection, user))["role"] == "org_admin"


def test_an_org_admins_token_is_bound_to_the_company_it_was_made_for(
    connection: Connection, org: Org
) -> None:
    for role in ("company_admin", "member"):
        token = create_token(connection, org.admin, role=role, company_id=org.second.id)
        bound = with_token(connection, token)
        assert context(bound) == expected(org.admin, "api_token", role=role, company_id=org.second.id)
        assert [row["id"] for row in bound.rows("select id::text from public.companies")] == [org.second.id]


def test_a_token_for_a_company_that_its_creator_has_left_is_refused(
    connection: Connection, postgres: Client, org: Org
) -> None:
    user = org.first.company_admin
    token = create_token(connection, user)
    elsewhere = create_company(connection, org.id, "elsewhere")
    postgres.change(
        "update public.users set company_id = %(company_id)s where id = %(id)s",
        {"company_id": elsewhere.id, "id": user.id},
    )
    with refused(403, "forbidden"):
        context(with_token(connection, token))


def test_metadata_that_users_write_gives_no_rights(connection: Connection, org: Org) -> None:
    claimed = {"role": "org_admin", "org_id": str(uuid4()), "company_id": None, "is_super_admin": True}
    claims = {
        "user_metadata": claimed,
        "app_metadata": claimed,
        "org_id": str(uuid4()),
        "user_role": "org_admin",
    }
    member = org.first.member
    assert context(signed_in(connection, member, **claims)) == expected(member, "supabase_jwt")
