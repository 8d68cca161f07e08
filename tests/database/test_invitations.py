"""Invitations: nobody grants more than they have, an e-mail has one that is open, closed ones stay closed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import errors

from tests.support.sql_client import (
    Client,
    Connection,
    anonymous,
    denied,
    refused,
    signed_in,
    violates,
    with_token,
)
from tests.support.tenants import Company, Org, Role, Tenants, create_identity, create_token, create_user

EMAIL = "grace@example.com"


def invite(client: Client, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
    invitation: dict[str, Any] = client.call(
        "create_invitation", **{"email": EMAIL, "role": "member"} | arguments
    )
    return invitation


def expired(postgres: Client, org: Org, company_id: str | None = None, **values: Any) -> str:  # noqa: ANN401
    """The id of an invitation by the org's admin that expired yesterday."""
    role = "member" if company_id else "org_admin"
    return str(
        postgres.value(
            "insert into public.invitations "
            "(org_id, company_id, email, role, invited_by, created_at, expires_at) values (%(org)s, "
            "%(company)s, %(email)s, %(role)s, %(by)s, now() - interval '8 days', now() - interval '1 day') "
            "returning id",
            {"org": org.id, "company": company_id, "email": EMAIL, "role": role, "by": org.admin.id} | values,
        )
    )


def status(postgres: Client, invitation_id: str) -> str:
    statement = "select private.show_invitation(i) ->> 'status' from public.invitations i where id = %(id)s"
    return str(postgres.value(statement, {"id": invitation_id}))


def test_an_invitation_is_shown_as_it_was_made(connection: Connection, org: Org) -> None:
    made = invite(
        signed_in(connection, org.admin),
        email="  Grace@Example.COM ",
        company_id=org.first.id,
        full_name=" Grace ",
    )
    assert (made["email"], made["full_name"], made["status"]) == (EMAIL, "Grace", "open")
    assert (made["org_id"], made["company_id"], made["role"]) == (org.id, org.first.id, "member")
    assert made["invited_by"] == org.admin.id
    lasts = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert lasts == timedelta(days=7)
    for unset in ("sent_at", "accepted_at", "accepted_by", "revoked_at"):
        assert made[unset] is None


def test_a_company_admin_invites_into_its_company_up_to_its_role(connection: Connection, org: Org) -> None:
    company_admin = signed_in(connection, org.first.company_admin)
    assert invite(company_admin)["company_id"] == org.first.id
    assert invite(company_admin, email="a@example.com", role="company_admin")["company_id"] == org.first.id
    with refused(403, "forbidden"):
        invite(company_admin, email="b@example.com", role="org_admin")
    with refused(404, "company_not_found"):
        invite(company_admin, email="b@example.com", company_id=org.second.id)


@pytest.mark.parametrize(
    ("role", "names_company"), [("org_admin", True), ("company_admin", False), ("member", False)]
)
def test_an_invitation_has_a_company_unless_its_role_is_org_admin(
    connection: Connection, org: Org, role: Role, names_company: bool
) -> None:
    company = {"company_id": org.first.id} if names_company else {}
    with refused(422, "invalid_request"):
        invite(signed_in(connection, org.admin), role=role, **company)


def test_members_tokens_and_strangers_invite_nobody(
    connection: Connection, postgres: Client, tenants: Tenants
) -> None:
    org = tenants.org
    leaver = create_user(connection, org.id, "org_admin")
    postgres.change("update public.users set deactivated_at = now() where id = %(id)s", {"id": leaver.id})
    forbidden = [signed_in(connection, org.first.member)]
    forbidden += [
        with_token(connection, create_token(connection, user))
        for user in (org.admin, org.first.company_admin)
    ]
    for client in forbidden:
        with refused(403, "forbidden"):
            invite(client, company_id=org.first.id)
    with refused(403, "user_deactivated"):
        invite(signed_in(connection, leaver), company_id=org.first.id)
    with refused(403, "identity_not_registered"):
        invite(signed_in(connection, create_identity(connection, org.id)), company_id=org.first.id)
    with refused(404, "company_not_found"):
        invite(signed_in(connection, tenants.other.admin), company_id=org.first.id)
    with denied():
        invite(anonymous(connection), company_id=org.first.id)
    assert postgres.value("select count(*) from public.invitations where email = %(e)s", {"e": EMAIL}) == 0


