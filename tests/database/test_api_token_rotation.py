"""Rotation: a successor takes over, and both tokens are valid for a grace time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg import errors

from api.auth.api_token import ApiToken, generate_api_token
from tests.database.test_api_tokens import create
from tests.support.sql_client import Client, Connection, anonymous, denied, refused, signed_in, with_token
from tests.support.tenants import Org, Tenants, Token, User, create_token, create_user

DAY = 86_400
WEEK = 7 * DAY
INSERT = """
    insert into public.api_tokens (company_id, name, token_hash, prefix, role, replaces)
    values (%(company_id)s, 'mine', %(hash)s, %(prefix)s, %(role)s, %(replaces)s)
"""
END = "update public.api_tokens set expires_at = now() + %(left)s::interval where id = %(id)s"


def rotate(client: Client, token_id: str, generated: ApiToken | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    generated = generated or generate_api_token()
    rotated: dict[str, Any] = client.call(
        "rotate_api_token",
        api_token_id=token_id,
        token_hash=generated.token_hash,
        prefix=generated.prefix,
        **more,
    )
    return rotated


def of(token_id: str, user: User, generated: ApiToken) -> Token:
    return Token(token_id, user, user.role, user.company_id, generated.token_hash, generated.secret)


def seconds_left(postgres: Client, token_id: str) -> int | None:
    statement = "select extract(epoch from expires_at - now())::int from public.api_tokens where id = %(id)s"
    left: int | None = postgres.value(statement, {"id": token_id})
    return left


def row(postgres: Client, token_id: str) -> Any:  # noqa: ANN401 (JSON)
    return postgres.value("select to_jsonb(t) from public.api_tokens t where id = %(id)s", {"id": token_id})


def test_a_successor_has_the_name_role_and_company_and_acts_for_its_creator(
    connection: Connection, org: Org
) -> None:
    old = create_token(connection, org.first.member)
    generated = generate_api_token()
    new = rotate(signed_in(connection, org.first.company_admin), old.id, generated)
    assert (new["name"], new["role"], new["company_id"]) == ("integration", "member", org.first.id)
    assert (new["user_id"], new["prefix"]) == (org.first.company_admin.id, generated.prefix)
    assert (new["replaces"], new["replaced"]["id"], new["replaced"]["replaces"]) == (old.id, old.id, None)
    assert new["expires_at"] is None
    assert new["revoked_at"] is None
    assert "token_hash" not in new.keys() | new["replaced"].keys()
    for token in (old, of(new["id"], org.first.member, generated)):
        assert with_token(connection, token).call("auth_context")["company_id"] == org.first.id


@pytest.mark.parametrize(
    ("lives", "grace", "left"),
    [
        (None, None, DAY),
        (None, 60, 60),
        (None, WEEK, WEEK),
        (2 * WEEK, 60, 60),
        (30, 60, 30),
        (30, 0, 0),
    ],
)
def test_the_old_token_ends_after_the_grace_time_or_at_its_own_expiry(
    connection: Connection, postgres: Client, org: Org, lives: int | None, grace: int | None, left: int
) -> None:
    old = create_token(connection, org.admin)
    if lives is not None:
        postgres.change(END, {"id": old.id, "left": f"{lives} seconds"})
    more: dict[str, Any] = {} if grace is None else {"grace_seconds": grace}
    replaced = rotate(signed_in(connection, org.admin), old.id, **more)["replaced"]
    assert seconds_left(postgres, old.id) == left
    assert replaced["expires_at"]


def test_the_old_token_ends_at_once_without_a_grace_time(connection: Connection, org: Org) -> None:
    old, generated = create_token(connection, org.admin), generate_api_token()
    new = rotate(signed_in(connection, org.admin), old.id, generated, grace_seconds=0)
    with refused(401, "api_token_expired"):
        with_token(connection, old).call("auth_context")
    assert with_token(connection, of(new["id"], org.admin, generated)).call("auth_context")


def aged_token(postgres: Client, user: User, age: str, expires_at: str) -> str:
    """The id of a token of this age."""
    statement = f"""
        insert into public.api_tokens
            (org_id, user_id, name, token_hash, prefix, role, created_at, expires_at)
        values
            (%(org)s, %(user)s, 'aged', %(hash)s, 'dex_12345678', 'org_admin', now() - %(age)s::interval,
            {expires_at})
        returning id
    """
    values = {"org": user.org_id, "user": user.id, "hash": generate_api_token().token_hash, "age": age}
    return str(postgres.value(statement, values))


@pytest.mark.parametrize(("age", "left", "expected"), [("0 days", "1 day", 1), ("1 day", "10 days", 11)])
def test_a_successor_lives_as_long_as_the_old_token_was_meant_to(
    connection: Connection, postgres: Client, org: Org, age: str, left: str, expected: int
) -> None:
    old = aged_token(postgres, org.admin, age, f"now() + interval '{left}'")
    new = rotate(signed_in(connection, org.admin), old)
    assert seconds_left(postgres, new["id"]) == expected * DAY


def test_a_token_that_hardly_ever_ends_can_be_rotated(
    connection: Connection, postgres: Client, org: Org
) -> None:
    old = aged_token(postgres, org.admin, "30 days", "'9999-12-30T00:00:00Z'")
    assert rotate(signed_in(connection, org.admin), old)["expires_at"].startswith("9999-12-31")


def test_an_admin_rotates_the_token_of_somebody_who_has_left(
    connection: Connection, postgres: Client, org: Org
) -> None:
    user = org.first.company_admin
    old, generated = create_token(connection, user), generate_api_token()
    postgres.change("update public.users set deactivated_at = now() where id = %(id)s", {"id": user.id})
    new = rotate(signed_in(connection, org.admin), old.id, generated)
    with refused(403, "user_deactivated"):
        with_token(connection, old).call("auth_context")
    context = with_token(connection, of(new["id"], user, generated)).call("auth_context")
    assert (context["user_id"], context["role"], context["company_id"]) == (
        org.admin.id,
        "company_admin",
        org.first.id,
    )


def test_a_successor_may_have_an_expiry_of_its_own(
    connection: Connection, postgres: Client, org: Org
) -> None:
    admin = signed_in(connection, org.admin)
    old = create_token(connection, org.admin, expires_at=datetime.now(UTC) + timedelta(days=1))
    new = rotate(admin, old.id, expires_at=datetime.now(UTC) + timedelta(days=400))
    assert datetime.fromisoformat(new["expires_at"]) > datetime.now(UTC) + timedelta(days=399)
    with refused(422, "invalid_request"):
        rotate(admin, new["id"], expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert row(postgres, new["id"])["expires_at"] == new["expires_at"]


@pytest.mark.parametrize("lives", [None, timedelta(days=1)])
@pytest.mark.parametrize("grace", [-1, WEEK + 1, None])
def test_a_grace_time_is_at_most_a_week(
    connection: Connection, postgres: Client, org: Org, grace: int | None, lives: timedelta | None
) -> None:
    old = create_token(connection, org.admin, expires_at=datetime.now(UTC) + lives if lives else None)
    before = row(postgres, old.id)
    with refused(422, "invalid_request"):
        rotate(signed_in(connection, org.admin), old.id, grace_seconds=grace)
    assert row(postgres, old.id) == before


def test_a_token_that_has_ended_is_not_rotated(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    past = datetime.now(UTC) - timedelta(seconds=1)
    rotated = create_token(connection, org.admin).id
    rotate(admin, rotated)
    ended_now = create_token(connection, org.admin).id
    admin.change(END, {"id": ended_now, "left": "0 seconds"})
    for token_id in (
        create_token(connection, org.admin, revoked_at=past).id,
        create_token(connection, org.admin, expires_at=past).id,
        ended_now,
        rotated,
    ):
        with refused(409, "api_token_inactive"):
            rotate(admin, token_id)


def test_a_successor_can_itself_be_rotated(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    first = create_token(connection, org.admin).id
    second = rotate(admin, first)["id"]
    assert rotate(admin, second)["replaces"] == second


def test_nobody_rotates_a_token_out_of_their_sight(
    connection: Connection, postgres: Client, tenants: Tenants
) -> None:
    org = tenants.org
    of_first = create_token(connection, org.first.company_admin).id
    of_admin = create_token(connection, org.admin).id
    before = row(postgres, of_first), row(postgres, of_admin)
    company_admin = signed_in(connection, org.first.company_admin)
    for client, token_id in (
        (signed_in(connection, tenants.other.admin), of_first),
        (signed_in(connection, org.second.company_admin), of_first),
        (signed_in(connection, org.first.other_member), of_first),
        (company_admin, of_admin),
        (company_admin, str(uuid4())),
    ):
        with refused(404, "api_token_not_found"):
            rotate(client, token_id)
    assert (row(postgres, of_first), row(postgres, of_admin)) == before


def test_a_member_does_not_rotate_its_own_token(connection: Connection, postgres: Client, org: Org) -> None:
    own = create_token(connection, org.first.member)
    before = row(postgres, own.id)
    with refused(403, "forbidden"):
        rotate(signed_in(connection, org.first.member), own.id)
    assert row(postgres, own.id) == before


def test_a_token_rotates_neither_another_nor_itself(
    connection: Connection, postgres: Client, org: Org
) -> None:
    token = create_token(connection, org.admin)
    before = row(postgres, token.id)
    for target in (token.id, create_token(connection, org.first.member).id):
        with refused(403, "forbidden"):
            rotate(with_token(connection, token), target)
    assert row(postgres, token.id) == before


def test_a_demoted_admin_does_not_rotate_a_token_above_its_role(
    connection: Connection, postgres: Client, org: Org
) -> None:
    user = create_user(connection, org.id, "org_admin")
    own, of_company = create_token(connection, user), create_token(connection, org.first.company_admin)
    postgres.change(
        "update public.users set role = 'company_admin', company_id = %(company)s where id = %(id)s",
        {"company": org.first.id, "id": user.id},
    )
    with refused(403, "forbidden"):
        rotate(signed_in(connection, user), own.id)
    assert rotate(signed_in(connection, user), of_company.id)["role"] == "company_admin"


def test_nobody_without_an_identity_rotates(connection: Connection, postgres: Client, org: Org) -> None:
    token = create_token(connection, org.admin)
    with denied():
        rotate(anonymous(connection), token.id)
    with refused(401, "missing_credential"):
        rotate(Client(connection, "authenticated", "{}"), token.id)
    create_user(connection, org.id, "org_admin")  # the last org_admin cannot leave
    postgres.change("update public.users set deactivated_at = now() where id = %(id)s", {"id": org.admin.id})
    with refused(403, "user_deactivated"):
        rotate(signed_in(connection, org.admin), token.id)


def test_a_successor_must_have_a_hash_of_its_own(connection: Connection, postgres: Client, org: Org) -> None:
    admin, generated = signed_in(connection, org.admin), generate_api_token()
    token_id = create(admin, token_hash=generated.token_hash)["id"]
    before = row(postgres, token_id)
    with pytest.raises(errors.UniqueViolation):
        rotate(admin, token_id, generated)
    assert row(postgres, token_id) == before


def insert(client: Client, like: Token, **changes: str | None) -> int:
    generated = generate_api_token()
    values = {"company_id": like.company_id, "role": like.role, "replaces": like.id} | changes
    return client.change(INSERT, {"hash": generated.token_hash, "prefix": generated.prefix, **values})


def test_a_successor_that_is_written_directly_keeps_the_same_rules(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    old = create_token(connection, org.first.company_admin)
    for left in ("8 days", None):
        with refused(422, "invalid_request"):
            insert(admin, old)
        if left:
            admin.change(END, {"id": old.id, "left": left})
    admin.change(END, {"id": old.id, "left": "7 days"})
    with refused(422, "invalid_request"):
        insert(admin, old, role="member")
    with refused(422, "invalid_request"):
        insert(admin, old, company_id=org.second.id)
    assert insert(admin, old) == 1
    with refused(409, "api_token_inactive"):
        insert(admin, old)
    for ended in (
        create_token(connection, org.admin, expires_at=datetime.now(UTC) - timedelta(hours=1)),
        create_token(connection, org.admin, revoked_at=datetime.now(UTC)),
    ):
        with refused(409, "api_token_inactive"):
            insert(admin, ended)


def test_nobody_writes_a_successor_of_a_token_that_they_may_not_end(
    connection: Connection, tenants: Tenants
) -> None:
    org, soon = tenants.org, datetime.now(UTC) + timedelta(days=1)
    of_first = create_token(connection, org.first.member, expires_at=soon)
    for client in (
        signed_in(connection, org.first.member),
        signed_in(connection, org.second.company_admin),
        signed_in(connection, tenants.other.admin),
    ):
        with refused(404, "api_token_not_found"):
            insert(client, of_first)
    with denied():
        insert(with_token(connection, create_token(connection, org.admin)), of_first)


def insert_as_owner(postgres: Client, user: User, replaces: Token) -> int:
    statement = """
        insert into public.api_tokens (org_id, user_id, name, token_hash, prefix, role, replaces)
        values (%(org)s, %(user)s, 'x', %(hash)s, 'dex_12345678', 'org_admin', %(replaces)s)
    """
    values = {"org": user.org_id, "user": user.id, "replaces": replaces.id}
    return postgres.change(statement, {"hash": generate_api_token().token_hash, **values})


def test_the_owner_writes_no_successor_across_orgs(
    connection: Connection, postgres: Client, tenants: Tenants
) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    theirs = create_token(connection, tenants.other.admin, expires_at=soon)
    with refused(404, "api_token_not_found"):
        insert_as_owner(postgres, tenants.org.admin, theirs)


def test_the_keys_hold_without_the_trigger(
    connection: Connection, postgres: Client, tenants: Tenants
) -> None:
    postgres.change("alter table public.api_tokens disable trigger api_tokens_check_replaced")
    ours, theirs = (create_token(connection, org.admin) for org in tenants)
    with pytest.raises(errors.ForeignKeyViolation):
        insert_as_owner(postgres, tenants.org.admin, theirs)
    assert insert_as_owner(postgres, tenants.org.admin, ours) == 1
    with pytest.raises(errors.UniqueViolation):
        insert_as_owner(postgres, tenants.org.admin, ours)


def test_a_successor_outlives_the_row_of_its_predecessor(
    connection: Connection, postgres: Client, org: Org
) -> None:
    admin = signed_in(connection, org.admin)
    old, generated = create_token(connection, org.admin), generate_api_token()
    new = rotate(admin, old.id, generated)
    with refused(409, "immutable"):
        postgres.change("update public.api_tokens set replaces = null where id = %(id)s", {"id": new["id"]})
    admin.call("revoke_api_token", api_token_id=new["id"])
    postgres.change("delete from public.api_tokens where id = %(id)s", {"id": old.id})
    assert row(postgres, new["id"])["replaces"] is None
