"""An identity becomes a user by an invitation for its verified e-mail, and by nothing else."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.support.sql_client import Client, Connection, anonymous, denied, refused, signed_in, with_token
from tests.support.tenants import Org, Tenants, User, create_identity, create_org, create_token, create_user


@pytest.fixture
def email() -> str:
    return f"grace-{uuid4()}@example.com"


def invite(client: Client, email: str, **arguments: Any) -> str:  # noqa: ANN401
    """The id of a new invitation. The role is org_admin by default."""
    return str(client.call("create_invitation", **{"email": email, "role": "org_admin"} | arguments)["id"])


def sign_up(connection: Connection, email: str, *, confirmed: bool = True) -> User:
    return create_identity(connection, "", email=email, confirmed=confirmed)


def confirm(postgres: Client, identity: User) -> None:
    statement = "update auth.users set email_confirmed_at = now() where id = %(id)s"
    assert postgres.change(statement, {"id": identity.id}) == 1


def accept(connection: Connection, identity: User, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
    context: dict[str, Any] = signed_in(connection, identity).call("accept_invitation", **arguments)
    return context


def join(connection: Connection, email: str) -> User:
    """Signs up with the e-mail, and accepts its one invitation."""
    identity = sign_up(connection, email)
    accept(connection, identity)
    return identity


def membership(postgres: Client, identity: User) -> tuple[str, str | None, str] | None:
    """Org, company and role of the identity's user, if there is one."""
    found = postgres.rows(
        "select org_id::text, company_id::text, role::text from public.users where id = %(id)s",
        {"id": identity.id},
    )
    return (found[0]["org_id"], found[0]["company_id"], found[0]["role"]) if found else None


def invitation(postgres: Client, invitation_id: str) -> dict[str, Any]:
    statement = "select private.show_invitation(i) from public.invitations i where id = %(id)s"
    found: dict[str, Any] = postgres.value(statement, {"id": invitation_id})
    return found


def test_signing_up_with_an_invited_email_makes_nobody_a_user(
    connection: Connection, postgres: Client, org: Org, email: str
) -> None:
    """Somebody who invites a stranger's address does not own the identity that signs up with it."""
    invited = invite(signed_in(connection, org.admin), email)
    for identity in (sign_up(connection, email), sign_up(connection, f"x{email}", confirmed=False)):
        postgres.change(
            "update auth.users set email_confirmed_at = now(), email = %(e)s where id = %(id)s",
            {"e": f"{identity.id}{email}", "id": identity.id},
        )
        assert membership(postgres, identity) is None
    assert invitation(postgres, invited)["status"] == "open"


def test_accepting_makes_the_identity_a_user_by_its_invitation(
    connection: Connection, postgres: Client, org: Org, email: str
) -> None:
    invited = invite(
        signed_in(connection, org.admin), email, role="member", company_id=org.first.id, full_name="Grace"
    )
    identity = join(connection, email.replace("grace", "GRACE"))
    assert membership(postgres, identity) == (org.id, org.first.id, "member")
    taken = invitation(postgres, invited)
    assert (taken["status"], taken["accepted_by"]) == ("accepted", identity.id)
    user = signed_in(connection, org.admin).call("get_user", user_id=identity.id)
    assert (user["email"], user["full_name"]) == (email, "Grace")
    assert accept(connection, identity)["user_id"] == identity.id


def test_an_email_is_confirmed_before_its_invitation_is_accepted(
    connection: Connection, postgres: Client, org: Org, email: str
) -> None:
    invite(signed_in(connection, org.admin), email)
    identity = sign_up(connection, email, confirmed=False)
    with refused(403, "email_not_confirmed"):
        accept(connection, identity)
    confirm(postgres, identity)
    accept(connection, identity)
    assert membership(postgres, identity) == (org.id, None, "org_admin")