def insert(client: Client, company_id: str | None, role: str, **values: Any) -> int:  # noqa: ANN401
    columns = {"company_id": company_id, "role": role, "email": EMAIL} | values
    names, places = ", ".join(columns), ", ".join(f"%({name})s" for name in columns)
    return client.change(f"insert into public.invitations ({names}) values ({places})", columns)


def test_the_same_rules_hold_for_direct_inserts(connection: Connection, tenants: Tenants) -> None:
    org = tenants.org
    company_admin = signed_in(connection, org.first.company_admin)
    assert insert(company_admin, org.first.id, "member", email="a@example.com") == 1
    with denied():
        insert(company_admin, None, "org_admin")
    with denied():
        insert(company_admin, org.second.id, "member")
    with denied():
        insert(signed_in(connection, org.first.member), org.first.id, "member")
    with denied():
        insert(with_token(connection, create_token(connection, org.admin)), None, "org_admin")
    with violates(errors.ForeignKeyViolation):
        insert(signed_in(connection, org.admin), tenants.other.first.id, "member")
    for column, value in {
        "org_id": tenants.other.id,
        "invited_by": org.admin.id,
        "accepted_by": org.admin.id,
        "created_at": datetime.now(UTC),
        "sent_at": datetime.now(UTC),
    }.items():
        with denied():
            insert(company_admin, org.first.id, "member", **{column: value})


@pytest.mark.parametrize(
    "email",
    [
        *("", "grace", "@example.com", "grace@", "grace@example", "a b@example.com", "a@b@example.com"),
        *("grace@exa mple.com", "grace@example.com\nbcc: x@y.z", "gräce@example.com", "grace@.example.com"),
        *("grace@example..com", "x" * 309 + "@example.com"),
    ],
)
def test_an_implausible_email_is_refused(connection: Connection, org: Org, email: str) -> None:
    with violates(errors.CheckViolation):
        invite(signed_in(connection, org.admin), email=email, company_id=org.first.id)


def test_an_email_is_kept_in_lower_case(connection: Connection, org: Org) -> None:
    with violates(errors.CheckViolation):
        insert(signed_in(connection, org.admin), org.first.id, "member", email="Grace@example.com")


@pytest.mark.parametrize("days", [-1, 0, 31])
def test_an_invitation_lasts_at_most_thirty_days(
    connection: Connection, postgres: Client, org: Org, days: int
) -> None:
    admin = signed_in(connection, org.admin)
    expires_at = postgres.value("select now() + make_interval(days => %(days)s)", {"days": days})
    with refused(422, "invalid_request"):
        invite(admin, company_id=org.first.id, expires_at=expires_at)
    with refused(422, "invalid_request"):
        insert(admin, org.first.id, "member", expires_at=expires_at)
    made = invite(admin, company_id=org.first.id)
    for client in (admin, postgres):
        with refused(422, "invalid_request"):
            client.change(
                "update public.invitations set expires_at = %(at)s where id = %(id)s",
                {"at": expires_at, "id": made["id"]},
            )


def test_an_invitation_may_last_thirty_days(connection: Connection, postgres: Client, org: Org) -> None:
    expires_at = postgres.value("select now() + interval '30 days'")
    made = invite(signed_in(connection, org.admin), company_id=org.first.id, expires_at=expires_at)
    assert datetime.fromisoformat(made["expires_at"]) == expires_at


