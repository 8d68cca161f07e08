"""Users: callers see and change those in their reach, and an org keeps an org_admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import errors

from tests.support.pipeline import create_blueprint
from tests.support.sql_client import (
    Client,
    Connection,
    anonymous,
    denied,
    owner,
    refused,
    signed_in,
    violates,
    with_token,
)
from tests.support.tenants import (
    Company,
    Org,
    Role,
    Tenants,
    User,
    create_identity,
    create_token,
    create_user,
)


def row(connection: Connection, user: User) -> dict[str, Any]:
    """The stored row of the user."""
    statement = "select to_jsonb(u) from public.users u where id = %(id)s"
    found: dict[str, Any] = owner(connection).value(statement, {"id": user.id})
    return found


CHANGES: dict[str, Callable[[Client, User], Any]] = {
    "update": lambda client, user: client.call("update_user", user_id=user.id, full_name="Changed"),
    "deactivate": lambda client, user: client.call("deactivate_user", user_id=user.id),
    "reactivate": lambda client, user: client.call("reactivate_user", user_id=user.id),
}


def seen(client: Client, **arguments: Any) -> set[str]:  # noqa: ANN401
    return {item["id"] for item in client.call("list_users", limit=200, **arguments)["items"]}


def test_callers_see_only_the_users_in_their_reach(connection: Connection, org: Org) -> None:
    everybody = {user.id for user in org.users}
    of_first = {user.id for user in org.first.users}
    assert seen(signed_in(connection, org.admin)) == everybody
    for user in org.first.users:
        assert seen(signed_in(connection, user)) == of_first
    narrowed = create_token(connection, org.admin, role="member", company_id=org.first.id)
    # The token also sees the org_admin that it acts for.
    assert seen(with_token(connection, narrowed)) == of_first | {org.admin.id}


def test_users_are_listed_by_company(connection: Connection, tenants: Tenants) -> None:
    org = tenants.org
    admin = signed_in(connection, org.admin)
    assert seen(admin, company_id=org.first.id) == {user.id for user in org.first.users}
    assert seen(admin, company_id=tenants.other.first.id) == set()
    assert seen(signed_in(connection, org.first.member), company_id=org.second.id) == set()


def test_a_user_is_found_by_those_who_see_it(connection: Connection, tenants: Tenants) -> None:
    user = tenants.org.first.member
    found = signed_in(connection, tenants.org.admin).call("get_user", user_id=user.id)
    assert found == row(connection, user)
    assert (found["email"], found["role"], found["company_id"]) == (user.email, "member", user.company_id)
    for stranger in (tenants.other.admin, tenants.org.second.company_admin):
        with refused(404, "user_not_found"):
            signed_in(connection, stranger).call("get_user", user_id=user.id)


def test_an_org_admin_changes_role_company_and_name(connection: Connection, org: Org) -> None:
    admin, user = signed_in(connection, org.admin), org.first.member
    promoted = admin.call("update_user", user_id=user.id, role="company_admin", full_name="  Ada  ")
    assert (promoted["role"], promoted["company_id"]) == ("company_admin", org.first.id)
    assert promoted["full_name"] == "Ada"
    moved = admin.call("update_user", user_id=user.id, company_id=org.second.id)
    assert (moved["role"], moved["company_id"]) == ("company_admin", org.second.id)
    risen = admin.call("update_user", user_id=user.id, role="org_admin")
    assert (risen["role"], risen["company_id"], risen["full_name"]) == ("org_admin", None, "Ada")
    back = admin.call("update_user", user_id=user.id, role="member", company_id=org.first.id)
    assert back == row(connection, user)
    assert (back["role"], back["company_id"]) == ("member", org.first.id)


@pytest.mark.parametrize(
    ("role", "names_company"), [("org_admin", True), ("member", False), ("company_admin", False)]
)
def test_a_user_has_a_company_unless_it_is_an_org_admin(
    connection: Connection, org: Org, role: Role, names_company: bool
) -> None:
    user = create_user(connection, org.id, "org_admin")
    company = {"company_id": org.first.id} if names_company else {}
    with refused(422, "invalid_request"):
        signed_in(connection, org.admin).call("update_user", user_id=user.id, role=role, **company)
    assert row(connection, user)["role"] == "org_admin"


def test_a_company_admin_changes_users_of_its_company_up_to_its_own_role(
    connection: Connection, org: Org
) -> None:
    company_admin, user = signed_in(connection, org.first.company_admin), org.first.member
    assert company_admin.call("update_user", user_id=user.id, role="company_admin")["role"] == "company_admin"
    assert company_admin.call("update_user", user_id=user.id, role="member")["role"] == "member"
    assert company_admin.call("deactivate_user", user_id=user.id)["deactivated_at"]
    assert company_admin.call("reactivate_user", user_id=user.id)["deactivated_at"] is None
    before = row(connection, user)
    with refused(403, "forbidden"):
        company_admin.call("update_user", user_id=user.id, role="org_admin")
    with refused(404, "company_not_found"):
        company_admin.call("update_user", user_id=user.id, company_id=org.second.id)
    assert row(connection, user) == before


@pytest.mark.parametrize("change", CHANGES)
def test_a_company_admin_finds_nobody_of_another_company_nor_an_org_admin(
    connection: Connection, org: Org, change: str
) -> None:
    for user in (org.second.member, org.second.company_admin, org.admin):
        before = row(connection, user)
        with refused(404, "user_not_found"):
            CHANGES[change](signed_in(connection, org.first.company_admin), user)
        assert row(connection, user) == before


@pytest.mark.parametrize("change", CHANGES)
def test_nobody_changes_users_of_another_org(connection: Connection, tenants: Tenants, change: str) -> None:
    before = row(connection, tenants.org.first.member)
    with refused(404, "user_not_found"):
        CHANGES[change](signed_in(connection, tenants.other.admin), tenants.org.first.member)
    assert row(connection, tenants.org.first.member) == before


@pytest.mark.parametrize("change", CHANGES)
def test_members_and_tokens_change_nobody_not_even_themselves(
    connection: Connection, org: Org, change: str
) -> None:
    user = org.first.member
    before = row(connection, user)
    tokens = [create_token(connection, creator) for creator in (org.admin, org.first.company_admin)]
    members = [signed_in(connection, member) for member in (user, org.first.other_member)]
    for client in (*members, *(with_token(connection, token) for token in tokens)):
        with refused(403, "forbidden"):
            CHANGES[change](client, user)
    assert row(connection, user) == before


@pytest.mark.parametrize("change", CHANGES)
def test_a_refused_caller_changes_nobody(
    connection: Connection, postgres: Client, org: Org, change: str
) -> None:
    leaver = create_user(connection, org.id, "org_admin")
    postgres.change("update public.users set deactivated_at = now() where id = %(id)s", {"id": leaver.id})
    with refused(403, "user_deactivated"):
        CHANGES[change](signed_in(connection, leaver), org.first.member)
    with refused(403, "identity_not_registered"):
        CHANGES[change](signed_in(connection, create_identity(connection, org.id)), org.first.member)
    with denied():
        CHANGES[change](anonymous(connection), org.first.member)


def assign(client: Client, user: User, assignment: str) -> int:
    """Updates the user past the RPCs. Returns how many rows changed."""
    return client.change(f"update public.users set {assignment} where id = %(id)s", {"id": user.id})


def test_the_same_rules_hold_for_direct_updates(connection: Connection, org: Org) -> None:
    company_admin, user = signed_in(connection, org.first.company_admin), org.first.member
    assert assign(company_admin, user, "role = 'company_admin'") == 1
    assert assign(company_admin, user, "full_name = 'Ada'") == 1
    with denied():
        assign(company_admin, user, "role = 'org_admin', company_id = null")
    with denied():
        assign(company_admin, user, f"company_id = '{org.second.id}'")
    before = {each.id: row(connection, each) for each in org.users}
    token = with_token(connection, create_token(connection, org.admin))
    for client in (signed_in(connection, org.first.other_member), token):
        for each in org.users:
            assert assign(client, each, "full_name = 'x'") == 0
    for outside in (org.admin, org.second.member):
        assert assign(company_admin, outside, "deactivated_at = now()") == 0
    assert {each.id: row(connection, each) for each in org.users} == before


def test_an_update_without_a_condition_changes_only_the_users_in_reach(
    connection: Connection, org: Org
) -> None:
    """Postgres does not apply the select policies to such an update."""
    company_admin, admin = signed_in(connection, org.first.company_admin), signed_in(connection, org.admin)
    statement = "update public.users set full_name = 'x'"
    assert company_admin.change(statement) == len(org.first.users)
    assert admin.change(statement) == len(org.users)
    for assignment in (f"company_id = '{org.second.id}'", "role = 'org_admin', company_id = null"):
        with denied():
            company_admin.change(f"update public.users set {assignment}")


@pytest.mark.parametrize(
    "assignment", ["id = gen_random_uuid()", "org_id = id", "email = 'x@y.z'", "created_at = now()"]
)
def test_no_client_writes_the_mirrored_columns(connection: Connection, org: Org, assignment: str) -> None:
    with denied():
        assign(signed_in(connection, org.admin), org.first.member, assignment)


@pytest.mark.parametrize("assignment", ["id = gen_random_uuid()", "created_at = '2001-01-01'"])
def test_id_org_and_origin_of_a_user_never_change(postgres: Client, org: Org, assignment: str) -> None:
    with refused(409, "immutable"):
        assign(postgres, org.first.member, assignment)


def test_nobody_picks_the_time_of_deactivating(
    connection: Connection, postgres: Client, company: Company
) -> None:
    company_admin, user = signed_in(connection, company.company_admin), company.member
    assign(company_admin, user, "deactivated_at = '2099-01-01'")
    statement = "select deactivated_at = now() from public.users where id = %(id)s"
    for client in (company_admin, postgres):
        assert postgres.value(statement, {"id": user.id}) is True
        assign(client, user, "deactivated_at = '2001-01-01'")
    assert postgres.value(statement, {"id": user.id}) is True


def test_deactivating_and_reactivating_can_be_repeated(connection: Connection, org: Org) -> None:
    admin, user = signed_in(connection, org.admin), org.first.member
    deactivated = admin.call("deactivate_user", user_id=user.id)
    assert admin.call("deactivate_user", user_id=user.id) == deactivated
    with refused(403, "user_deactivated"):
        signed_in(connection, user).call("auth_context")
    reactivated = admin.call("reactivate_user", user_id=user.id)
    assert admin.call("reactivate_user", user_id=user.id) == reactivated
    assert signed_in(connection, user).call("auth_context")["user_id"] == user.id


def test_admins_may_step_down_and_see_that_they_did(connection: Connection, org: Org) -> None:
    company_admin = signed_in(connection, org.first.company_admin)
    stepped = company_admin.call("update_user", user_id=org.first.company_admin.id, role="member")
    assert stepped["role"] == "member"
    another = create_user(connection, org.id, "org_admin")
    left = signed_in(connection, another).call("deactivate_user", user_id=another.id)
    assert left["deactivated_at"]


LOSSES = {
    "demoting": "update public.users set role = 'member', company_id = %(company)s where id = %(id)s",
    "deactivating": "update public.users set deactivated_at = now() where id = %(id)s",
    "deleting": "delete from public.users where id = %(id)s",
    "demoting all": "update public.users set role = 'member', company_id = %(company)s "
    "where org_id = %(org)s and role = 'org_admin'",
    "deleting all": "delete from public.users where org_id = %(org)s and role = 'org_admin'",
}


@pytest.mark.parametrize("loss", LOSSES)
def test_nobody_takes_the_last_active_org_admin_from_an_org(
    connection: Connection, postgres: Client, org: Org, loss: str
) -> None:
    ids = {"id": org.admin.id, "company": org.first.id, "org": org.id}
    former = create_user(connection, org.id, "org_admin")
    assign(postgres, former, "deactivated_at = now()")
    with refused(409, "last_org_admin"):
        postgres.change(LOSSES[loss], ids)
    if not loss.startswith("deleting"):
        with refused(409, "last_org_admin"):
            signed_in(connection, org.admin).change(LOSSES[loss], ids)
    assert row(connection, org.admin)["role"] == "org_admin"
    if not loss.endswith("all"):
        create_user(connection, org.id, "org_admin")
        assert postgres.change(LOSSES[loss], ids) == 1


def test_the_rpcs_keep_the_last_org_admin_too(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    with refused(409, "last_org_admin"):
        admin.call("deactivate_user", user_id=org.admin.id)
    with refused(409, "last_org_admin"):
        admin.call("update_user", user_id=org.admin.id, role="member", company_id=org.first.id)
    assert admin.call("update_user", user_id=org.admin.id, full_name="Ada")["full_name"] == "Ada"


def test_a_user_with_history_cannot_be_deleted(connection: Connection, postgres: Client, org: Org) -> None:
    author, nobody = (create_user(connection, org.id, "org_admin") for _ in range(2))
    client = signed_in(connection, author)
    client.call("create_invitation", email="somebody@example.com", role="org_admin")
    with violates(errors.ForeignKeyViolation):
        postgres.change("delete from public.users where id = %(id)s", {"id": author.id})
    with violates(errors.ForeignKeyViolation):
        postgres.change("delete from auth.users where id = %(id)s", {"id": nobody.id})
    assert postgres.change("delete from public.users where id = %(id)s", {"id": nobody.id}) == 1


def test_a_demoted_admin_stays_the_creator_of_its_blueprint(
    connection: Connection, worker: Client, org: Org
) -> None:
    author = create_user(connection, org.id, "org_admin")
    blueprint = create_blueprint(signed_in(connection, author))
    admin = signed_in(connection, org.admin)
    admin.call("update_user", user_id=author.id, role="member", company_id=org.first.id)
    assert admin.call("get_blueprint", blueprint_id=blueprint["id"])["created_by"] == author.id
