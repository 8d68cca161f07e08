"""A token never reaches more than its creator reaches at that moment.

The tests combine every narrowing of a token with every change of its creator, and try what the token can do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import psycopg
import pytest

from api.auth.api_token import generate_api_token
from tests.support.sql_client import Client, Connection, denied, refused, signed_in, with_token
from tests.support.tenants import Org, Role, Token, User, create_token, create_user

ROLES: tuple[Role, ...] = ("member", "company_admin", "org_admin")
STATUS = {"user_deactivated": 403, "org_disabled": 403, "forbidden": 403}
INSERT = """
    insert into public.api_tokens (company_id, name, token_hash, prefix, role)
    values (%(company_id)s, 'mine', %(hash)s, 'dex_12345678', %(role)s)
"""


@dataclass(frozen=True)
class Standing:
    """A role and its company: `first`, `second`, or None for all."""

    role: Role
    company: str | None

    def __str__(self) -> str:
        return f"{self.role} of {self.company or 'all'}"


ORG_ADMIN = Standing("org_admin", None)
STANDINGS = [ORG_ADMIN, *(Standing(role, company) for role in ROLES[:2] for company in ("first", "second"))]


def within(inner: Standing, outer: Standing) -> bool:
    return ROLES.index(inner.role) <= ROLES.index(outer.role) and outer.company in (None, inner.company)


# The standing of a creator, and of a token that it can make.
MADE = [(creator, token) for creator, token in product(STANDINGS, STANDINGS) if within(token, creator)]


def what_is_left(token: Standing, creator: Standing) -> Standing | None:
    """The lesser role and the common company, or None if there is no common company."""
    if token.company and creator.company and token.company != creator.company:
        return None
    role = min(token.role, creator.role, key=ROLES.index)
    return Standing(role, token.company or creator.company)


def company_id(org: Org, standing: Standing) -> str | None:
    return {None: None, "first": org.first.id, "second": org.second.id}[standing.company]


def put(postgres: Client, org: Org, user: User, standing: Standing) -> None:
    postgres.change(
        "update public.users set role = %(role)s, company_id = %(company)s where id = %(id)s",
        {"role": standing.role, "company": company_id(org, standing), "id": user.id},
    )


@pytest.fixture
def others(connection: Connection, org: Org) -> dict[str, Token]:
    """A token of each company, and one of the whole org, for the caller to see and revoke."""
    return {
        "first": create_token(connection, org.first.member),
        "second": create_token(connection, org.second.member),
        "all": create_token(connection, org.admin),
    }


def reached(client: Client, org: Org, others: dict[str, Token]) -> dict[str, object]:
    """What the caller sees and can do. Everything that it does is undone."""
    ids = {org.first.id: "first", org.second.id: "second"}
    names = {token.id: name for name, token in others.items()}
    return {
        "sees companies": {ids[row["id"]] for row in client.rows("select id::text from public.companies")},
        "sees tokens": {
            names[row["id"]]
            for row in client.rows("select id::text from public.api_tokens")
            if row["id"] in names
        },
        "creates a company": done(client, "create_company", name="x"),
        "sets a secret": done(client, "set_secret", name="x", value="y"),
        "revokes tokens": {
            name for name, token in others.items() if done(client, "revoke_api_token", api_token_id=token.id)
        },
    }


def done(client: Client, function: str, **arguments: Any) -> bool:  # noqa: ANN401
    """Returns whether the call is allowed."""
    try:
        with client.connection.transaction(force_rollback=True):
            client.call(function, **arguments)
    except psycopg.Error as error:
        if error.sqlstate not in {"PT403", "PT404", "42501"}:
            raise
        return False
    return True


def expected(standing: Standing) -> dict[str, object]:
    org_wide = standing.role == "org_admin"
    companies = {standing.company} if standing.company else {"first", "second"}
    tokens = (
        {"first", "second", "all"} if org_wide else companies if standing.role == "company_admin" else set()
    )
    return {
        "sees companies": companies,
        "sees tokens": tokens,
        "creates a company": org_wide,
        "sets a secret": org_wide,
        "revokes tokens": tokens,
    }


@pytest.mark.parametrize("now", STANDINGS, ids=str)
@pytest.mark.parametrize(("creator", "token"), MADE, ids=str)
def test_a_token_reaches_what_it_and_its_creator_have_in_common_now(
    connection: Connection,
    postgres: Client,
    org: Org,
    others: dict[str, Token],
    creator: Standing,
    token: Standing,
    now: Standing,
) -> None:
    user = create_user(connection, org.id, creator.role, company_id(org, creator))
    made = create_token(connection, user, role=token.role, company_id=company_id(org, token))
    client = with_token(connection, made)
    assert reached(client, org, others) == expected(token)
    put(postgres, org, user, now)
    left = what_is_left(token, now)
    if left is None:
        with refused(403, "forbidden"):
            client.call("auth_context")
        assert nothing(reached(client, org, others))
    else:
        context = client.call("auth_context")
        assert (context["role"], context["company_id"]) == (left.role, company_id(org, left))
        assert reached(client, org, others) == expected(left)
        assert within(left, now)
        assert within(left, token)
    put(postgres, org, user, creator)
    assert reached(client, org, others) == expected(token)


ENDS = {
    "user_deactivated": (
        "update public.users set deactivated_at = now() where id = %(user)s",
        "update public.users set deactivated_at = null where id = %(user)s",
    ),
    "org_disabled": (
        "update public.orgs set disabled_at = now() where id = %(org)s",
        "update public.orgs set disabled_at = null where id = %(org)s",
    ),
}


@pytest.mark.parametrize("code", ENDS)
@pytest.mark.parametrize(("creator", "token"), MADE, ids=str)
def test_a_token_reaches_nothing_while_its_creator_or_org_is_shut_out(
    connection: Connection,
    postgres: Client,
    org: Org,
    others: dict[str, Token],
    creator: Standing,
    token: Standing,
    code: str,
) -> None:
    user = create_user(connection, org.id, creator.role, company_id(org, creator))
    made = create_token(connection, user, role=token.role, company_id=company_id(org, token))
    client = with_token(connection, made)
    end, resume = ENDS[code]
    postgres.change(end, {"user": user.id, "org": org.id})
    with refused(STATUS[code], code):
        client.call("auth_context")
    assert nothing(reached(client, org, others))
    postgres.change(resume, {"user": user.id, "org": org.id})
    assert reached(client, org, others) == expected(token)


def nothing(found: dict[str, object]) -> bool:
    return not any(found.values())


def issue(client: Client, org: Org, standing: Standing) -> bool:
    """Inserts a token past the RPC. Returns whether that was allowed, and undoes it."""
    values = {"company_id": company_id(org, standing), "role": standing.role}
    try:
        with client.connection.transaction(force_rollback=True):
            return client.change(INSERT, {"hash": generate_api_token().token_hash, **values}) == 1
    except psycopg.errors.InsufficientPrivilege:
        return False


@pytest.mark.parametrize("caller", STANDINGS, ids=str)
def test_admins_issue_tokens_within_their_own_standing_and_members_none(
    connection: Connection, org: Org, caller: Standing
) -> None:
    client = signed_in(connection, create_user(connection, org.id, caller.role, company_id(org, caller)))
    issued = {str(standing) for standing in STANDINGS if issue(client, org, standing)}
    allowed = {str(standing) for standing in STANDINGS if within(standing, caller)}
    assert issued == (set() if caller.role == "member" else allowed)


@pytest.mark.parametrize("now", STANDINGS, ids=str)
def test_a_demoted_or_moved_user_issues_only_tokens_within_its_new_standing(
    connection: Connection, postgres: Client, org: Org, now: Standing
) -> None:
    user = create_user(connection, org.id, "org_admin")
    client = signed_in(connection, user)
    assert all(issue(client, org, standing) for standing in STANDINGS)
    put(postgres, org, user, now)
    issued = [standing for standing in STANDINGS if issue(client, org, standing)]
    assert all(within(standing, now) for standing in issued)
    assert bool(issued) is (now.role != "member")


def test_refused_callers_issue_and_end_no_token(
    connection: Connection, postgres: Client, org: Org, others: dict[str, Token]
) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    tokens = [
        create_token(connection, org.admin),
        create_token(connection, org.admin, expires_at=past),
        create_token(connection, org.admin, revoked_at=past),
    ]
    for client in (with_token(connection, token) for token in tokens):
        assert not any(issue(client, org, standing) for standing in STANDINGS)
    left = create_user(connection, org.id, "org_admin")
    postgres.change("update public.users set deactivated_at = now() where id = %(id)s", {"id": left.id})
    before = rows(postgres, org)
    for client in (signed_in(connection, left), *(with_token(connection, token) for token in tokens[1:])):
        assert not any(issue(client, org, standing) for standing in STANDINGS)
        for change in ("revoked_at = now()", "expires_at = now()"):
            assert client.change(f"update public.api_tokens set {change}") == 0
    assert rows(postgres, org) == before


def test_a_member_does_not_even_end_its_own_token(connection: Connection, postgres: Client, org: Org) -> None:
    own = create_token(connection, org.first.member)
    before = rows(postgres, org)
    for client in (signed_in(connection, org.first.member), with_token(connection, own)):
        for change in ("revoked_at = now()", "expires_at = now()"):
            assert client.change(f"update public.api_tokens set {change}") == 0
        with denied():
            client.change("delete from public.api_tokens")
    assert rows(postgres, org) == before


def rows(postgres: Client, org: Org) -> list[Any]:
    statement = "select to_jsonb(t) as row from public.api_tokens t where org_id = %(org)s order by id"
    return [row["row"] for row in postgres.rows(statement, {"org": org.id})]
