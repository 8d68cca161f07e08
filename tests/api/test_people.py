"""People from invitation to deactivation, with the local Supabase Auth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from supabase import create_client

from tests.api.caller import Caller, Json
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org, Tenants, Token, User, create_identity, create_token, create_user

As = Callable[[User | Token], Caller]


@pytest.fixture
def email() -> str:
    return f"grace-{uuid4()}@example.com"


@pytest.fixture
def identity(connection: psycopg.Connection, org: Org, email: str) -> User:
    """An identity that can sign in and has no invitation yet."""
    return create_identity(connection, org.id, email=email)


def invited(caller: Caller, invitation_id: str) -> Json:
    (found,) = [item for item in caller.data("invitations/list") if item["id"] == invitation_id]
    return dict(found)


def test_an_invited_person_signs_up_and_gets_in_by_accepting(
    supabase: StackEnvironment, connection: psycopg.Connection, org: Org, admin: Caller, email: str
) -> None:
    invitation_id = open_invitation(connection, org, email)
    auth = create_client(supabase.supabase_url, supabase.publishable_key).auth
    session = auth.sign_up({"email": email.upper(), "password": "correct horse battery"}).session
    assert session is not None
    person = Caller(admin.http, session.access_token)
    assert person.refusal("auth/context") == (403, "identity_not_registered")
    context = person.data("invitations/accept")
    assert (context["org_id"], context["role"], context["company_id"]) == (org.id, "member", org.first.id)
    assert invited(admin, invitation_id)["accepted_by"] == context["user_id"] == session.user.id
    assert [company["id"] for company in person.data("companies/list")] == [org.first.id]
    assert person.data("users/leave") == context
    assert person.refusal("companies/list") == (403, "identity_not_registered")


def open_invitation(connection: psycopg.Connection, org: Org, email: str) -> str:
    """An invitation by an operator, without the e-mail: the local Auth would take that for a confirmation."""
    row = connection.execute(
        "insert into public.invitations (org_id, company_id, email, role) "
        "values (%s, %s, %s, 'member') returning id::text",
        (org.id, org.first.id, email),
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_the_email_of_an_invitation_goes_out_and_its_link_signs_in(
    supabase: StackEnvironment, connection: psycopg.Connection, org: Org, admin: Caller, email: str
) -> None:
    body = {"email": email, "role": "company_admin", "company_id": org.first.id, "full_name": "Grace"}
    made = admin.data("invitations/create", body)
    assert made["sent"] is True
    assert made["sent_at"] is not None
    row = connection.execute(
        "select recovery_token from auth.users where email = %s and recovery_sent_at is not null", [email]
    ).fetchone()
    assert row is not None
    auth = create_client(supabase.supabase_url, supabase.publishable_key).auth
    session = auth.verify_otp({"token_hash": row[0], "type": "magiclink"}).session
    assert session is not None
    context = Caller(admin.http, session.access_token).data("invitations/accept")
    assert (context["role"], context["company_id"]) == ("company_admin", org.first.id)
    user = admin.data("users/get", {"user_id": context["user_id"]})
    assert (user["email"], user["full_name"]) == (email, "Grace")


def test_somebody_who_could_sign_in_before_accepts(org: Org, admin: Caller, as_: As, identity: User) -> None:
    person = as_(identity)
    assert person.refusal("auth/context") == (403, "identity_not_registered")
    assert person.refusal("invitations/accept") == (404, "invitation_not_found")
    made = admin.data("invitations/create", {"email": identity.email, "role": "org_admin"})
    assert (made["status"], made["sent"]) == ("open", True)
    context = person.data("invitations/accept")
    assert context == person.data("auth/context")
    assert (context["org_id"], context["user_id"], context["role"]) == (org.id, identity.id, "org_admin")
    assert person.data("invitations/accept", {"invitation_id": made["id"]}) == context
    assert invited(admin, made["id"])["status"] == "accepted"
    assert len(person.data("companies/list")) == 2


def test_of_several_invitations_one_is_picked(fresh: Tenants, as_: As, identity: User) -> None:
    made = [
        as_(org.admin).data("invitations/create", {"email": identity.email, "role": "org_admin"})
        for org in fresh
    ]
    error = as_(identity).post("invitations/accept").json()["error"]
    assert error["code"] == "several_invitations"
    offered = {item["invitation_id"]: item["org_name"] for item in error["details"]["invitations"]}
    assert offered == {item["id"]: org.name for item, org in zip(made, fresh, strict=True)}
    context = as_(identity).data("invitations/accept", {"invitation_id": made[1]["id"]})
    assert context["org_id"] == fresh.other.id


def test_who_does_not_get_in(
    fresh: Tenants, connection: psycopg.Connection, as_: As, nobody: Caller, identity: User
) -> None:
    elsewhere = {"email": fresh.org.first.member.email, "role": "org_admin"}
    of_other = as_(fresh.other.admin).data("invitations/create", elsewhere)
    user = as_(fresh.org.first.member)
    for body in ({}, {"invitation_id": of_other["id"]}):
        assert user.refusal("invitations/accept", body) == (409, "already_registered")
    token = as_(create_token(connection, fresh.org.admin))
    assert token.refusal("invitations/accept") == (403, "forbidden")
    assert nobody.refusal("invitations/accept") == (401, "missing_credential")
    other = as_(fresh.org.admin).data("invitations/create", {"email": "x@example.com", "role": "org_admin"})
    body = {"invitation_id": other["id"]}
    assert as_(identity).refusal("invitations/accept", body) == (404, "invitation_not_found")
    unconfirmed = create_identity(connection, "", confirmed=False)
    assert as_(unconfirmed).refusal("invitations/accept") == (403, "email_not_confirmed")


def test_an_invitation_is_resent_revoked_and_then_lets_nobody_in(
    admin: Caller, as_: As, identity: User
) -> None:
    body = {"email": identity.email, "role": "org_admin"}
    made = admin.data("invitations/create", body)
    conflict = admin.post("invitations/create", body).json()["error"]
    assert (conflict["code"], conflict["details"]) == ("conflict", {"invitation_id": made["id"]})
    body = {"invitation_id": made["id"]}
    resent = admin.data("invitations/resend", body)
    assert resent["sent"] is True
    assert resent["expires_at"] > made["expires_at"]
    assert resent["sent_at"] > made["sent_at"]
    revoked = admin.data("invitations/revoke", body)
    assert revoked["status"] == "revoked"
    assert admin.data("invitations/revoke", body) == revoked
    assert admin.refusal("invitations/resend", body) == (409, "invalid_transition")
    assert as_(identity).refusal("invitations/accept") == (404, "invitation_not_found")


def test_the_same_key_invites_once(admin: Caller, identity: User) -> None:
    body: dict[str, Any] = {"email": identity.email, "role": "org_admin"}
    key = {"Idempotency-Key": "invite grace"}
    made = admin.data("invitations/create", body, key)
    assert admin.data("invitations/create", body, key) == made
    other = body | {"full_name": "Grace"}
    assert admin.refusal("invitations/create", other, key) == (409, "idempotency_key_reused")


def test_a_user_is_changed_deactivated_and_let_in_again(org: Org, admin: Caller, as_: As) -> None:
    user, person = org.first.member, as_(org.first.member)
    body = {"user_id": user.id}
    promoted = admin.data("users/update", body | {"role": "company_admin", "company_id": org.second.id})
    assert (promoted["role"], promoted["company_id"]) == ("company_admin", org.second.id)
    assert [company["id"] for company in person.data("companies/list")] == [org.second.id]
    assert admin.data("users/update", body | {"full_name": " Ada "})["full_name"] == "Ada"
    assert admin.data("users/deactivate", body)["deactivated_at"]
    assert person.refusal("auth/context") == (403, "user_deactivated")
    assert admin.data("users/reactivate", body)["deactivated_at"] is None
    assert person.data("auth/context")["role"] == "company_admin"
    assert admin.data("users/get", body) in admin.data("users/list", {"company_id": org.second.id})


def test_the_last_org_admin_stays(connection: psycopg.Connection, org: Org, admin: Caller) -> None:
    body = {"user_id": org.admin.id}
    demoted = body | {"role": "member", "company_id": org.first.id}
    assert admin.refusal("users/deactivate", body) == (409, "last_org_admin")
    assert admin.refusal("users/update", demoted) == (409, "last_org_admin")
    create_user(connection, org.id, "org_admin")
    assert admin.data("users/update", demoted)["role"] == "member"
    assert admin.refusal("users/update", body | {"role": "org_admin"}) == (403, "forbidden")