@pytest.mark.parametrize("letter", ["\u212a", "\uff2b"])
def test_no_other_letter_counts_as_an_ascii_one(
    connection: Connection, postgres: Client, org: Org, letter: str
) -> None:
    """The Kelvin sign becomes a k in lower case."""
    email = f"kay-{uuid4()}@example.com"
    look_alike = letter + email[1:]
    invited = invite(signed_in(connection, org.admin), email)
    with refused(404, "invitation_not_found"):
        accept(connection, sign_up(connection, look_alike))
    with pytest.raises(psycopg.errors.CheckViolation):
        invite(signed_in(connection, org.admin), look_alike)
    assert invitation(postgres, invited)["status"] == "open"


def test_an_identity_older_than_its_invitation_accepts(
    connection: Connection, postgres: Client, org: Org, email: str
) -> None:
    identity = sign_up(connection, email)
    with refused(403, "identity_not_registered"):
        signed_in(connection, identity).call("auth_context")
    invited = invite(signed_in(connection, org.admin), email)
    context = accept(connection, identity)
    assert context == {
        "org_id": org.id,
        "user_id": identity.id,
        "company_id": None,
        "role": "org_admin",
        "auth_method": "supabase_jwt",
    }
    assert signed_in(connection, identity).call("auth_context") == context
    # Repeating changes nothing.
    assert accept(connection, identity) == accept(connection, identity, invitation_id=invited) == context
    assert membership(postgres, identity) == (org.id, None, "org_admin")


def test_an_operators_invitation_admits_too(
    connection: Connection, postgres: Client, org: Org, email: str
) -> None:
    postgres.change(
        "insert into public.invitations (org_id, email, role) values (%(org)s, %(email)s, 'org_admin')",
        {"org": org.id, "email": email},
    )
    assert membership(postgres, join(connection, email)) == (org.id, None, "org_admin")


def test_nobody_gets_in_without_an_invitation(
    connection: Connection, postgres: Client, org: Org, email: str
) -> None:
    invite(signed_in(connection, org.admin), f"x{email}")
    identity = sign_up(connection, email)
    with refused(404, "invitation_not_found"):
        accept(connection, identity)
    assert membership(postgres, identity) is None


def test_the_email_is_read_from_auth_and_never_from_the_claims(
    connection: Connection, postgres: Client, org: Org, email: str
) -> None:
    invited = invite(signed_in(connection, org.admin), email)
    thief = sign_up(connection, f"thief-{email}")
    claims = {"email": email, "email_verified": True, "user_metadata": {"email": email}}
    client = signed_in(connection, thief, **claims)
    for arguments in ({}, {"invitation_id": invited}):
        with refused(404, "invitation_not_found"):
            client.call("accept_invitation", **arguments)
    assert invitation(postgres, invited)["status"] == "open"


def test_an_invitation_is_accepted_once(
    connection: Connection, postgres: Client, org: Org, email: str
) -> None:
    invited = invite(signed_in(connection, org.admin), email)
    join(connection, email)
    # The address goes to somebody else, for instance when the first identity gives it up.
    postgres.change(
        "update auth.users set email = %(new)s where email = %(old)s", {"new": f"x{email}", "old": email}
    )
    second = sign_up(connection, email)
    with refused(404, "invitation_not_found"):
        accept(connection, second, invitation_id=invited)
    assert membership(postgres, second) is None


@pytest.mark.parametrize(
    "assignment",
    [
        *("accepted_at = null, accepted_by = null", "accepted_by = %(admin)s", "accepted_at = '2001-01-01'"),
        *("revoked_at = now(), accepted_at = null, accepted_by = null", "role = 'member'"),
    ],
)
def test_nobody_changes_an_accepted_invitation(
    connection: Connection, postgres: Client, org: Org, email: str, assignment: str
) -> None:
    admin = signed_in(connection, org.admin)
    ids = {"id": invite(admin, email), "admin": org.admin.id}
    join(connection, email)
    with refused(409, "immutable"):
        postgres.change(f"update public.invitations set {assignment} where id = %(id)s", ids)
    with refused(409, "invalid_transition"):
        admin.call("revoke_invitation", invitation_id=ids["id"])
    with refused(409, "invalid_transition"):
        admin.call("resend_invitation", invitation_id=ids["id"])
    # The sending of its e-mail may still be noted: the person may have been quicker.
    assert admin.call("mark_invitation_sent", invitation_id=ids["id"])["status"] == "accepted"