def test_an_email_with_an_open_invitation_is_a_conflict(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    made = invite(admin, company_id=org.first.id)
    with refused(409, "conflict", {"invitation_id": made["id"]}):
        invite(admin, role="org_admin", email=EMAIL.upper())
    with refused(409, "conflict", {"invitation_id": made["id"]}):
        invite(signed_in(connection, org.first.company_admin))
    with violates(errors.UniqueViolation):
        insert(admin, org.second.id, "member")


def test_an_open_invitation_of_another_company_is_not_shown(connection: Connection, org: Org) -> None:
    invite(signed_in(connection, org.admin), company_id=org.first.id)
    with pytest.raises(errors.Error) as caught:
        invite(signed_in(connection, org.second.company_admin))
    assert caught.value.diag.message_hint == "conflict"
    assert json.loads(caught.value.diag.message_detail or "") == {}


def test_an_expired_invitation_makes_way_even_for_another_company(
    connection: Connection, postgres: Client, org: Org
) -> None:
    old = expired(postgres, org, org.first.id)
    assert status(postgres, old) == "expired"
    made = invite(signed_in(connection, org.second.company_admin))
    assert (made["status"], made["company_id"]) == ("open", org.second.id)
    assert status(postgres, old) == "revoked"


def test_an_expired_invitation_makes_way_only_for_its_own_email_and_org(
    connection: Connection, postgres: Client, tenants: Tenants
) -> None:
    others = [
        expired(postgres, tenants.org, email="somebody@example.com"),
        expired(postgres, tenants.other),
    ]
    invite(signed_in(connection, tenants.org.admin), role="org_admin")
    assert [status(postgres, other) for other in others] == ["expired", "expired"]


def test_a_user_of_the_org_cannot_be_invited(connection: Connection, postgres: Client, org: Org) -> None:
    for user in (org.first.member, org.second.member):
        with refused(409, "already_registered"):
            invite(signed_in(connection, org.first.company_admin), email=user.email.upper())
    postgres.change(
        "update public.users set deactivated_at = now() where id = %(id)s", {"id": org.first.member.id}
    )
    with refused(409, "already_registered"):
        invite(signed_in(connection, org.admin), email=org.first.member.email, role="org_admin")


def test_an_email_that_another_org_knows_is_like_any_other(connection: Connection, tenants: Tenants) -> None:
    elsewhere = tenants.other.first.member
    invite(signed_in(connection, tenants.other.admin), role="org_admin")
    admin = signed_in(connection, tenants.org.admin)
    known = [invite(admin, email=email, role="org_admin") for email in (elsewhere.email, EMAIL)]
    unknown = invite(admin, email="nobody@example.com", role="org_admin")
    different = {"id", "email"}
    for made in known:
        assert {k: v for k, v in made.items() if k not in different} == {
            k: v for k, v in unknown.items() if k not in different
        }


def test_callers_see_only_the_invitations_in_their_reach(connection: Connection, tenants: Tenants) -> None:
    org, admin = tenants.org, signed_in(connection, tenants.org.admin)
    of_org = invite(admin, email="a@example.com", role="org_admin")
    of_first = invite(admin, email="b@example.com", company_id=org.first.id)
    of_second = invite(admin, email="c@example.com", company_id=org.second.id)

    def seen(client: Client) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = client.call("list_invitations", limit=200)["items"]
        assert client.value("select count(*) from public.invitations") == len(items)
        return items

    def ids(client: Client) -> set[str]:
        return {item["id"] for item in seen(client)}

    assert ids(admin) == {of_org["id"], of_first["id"], of_second["id"]}
    assert ids(with_token(connection, create_token(connection, org.admin))) == ids(admin)
    assert seen(signed_in(connection, org.first.company_admin)) == [of_first]
    assert seen(signed_in(connection, org.second.company_admin)) == [of_second]
    assert seen(signed_in(connection, tenants.other.admin)) == []
    member = signed_in(connection, org.first.member)
    assert member.value("select count(*) from public.invitations") == 0
    with refused(403, "forbidden"):
        member.call("list_invitations")


VERBS = ("revoke_invitation", "resend_invitation", "mark_invitation_sent")


@pytest.mark.parametrize("verb", VERBS)
def test_tokens_and_callers_out_of_reach_change_no_invitation(
    connection: Connection, tenants: Tenants, verb: str
) -> None:
    org = tenants.org
    made = invite(signed_in(connection, org.admin), company_id=org.first.id)
    of_org = invite(signed_in(connection, org.admin), email="a@example.com", role="org_admin")
    for user in (org.first.member, org.second.company_admin, org.second.member, tenants.other.admin):
        with refused(404, "invitation_not_found"):
            signed_in(connection, user).call(verb, invitation_id=made["id"])
    with refused(404, "invitation_not_found"):
        signed_in(connection, org.first.company_admin).call(verb, invitation_id=of_org["id"])
    for user in (org.admin, org.first.company_admin):
        token = with_token(connection, create_token(connection, user))
        with refused(403, "forbidden"):
            token.call(verb, invitation_id=made["id"])
        assert token.change("update public.invitations set revoked_at = now(), sent_at = now()") == 0
    with denied():
        anonymous(connection).call(verb, invitation_id=made["id"])
    admin = signed_in(connection, org.admin)
    assert made in admin.call("list_invitations")["items"]
    assert of_org in admin.call("list_invitations")["items"]
    assert signed_in(connection, org.first.company_admin).call(verb, invitation_id=made["id"])


def test_an_update_without_a_condition_changes_only_the_invitations_in_reach(
    connection: Connection, tenants: Tenants
) -> None:
    """Postgres does not apply the select policies to such an update."""
    for org in tenants:
        admin = signed_in(connection, org.admin)
        invite(admin, email="a@example.com", role="org_admin")
        for company in (org.first, org.second):
            invite(admin, email=f"{company.id}@example.com", company_id=company.id)
    statement = "update public.invitations set sent_at = now()"
    org = tenants.org
    assert signed_in(connection, org.first.company_admin).change(statement) == 1
    assert signed_in(connection, org.admin).change(statement) == 3
    for user in org.first.member, create_identity(connection, org.id):
        assert signed_in(connection, user).change(statement) == 0


def test_a_revoked_invitation_stays_revoked(connection: Connection, postgres: Client, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    made = invite(admin, company_id=org.first.id)
    revoked = admin.call("revoke_invitation", invitation_id=made["id"])
    assert revoked["status"] == "revoked"
    assert admin.call("revoke_invitation", invitation_id=made["id"]) == revoked
    with refused(409, "invalid_transition"):
        admin.call("resend_invitation", invitation_id=made["id"])
    for client in (admin, postgres):
        for change in ("revoked_at = null", "expires_at = now() + interval '1 day'"):
            with refused(409, "immutable"):
                client.change(f"update public.invitations set {change} where id = %(id)s", {"id": made["id"]})
    assert invite(admin, company_id=org.first.id)["status"] == "open"


@pytest.mark.parametrize("assignment", ["revoked_at = '2099-01-01'", "sent_at = '2099-01-01'"])
def test_nobody_picks_the_time_of_revoking_or_sending(
    connection: Connection, org: Org, assignment: str
) -> None:
    admin = signed_in(connection, org.admin)
    made = invite(admin, company_id=org.first.id)
    admin.change(f"update public.invitations set {assignment} where id = %(id)s", {"id": made["id"]})
    column = assignment.split()[0]
    statement = f"select {column} = now() from public.invitations where id = %(id)s"
    assert admin.value(statement, {"id": made["id"]}) is True


@pytest.mark.parametrize(
    "assignment",
    [
        *("id = gen_random_uuid()", "email = 'x@example.com'", "role = 'company_admin'", "full_name = 'x'"),
        *("invited_by = null", "created_at = '2001-01-01'", "company_id = %(second)s"),
    ],
)
def test_no_other_column_of_an_invitation_changes(
    connection: Connection, postgres: Client, org: Org, assignment: str
) -> None:
    admin = signed_in(connection, org.admin)
    ids = {"id": invite(admin, company_id=org.first.id)["id"], "second": org.second.id}
    statement = f"update public.invitations set {assignment} where id = %(id)s"
    with denied():
        admin.change(statement, ids)
    with refused(409, "immutable"):
        postgres.change(statement, ids)


def test_no_client_accepts_by_hand_or_deletes(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    invite(admin, company_id=org.first.id)
    for statement in (
        "update public.invitations set accepted_at = now()",
        "update public.invitations set accepted_by = invited_by",
        "delete from public.invitations",
    ):
        with denied():
            admin.change(statement)


def test_resending_renews_even_an_expired_invitation_in_the_callers_name(
    connection: Connection, postgres: Client, org: Org
) -> None:
    old = expired(postgres, org, org.first.id)
    company_admin = signed_in(connection, org.first.company_admin)
    renewed = company_admin.call("resend_invitation", invitation_id=old)
    assert (renewed["status"], renewed["invited_by"]) == ("open", org.first.company_admin.id)
    again = company_admin.call("resend_invitation", invitation_id=old)
    assert again == renewed
    statement = "select expires_at - now() from public.invitations where id = %(id)s"
    assert postgres.value(statement, {"id": old}) == timedelta(days=7)


def test_marking_records_when_it_was_sent(connection: Connection, postgres: Client, company: Company) -> None:
    company_admin = signed_in(connection, company.company_admin)
    made = invite(company_admin)
    sent = company_admin.call("mark_invitation_sent", invitation_id=made["id"])
    assert sent == made | {"sent_at": sent["sent_at"]}
    statement = "select sent_at = now() from public.invitations where id = %(id)s"
    assert postgres.value(statement, {"id": made["id"]}) is True


def test_a_repeated_call_shows_the_invitation_as_it_is_now(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    key = {"idempotency_key": "key", "request_hash": "hash", "company_id": org.first.id}
    made = invite(admin, **key)
    sent = admin.call("mark_invitation_sent", invitation_id=made["id"])
    assert invite(admin, **key) == sent
