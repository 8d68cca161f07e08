"""A forbidden verb on a visible thing is refused.

The sweep of tests/isolation tries every endpoint with what others have, and with what does not exist.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from tests.api.caller import PROBE, Caller, Json
from tests.api.worker import Worker
from tests.support.tenants import Org, Token, User, create_identity

As = Callable[[User | Token], Caller]


@pytest.mark.parametrize(
    ("path", "body"),
    [("api-tokens/create", {"name": "x", "role": "member"}), ("invitations/create", {"role": "member"})],
)
def test_nothing_is_made_in_another_company(
    org: Org, as_: As, connection: psycopg.Connection, path: str, body: Json
) -> None:
    body = body | {"company_id": org.first.id}
    if path == "invitations/create":
        body["email"] = create_identity(connection, org.id).email
    for user in org.second.company_admin, org.second.member:
        assert as_(user).refusal(path, body) == (404, "company_not_found")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("api-tokens/create", {"name": "x"}),
        ("invitations/create", {"email": "x@example.com", "role": "member"}),
        ("secrets/delete", {"name": "x"}),
    ],
)
def test_members_are_forbidden_what_admins_do(member: Caller, path: str, body: Json) -> None:
    assert member.refusal(path, body) == (403, "forbidden")


@pytest.mark.parametrize(
    ("path", "name", "code"),
    [
        ("users/update", "user_id", "user_not_found"),
        ("users/deactivate", "user_id", "user_not_found"),
        ("users/reactivate", "user_id", "user_not_found"),
        ("blueprints/update", "blueprint_id", "blueprint_not_found"),
        ("invitations/revoke", "invitation_id", "invitation_not_found"),
        ("invitations/resend", "invitation_id", "invitation_not_found"),
        ("api-tokens/revoke", "api_token_id", "api_token_not_found"),
        ("api-tokens/rotate", "api_token_id", "api_token_not_found"),
    ],
)
def test_what_does_not_exist_is_absent_for_members_too(
    member: Caller, path: str, name: str, code: str
) -> None:
    """Rather than forbidden. The sweep shows that what others have is answered alike."""
    assert member.refusal(path, {name: "00000000-0000-4000-8000-000000000000"}) == (404, code)


def test_members_are_forbidden_to_change_what_they_see(
    org: Org, admin: Caller, member: Caller, worker: Worker
) -> None:
    blueprint = {"blueprint_id": admin.blueprint(), "name": "changed"}
    assert member.refusal("blueprints/update", blueprint) == (403, "forbidden")
    for verb in ("update", "deactivate", "reactivate"):
        assert member.refusal(f"users/{verb}", {"user_id": org.first.member.id}) == (403, "forbidden")


def test_a_run_is_cancelled_by_who_made_it_or_an_admin_of_its_company(
    org: Org, as_: As, admin: Caller, member: Caller
) -> None:
    blueprint_id = admin.blueprint()
    for canceller in (member, as_(org.first.company_admin)):
        run = member.submit(org.first.id, blueprint_id)["pipeline_run"]
        body = {"pipeline_run_id": run["id"]}
        assert as_(org.first.other_member).refusal("pipeline-runs/cancel", body) == (403, "forbidden")
        assert member.data("pipeline-runs/get", body)["status"] == "queued"
        assert canceller.data("pipeline-runs/cancel", body)["status"] == "cancelled"


def test_people_of_a_company_see_its_users_alone(org: Org, as_: As) -> None:
    for user in (org.second.company_admin, org.second.member):
        found = as_(user).data("users/list")
        assert {each["id"] for each in found} == {each.id for each in org.second.users}


def test_steps_are_everybodys_and_tell_nothing_of_an_org(
    org: Org, admin: Caller, member: Caller, worker: Worker
) -> None:
    for path, body in (("steps/list", {}), ("steps/get", {"slug": PROBE})):
        assert admin.data(path, body) == member.data(path, body)
    assert not {"org_id", "created_by"} & set(admin.data("steps/get", {"slug": PROBE}))