SPOILED = {
    "revoked": "update public.invitations set revoked_at = now() where id = %(id)s",
    "expired": "update public.invitations set expires_at = now() - interval '1 second' where id = %(id)s",
    "of a disabled org": "update public.orgs set disabled_at = now() where id = %(org)s",
    "by somebody deactivated": "update public.users set deactivated_at = now() where id = %(inviter)s",
    "by somebody demoted": "update public.users set role = 'company_admin', company_id = %(first)s "
    "where id = %(inviter)s",
    "by a member by now": "update public.users set role = 'member', company_id = %(first)s "
    "where id = %(inviter)s",
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_spoiled_invitation_admits_nobody(
    connection: Connection, postgres: Client, email: str, spoiled: str
) -> None:
    org = create_org(connection)
    inviter = create_user(connection, org.id, "org_admin")
    waiting = sign_up(connection, email)
    invited = invite(signed_in(connection, inviter), email)
    ids = {"id": invited, "org": org.id, "inviter": inviter.id, "first": org.first.id}
    if spoiled == "expired":
        postgres.change("alter table public.invitations disable trigger invitations_guard")
    postgres.change(SPOILED[spoiled], ids)
    for arguments in ({}, {"invitation_id": invited}):
        with refused(404, "invitation_not_found"):
            accept(connection, waiting, **arguments)
    assert membership(postgres, waiting) is None


@pytest.mark.parametrize(
    ("role", "change", "admits"),
    [
        ("company_admin", "role = 'member'", False),
        ("member", "role = 'member'", False),
        ("member", "role = 'company_admin', company_id = %(second)s", False),
        ("company_admin", "role = 'org_admin', company_id = null", True),
        ("company_admin", "full_name = 'Ada'", True),
    ],
)
def test_a_company_admins_invitation_admits_no_further_than_the_admins_role_today(
    connection: Connection, postgres: Client, org: Org, email: str, role: str, change: str, admits: bool
) -> None:
    inviter = org.first.company_admin
    invite(signed_in(connection, inviter), email, role=role)
    postgres.change(
        f"update public.users set {change} where id = %(id)s", {"second": org.second.id, "id": inviter.id}
    )
    identity = sign_up(connection, email)
    if admits:
        accept(connection, identity)
    else:
        with refused(404, "invitation_not_found"):
            accept(connection, identity)
    assert membership(postgres, identity) == ((org.id, org.first.id, role) if admits else None)


def test_another_admin_revives_a_leavers_invitation_by_resending_it(
    connection: Connection, postgres: Client, org: Org, email: str
) -> None:
    leaver = create_user(connection, org.id, "org_admin")
    expires_at = postgres.value("select now() + interval '1 day'")
    invited = invite(signed_in(connection, leaver), email, expires_at=expires_at)
    admin = signed_in(connection, org.admin)
    admin.call("deactivate_user", user_id=leaver.id)
    identity = sign_up(connection, email)
    assert membership(postgres, identity) is None
    admin.call("resend_invitation", invitation_id=invited)
    assert accept(connection, identity)["org_id"] == org.id


def test_a_person_with_several_invitations_picks_one(
    connection: Connection, postgres: Client, tenants: Tenants, email: str
) -> None:
    invited = [
        invite(signed_in(connection, org.admin), email, role="member", company_id=org.first.id)
        for org in tenants
    ]
    identity = sign_up(connection, email)
    assert membership(postgres, identity) is None
    with pytest.raises(psycopg.Error) as caught:
        accept(connection, identity)
    assert (caught.value.sqlstate, caught.value.diag.message_hint) == ("PT409", "several_invitations")
    offered = json.loads(caught.value.diag.message_detail or "")["invitations"]
    assert sorted(offered, key=lambda item: item["org_name"]) == [
        {"invitation_id": chosen, "org_name": org.name, "role": "member"}
        for chosen, org in sorted(zip(invited, tenants, strict=True), key=lambda pair: pair[1].name)
    ]
    with refused(404, "invitation_not_found"):
        accept(connection, identity, invitation_id=str(uuid4()))
    assert accept(connection, identity, invitation_id=invited[1])["org_id"] == tenants.other.id
    assert [invitation(postgres, each)["status"] for each in invited] == ["open", "accepted"]


def test_a_user_stays_in_its_org(
    connection: Connection, postgres: Client, tenants: Tenants, email: str
) -> None:
    invite(signed_in(connection, tenants.org.admin), email)
    identity = join(connection, email)
    elsewhere = invite(signed_in(connection, tenants.other.admin), email)
    for arguments in ({}, {"invitation_id": elsewhere}):
        with refused(409, "already_registered"):
            accept(connection, identity, **arguments)
    for user in tenants.org.users:
        with refused(409, "already_registered"):
            accept(connection, user)
    assert membership(postgres, identity) == (tenants.org.id, None, "org_admin")
    assert invitation(postgres, elsewhere)["status"] == "open"


def test_a_deactivated_user_does_not_get_in_by_another_invitation(
    connection: Connection, postgres: Client, tenants: Tenants
) -> None:
    user = tenants.org.first.member
    signed_in(connection, tenants.org.admin).call("deactivate_user", user_id=user.id)
    invited = invite(signed_in(connection, tenants.other.admin), user.email)
    confirm(postgres, user)
    with refused(403, "user_deactivated"):
        accept(connection, user, invitation_id=invited)
    assert membership(postgres, user) == (tenants.org.id, tenants.org.first.id, "member")


def test_only_people_accept_invitations(connection: Connection, postgres: Client, org: Org) -> None:
    token = create_token(connection, org.admin)
    revoked = create_token(connection, org.admin, revoked_at=postgres.value("select now()"))
    with refused(403, "forbidden"):
        with_token(connection, token).call("accept_invitation")
    with refused(401, "api_token_revoked"):
        with_token(connection, revoked).call("accept_invitation")
    with refused(401, "api_token_unknown"):
        Client(connection, "authenticated", json.dumps({"api_token_hash": "0" * 64})).call(
            "accept_invitation"
        )
    with denied():
        anonymous(connection).call("accept_invitation")


@pytest.mark.parametrize("subject", ["", "somebody", "00000000-0000-4000-8000-000000000000"])
def test_a_session_without_an_identity_accepts_nothing(connection: Connection, subject: str) -> None:
    claims = json.dumps({"sub": subject, "role": "authenticated", "email": "x@example.com"})
    with refused(403, "identity_not_registered"):
        Client(connection, "authenticated", claims).call("accept_invitation")


def test_a_caller_without_claims_accepts_nothing(connection: Connection) -> None:
    with refused(401, "missing_credential"):
        Client(connection, "authenticated", "{}").call("accept_invitation")


@pytest.mark.parametrize(
    "statement",
    [
        "select private.admit_identity(%(id)s, %(email)s, %(invited)s)",
        "select private.acceptable_invitations(%(email)s)",
        "select email from auth.users",
    ],
)
def test_no_client_admits_past_the_verified_email(
    connection: Connection, org: Org, email: str, statement: str
) -> None:
    admin = signed_in(connection, org.admin)
    arguments = {"id": org.admin.id, "email": email, "invited": invite(admin, email)}
    with denied():
        admin.change(statement, arguments)


def test_a_changed_email_is_mirrored_once_it_is_confirmed(
    connection: Connection, postgres: Client, org: Org, email: str
) -> None:
    user = create_user(connection, org.id, "org_admin")
    statement = "select email from public.users where id = %(id)s"
    postgres.change("update auth.users set email_confirmed_at = null where id = %(id)s", {"id": user.id})
    change = "update auth.users set email = %(email)s where id = %(id)s"
    postgres.change(change, {"email": email.upper(), "id": user.id})
    assert postgres.value(statement, {"id": user.id}) == user.email
    confirm(postgres, user)
    assert postgres.value(statement, {"id": user.id}) == email


def test_a_mirroring_that_fails_never_breaks_a_change_of_the_identity(
    connection: Connection, postgres: Client, org: Org, email: str
) -> None:
    user = create_user(connection, org.id, "org_admin")
    notices: list[str] = []

    def remember(diagnostic: psycopg.errors.Diagnostic) -> None:
        notices.append(f"{diagnostic.severity} {diagnostic.message_primary}")

    connection.add_notice_handler(remember)
    try:
        with connection.transaction(force_rollback=True):
            postgres.change(
                "create function private.fail() returns trigger language plpgsql set search_path = '' "
                "as 'begin raise exception using errcode = ''XX000''; end';"
                "create trigger a_defect before update on public.users "
                "for each row execute function private.fail()"
            )
            change = "update auth.users set email = %(email)s where id = %(id)s"
            assert postgres.change(change, {"email": email, "id": user.id}) == 1
    finally:
        connection.remove_notice_handler(remember)
    assert any(notice.startswith(f"WARNING the new e-mail of identity {user.id}") for notice in notices)
    assert email not in str(notices)


def test_a_user_who_leaves_joins_another_org(
    connection: Connection, postgres: Client, tenants: Tenants, email: str
) -> None:
    """The first org keeps the user, which its history names; the person is a new user of the second."""
    invite(signed_in(connection, tenants.org.admin), email)
    identity = join(connection, email)
    token = create_token(connection, User(identity.id, tenants.org.id, None, "org_admin", email))
    invite(signed_in(connection, tenants.other.admin), email)
    context = signed_in(connection, identity).call("auth_context")
    assert signed_in(connection, identity).call("leave_org") == context
    with refused(403, "identity_not_registered"):
        signed_in(connection, identity).call("auth_context")
    with refused(403, "identity_not_registered"):
        signed_in(connection, identity).call("leave_org")
    with refused(403, "user_deactivated"):
        with_token(connection, token).call("auth_context")
    there = accept(connection, identity)
    assert (there["org_id"], there["user_id"] == identity.id) == (tenants.other.id, False)
    assert signed_in(connection, identity).call("auth_context") == there
    left = signed_in(connection, tenants.org.admin).call("get_user", user_id=identity.id)
    assert left["left_at"] == left["deactivated_at"]
    assert (left["left_at"] is None, left["identity_id"]) == (False, None)
    actor = postgres.rows(
        "select actor_type::text, actor_user_id::text from public.audit_log "
        "where entity = 'users' and entity_id = %(id)s and action = 'updated'",
        {"id": identity.id},
    )
    assert actor == [{"actor_type": "user", "actor_user_id": identity.id}]
    with refused(409, "invalid_transition"):
        signed_in(connection, tenants.org.admin).call("reactivate_user", user_id=identity.id)
    # The first org may invite the person again, who would be a further user there.
    assert invite(signed_in(connection, tenants.org.admin), email)


def test_a_deactivated_user_may_leave(connection: Connection, tenants: Tenants) -> None:
    user = create_user(connection, tenants.org.id, "member", tenants.org.first.id)
    signed_in(connection, tenants.org.admin).call("deactivate_user", user_id=user.id)
    assert signed_in(connection, user).call("leave_org")["user_id"] == user.id
    invite(signed_in(connection, tenants.other.admin), user.email)
    assert accept(connection, user)["org_id"] == tenants.other.id


def test_the_last_org_admin_does_not_leave(connection: Connection, tenants: Tenants) -> None:
    with refused(409, "last_org_admin"):
        signed_in(connection, tenants.org.admin).call("leave_org")


def test_a_token_leaves_no_org(connection: Connection, org: Org) -> None:
    with refused(403, "forbidden"):
        with_token(connection, create_token(connection, org.first.member)).call("leave_org")


@pytest.mark.parametrize(
    "assignment", ["identity_id = null", "left_at = now()", "identity_id = gen_random_uuid()"]
)
def test_nobody_takes_an_identity_from_its_user(postgres: Client, org: Org, assignment: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        postgres.change(f"update public.users set {assignment} where id = %(id)s", {"id": org.admin.id})
    assert caught.value.sqlstate in ("PT409", "23514")
