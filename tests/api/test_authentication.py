"""Credentials: which are accepted, and when they stop being accepted."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import psycopg
import pytest

from api.auth.api_token import ContextJwtMinter, SigningKey, generate_api_token
from tests.api.caller import Caller
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org, Token, User, create_identity, create_token, create_user, session_jwt

As = Callable[[User | Token], Caller]
FIELDS = {"org_id", "user_id", "company_id", "role", "auth_method"}


def test_both_credentials_of_a_user_give_the_same_auth_context(
    org: Org, as_: As, connection: psycopg.Connection
) -> None:
    for user in (org.admin, org.first.company_admin, org.first.member):
        by_session = as_(user).data("auth/context")
        by_token = as_(create_token(connection, user)).data("auth/context")
        assert set(by_session) == set(by_token) == FIELDS
        assert by_session == {
            "org_id": org.id,
            "user_id": user.id,
            "company_id": user.company_id,
            "role": user.role,
            "auth_method": "supabase_jwt",
        }
        assert by_token == by_session | {"auth_method": "api_token"}


def test_a_token_can_be_narrowed_but_gives_no_more_than_its_user(
    org: Org, as_: As, connection: psycopg.Connection
) -> None:
    narrowed = create_token(connection, org.admin, role="member", company_id=org.first.id)
    context = as_(narrowed).data("auth/context")
    assert (context["role"], context["company_id"]) == ("member", org.first.id)
    assert as_(narrowed).refusal("companies/create", {"name": "x"}) == (403, "forbidden")


def test_an_identity_without_a_user_is_not_let_in(org: Org, as_: As, connection: psycopg.Connection) -> None:
    stranger = as_(create_identity(connection, org.id))
    assert stranger.refusal("auth/context") == (403, "identity_not_registered")
    assert stranger.refusal("companies/list") == (403, "identity_not_registered")


def test_metadata_of_an_identity_means_nothing(
    supabase: StackEnvironment, http: httpx.Client, org: Org
) -> None:
    claims: dict[str, Any] = {
        "user_metadata": {"role": "org_admin", "org_id": org.id},
        "app_metadata": {"role": "org_admin"},
        "org_id": org.id,
        "user_role": "org_admin",
    }
    member = Caller(http, session_jwt(supabase, org.first.member, **claims))
    assert member.data("auth/context")["role"] == "member"
    assert member.refusal("companies/create", {"name": "x"}) == (403, "forbidden")


def test_revoking_a_token_takes_effect_with_the_next_request(
    org: Org, as_: As, connection: psycopg.Connection
) -> None:
    token = create_token(connection, org.admin)
    integration = as_(token)
    integration.data("companies/list")
    as_(org.admin).data("api-tokens/revoke", {"api_token_id": token.id})
    for path in ("companies/list", "auth/context", "submissions/list"):
        assert integration.refusal(path) == (401, "api_token_revoked")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("update public.users set deactivated_at = now() where id = %(user)s", (403, "user_deactivated")),
        ("update public.orgs set disabled_at = now() where id = %(org)s", (403, "org_disabled")),
    ],
)
def test_deactivating_takes_effect_with_the_next_request(
    org: Org, as_: As, connection: psycopg.Connection, change: str, expected: tuple[int, str]
) -> None:
    callers = [as_(org.first.member), as_(create_token(connection, org.first.member))]
    for caller in callers:
        caller.data("companies/list")
    connection.execute(change, {"user": org.first.member.id, "org": org.id})
    for caller in callers:
        assert caller.refusal("companies/list") == expected
        assert caller.refusal("auth/context") == expected


def test_demoting_takes_effect_with_the_next_request(
    org: Org, as_: As, connection: psycopg.Connection
) -> None:
    user = create_user(connection, org.id, "org_admin")
    callers = [as_(user), as_(create_token(connection, user))]
    for number, caller in enumerate(callers):
        caller.data("companies/create", {"name": f"before {number}"})
    connection.execute(
        "update public.users set role = 'member', company_id = %s where id = %s", (org.first.id, user.id)
    )
    for caller in callers:
        assert caller.refusal("companies/create", {"name": "after"}) == (403, "forbidden")
        assert caller.data("auth/context")["role"] == "member"


def test_an_expired_token_is_refused(org: Org, as_: As, connection: psycopg.Connection) -> None:
    past = datetime.now(UTC) - timedelta(minutes=1)
    expired = create_token(connection, org.admin, expires_at=past)
    assert as_(expired).refusal("auth/context") == (401, "api_token_expired")


def test_a_token_that_was_never_made_is_refused(http: httpx.Client, supabase: StackEnvironment) -> None:
    made_up = Caller(http, generate_api_token().secret)
    assert made_up.refusal("auth/context") == (401, "api_token_unknown")


def test_an_expired_session_is_refused(supabase: StackEnvironment, http: httpx.Client, org: Org) -> None:
    expired = session_jwt(supabase, org.admin, exp=int(time.time()) - 60)
    assert Caller(http, expired).refusal("auth/context") == (401, "token_expired")


def test_only_sessions_of_people_pass_as_jwt(
    supabase: StackEnvironment, http: httpx.Client, org: Org, connection: psycopg.Connection
) -> None:
    token = create_token(connection, org.admin)
    minter = ContextJwtMinter(
        SigningKey("HS256", supabase.jwt_secret), supabase.jwt_issuer, supabase.jwt_audience
    )
    for bearer in (
        minter.mint(token.token_hash),
        session_jwt(supabase, org.admin, role="service_role"),
        session_jwt(supabase, org.admin, role="anon"),
        session_jwt(supabase, org.admin, iss="https://elsewhere/auth/v1"),
        session_jwt(supabase, org.admin, aud="elsewhere"),
        jwt.encode(jwt_claims(session_jwt(supabase, org.admin)), "another-secret-of-32-characters!", "HS256"),
        supabase.secret_key,
        supabase.publishable_key,
    ):
        assert Caller(http, bearer).refusal("auth/context") == (401, "invalid_token")


def test_nobody_is_let_in_nowhere(nobody: Caller) -> None:
    for path in ("auth/context", "companies/list", "pipeline-runs/export", "submissions/upload"):
        assert nobody.refusal(path) == (401, "missing_credential")


def test_a_session_of_supabase_auth_itself_is_accepted(
    supabase: StackEnvironment, http: httpx.Client, org: Org, connection: psycopg.Connection
) -> None:
    """Signs up and in through Auth, as a frontend does."""
    credentials = {"email": f"ada-{time.time_ns()}@example.com", "password": "a long enough password"}
    auth = f"{supabase.supabase_url}/auth/v1"
    headers = {"apikey": supabase.publishable_key}
    signed_up = http.post(f"{auth}/signup", json=credentials, headers=headers)
    assert signed_up.is_success, signed_up.text
    signed_in = http.post(f"{auth}/token?grant_type=password", json=credentials, headers=headers).json()
    ada = Caller(http, signed_in["access_token"])
    assert ada.refusal("auth/context") == (403, "identity_not_registered")
    connection.execute(
        "insert into public.users (id, identity_id, org_id, company_id, email, role) "
        "values (%s, %s, %s, %s, %s, 'member')",
        (signed_in["user"]["id"], signed_in["user"]["id"], org.id, org.first.id, credentials["email"]),
    )
    assert ada.data("auth/context")["user_id"] == signed_in["user"]["id"]


def jwt_claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims
