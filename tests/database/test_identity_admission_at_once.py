"""Two calls at once: one of two admissions counts, and one of two leaving org_admins stays.

These tests commit in an org of their own, and wait until the second call meets a lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.database.overlap import overlap
from tests.support.sql_client import Connection, connect, owner, refused, signed_in
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org, User, create_identity, create_org, create_user


@pytest.fixture
def org(supabase: StackEnvironment) -> Iterator[Org]:
    with connect(supabase) as connection:
        yield create_org(connection, "at-once")


def invite(connection: Connection, org: Org, email: str) -> str:
    admin = signed_in(connection, org.admin)
    return str(admin.call("create_invitation", email=email, role="org_admin")["id"])


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("first_fails", [True, False])
def test_one_of_two_accepts_at_once_creates_the_user(
    first: Connection, second: Connection, org: Org, named: bool, first_fails: bool
) -> None:
    identity = create_identity(first, org.id)
    arguments = {"invitation_id": invite(first, org, identity.email)} if named else {}
    if not named:
        invite(first, org, identity.email)
    accepted, repeated = overlap(
        first,
        lambda: signed_in(first, identity).call("accept_invitation", **arguments),
        second,
        lambda: signed_in(second, identity).call("accept_invitation", **arguments),
        roll_back=first_fails,
    )
    assert accepted == repeated.result()
    users = "select count(*) from public.users where id = %(id)s"
    assert owner(first).value(users, {"id": identity.id}) == 1


def test_an_invitation_that_is_revoked_meanwhile_admits_nobody(
    first: Connection, second: Connection, org: Org
) -> None:
    identity = create_identity(first, org.id)
    invited = invite(first, org, identity.email)
    _, late = overlap(
        first,
        lambda: signed_in(first, org.admin).call("revoke_invitation", invitation_id=invited),
        second,
        lambda: signed_in(second, identity).call("accept_invitation"),
    )
    with refused(404, "invitation_not_found"):
        late.result()


def test_one_of_two_invitations_of_an_email_at_once_is_created(
    first: Connection, second: Connection, org: Org
) -> None:
    email = f"{uuid4()}@example.com"
    made, late = overlap(first, lambda: invite(first, org, email), second, lambda: invite(second, org, email))
    with refused(409, "conflict", {"invitation_id": made}):
        late.result()


@pytest.mark.parametrize("first_fails", [True, False])
@pytest.mark.parametrize("loss", ["role = 'member', company_id = %(company)s", "deactivated_at = now()"])
def test_one_of_two_org_admins_who_leave_at_once_stays(
    first: Connection, second: Connection, org: Org, loss: str, first_fails: bool
) -> None:
    other = create_user(first, org.id, "org_admin")

    def lose(connection: Connection, admin: User, user: User) -> int:
        return signed_in(connection, admin).change(
            f"update public.users set {loss} where id = %(id)s", {"company": org.first.id, "id": user.id}
        )

    lost, late = overlap(
        first,
        lambda: lose(first, org.admin, other),
        second,
        lambda: lose(second, other, org.admin),
        roll_back=first_fails,
    )
    assert lost == 1
    if first_fails:
        assert late.result() == 1
    else:
        with refused(409, "last_org_admin"):
            late.result()


def test_leaving_and_accepting_at_once_makes_one_user(
    first: Connection, second: Connection, org: Org
) -> None:
    create_user(first, org.id, "org_admin")
    user = create_user(first, org.id, "org_admin")
    _, late = overlap(
        first,
        lambda: signed_in(first, user).call("leave_org"),
        second,
        lambda: signed_in(second, user).call("leave_org"),
    )
    with refused(403, "identity_not_registered"):
        late.result()
