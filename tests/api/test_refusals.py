"""Other people's things are absent, and a forbidden verb on a visible thing is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import httpx
import psycopg
import pytest
from fastapi.routing import APIRoute

from api.main import ROUTERS
from tests.api.caller import PROBE, Caller, Json, refusal
from tests.api.worker import Worker
from tests.support.tenants import Org, Tenants, Token, User, create_identity

As = Callable[[User | Token], Caller]


@dataclass(frozen=True)
class Things:
    """One of each noun, in the first company of the org."""

    company_id: str
    blueprint_id: str
    submission_id: str
    pipeline_run_id: str
    step_result_id: str
    user_id: str
    invitation_id: str
    api_token_id: str
    secret_name: str

    def body(self, *names: str) -> Json:
        return {name: getattr(self, name) for name in names}


@pytest.fixture
def things(org: Org, as_: As, admin: Caller, worker: Worker, connection: psycopg.Connection) -> Things:
    blueprint_id = admin.blueprint()
    created = as_(org.first.member).submit(org.first.id, blueprint_id)
    run = created["pipeline_run"]
    token = as_(org.first.company_admin).data("api-tokens/create", {"name": "n"})
    secret = admin.data("secrets/set", {"name": "crm_key", "value": "hunter2"})
    # Of somebody who can sign in already, so that it stays open: the local Auth confirms new e-mails at once.
    invitee = create_identity(connection, org.id)
    invitation = as_(org.first.company_admin).data(
        "invitations/create", {"email": invitee.email, "role": "member"}
    )
    return Things(
        company_id=org.first.id,
        blueprint_id=blueprint_id,
        submission_id=created["submission"]["id"],
        pipeline_run_id=run["id"],
        step_result_id=run["steps"][0]["id"],
        user_id=org.first.member.id,
        invitation_id=invitation["id"],
        api_token_id=token["id"],
        secret_name=secret["name"],
    )


COMPANY_DATA = [
    ("companies/get", ("company_id",), "company_not_found"),
    ("users/get", ("user_id",), "user_not_found"),
    ("users/update", ("user_id",), "user_not_found"),
    ("users/deactivate", ("user_id",), "user_not_found"),
    ("users/reactivate", ("user_id",), "user_not_found"),
    ("submissions/get", ("submission_id",), "submission_not_found"),
    ("pipeline-runs/get", ("pipeline_run_id",), "pipeline_run_not_found"),
    ("pipeline-runs/cancel", ("pipeline_run_id",), "pipeline_run_not_found"),
    ("pipeline-runs/records", ("pipeline_run_id",), "pipeline_run_not_found"),
    ("pipeline-runs/export", ("pipeline_run_id",), "pipeline_run_not_found"),
    ("pipeline-runs/create", ("submission_id",), "submission_not_found"),
    ("pipeline-runs/retry", ("pipeline_run_id",), "pipeline_run_not_found"),
    ("pipeline-runs/retry-rejected", ("pipeline_run_id",), "pipeline_run_not_found"),
    ("step-results/list", ("pipeline_run_id",), "pipeline_run_not_found"),
    ("step-results/get", ("step_result_id",), "step_result_not_found"),
    ("step-results/records", ("step_result_id",), "step_result_not_found"),
    ("api-tokens/rotate", ("api_token_id",), "api_token_not_found"),
    ("api-tokens/revoke", ("api_token_id",), "api_token_not_found"),
]
# Members see none of these.
ADMIN_DATA = [
    ("invitations/revoke", ("invitation_id",), "invitation_not_found"),
    ("invitations/resend", ("invitation_id",), "invitation_not_found"),
]
ORG_DATA = [
    ("blueprints/get", ("blueprint_id",), "blueprint_not_found"),
    ("blueprints/update", ("blueprint_id",), "blueprint_not_found"),
]
# What a create call refers to.
REFERENCES = [
    ("submissions/create", "company_id", "company_not_found"),
    ("submissions/create", "blueprint_id", "blueprint_not_found"),
    ("submissions/upload", "company_id", "company_not_found"),
    ("submissions/upload", "blueprint_id", "blueprint_not_found"),
    ("api-tokens/create", "company_id", "company_not_found"),
    ("invitations/create", "company_id", "company_not_found"),
]
# Create calls that refer to nothing, but give a name.
NAMED: list[tuple[str, Json]] = [
    ("companies/create", {"name": "Same", "external_id": "crm-4711"}),
    ("blueprints/create", {"name": "Same", "steps": [{"slug": PROBE, "config": {"note": "a"}}]}),
    ("secrets/set", {"name": "same", "value": "hunter2"}),
]
LISTS = [
    "companies/list",
    "users/list",
    "invitations/list",
    "api-tokens/list",
    "secrets/list",
    "blueprints/list",
    "submissions/list",
    "pipeline-runs/list",
    "audit/list",
]
NOT_OF_AN_ORG = {
    "auth/context": "takes no argument and tells who the caller is",
    "invitations/accept": "is for people of no org; test_people.py tries it",
    "steps/list": "steps are global",
    "steps/get": "steps are global",
}


@pytest.mark.parametrize(("path", "names", "code"), COMPANY_DATA + ADMIN_DATA + ORG_DATA)
def test_things_of_another_org_are_absent(
    fresh: Tenants, as_: As, things: Things, path: str, names: tuple[str, ...], code: str
) -> None:
    for user in fresh.other.admin, fresh.other.first.member:
        assert as_(user).refusal(path, things.body(*names)) == (404, code)


@pytest.mark.parametrize(("path", "names", "code"), COMPANY_DATA + ADMIN_DATA)
def test_things_of_another_company_are_absent(
    org: Org, as_: As, things: Things, path: str, names: tuple[str, ...], code: str
) -> None:
    for user in org.second.company_admin, org.second.member:
        assert as_(user).refusal(path, things.body(*names)) == (404, code)


@pytest.mark.parametrize(("path", "names", "code"), COMPANY_DATA + ADMIN_DATA + ORG_DATA)
def test_things_that_never_were_are_absent(
    admin: Caller, path: str, names: tuple[str, ...], code: str
) -> None:
    never = "00000000-0000-4000-8000-000000000000"
    assert admin.refusal(path, dict.fromkeys(names, never)) == (404, code)


@pytest.mark.parametrize(("path", "name", "code"), REFERENCES)
def test_what_is_made_cannot_refer_to_things_of_another_org(
    fresh: Tenants, as_: As, things: Things, path: str, name: str, code: str
) -> None:
    theirs = as_(fresh.other.admin)
    own = {"company_id": fresh.other.first.id, "blueprint_id": theirs.blueprint()}
    assert made(theirs, path, own).is_success
    assert refusal(made(theirs, path, own | things.body(name))) == (404, code)


@pytest.mark.parametrize("path", dict.fromkeys(path for path, name, _ in REFERENCES if name == "company_id"))
def test_nothing_is_made_in_another_company(org: Org, as_: As, things: Things, path: str) -> None:
    body = things.body("company_id", "blueprint_id")
    for user in org.second.company_admin, org.second.member:
        assert refusal(made(as_(user), path, body)) == (404, "company_not_found")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("companies/create", {"name": "x"}),
        ("api-tokens/create", {"name": "x"}),
        ("invitations/create", {"email": "x@example.com", "role": "member"}),
        ("invitations/list", {}),
        ("secrets/set", {"name": "x", "value": "y"}),
        ("secrets/list", {}),
        ("secrets/delete", {"name": "x"}),
        ("blueprints/create", {"name": "x", "steps": [{"slug": PROBE, "config": {"note": "a"}}]}),
    ],
)
def test_members_are_forbidden_what_admins_do(member: Caller, path: str, body: Json) -> None:
    assert member.refusal(path, body) == (403, "forbidden")


def test_members_are_forbidden_to_change_what_they_see(member: Caller, things: Things) -> None:
    body = {"blueprint_id": things.blueprint_id, "name": "changed"}
    assert member.refusal("blueprints/update", body) == (403, "forbidden")
    for verb in ("update", "deactivate", "reactivate"):
        assert member.refusal(f"users/{verb}", things.body("user_id")) == (403, "forbidden")


def test_member_cancels_its_own_run_only(org: Org, as_: As, member: Caller, things: Things) -> None:
    body = things.body("pipeline_run_id")
    assert as_(org.first.other_member).refusal("pipeline-runs/cancel", body) == (403, "forbidden")
    assert member.data("pipeline-runs/get", body)["status"] == "queued"
    assert member.data("pipeline-runs/cancel", body)["status"] == "cancelled"


def test_company_admin_cancels_the_runs_of_its_company(org: Org, as_: As, things: Things) -> None:
    cancelled = as_(org.first.company_admin).data("pipeline-runs/cancel", things.body("pipeline_run_id"))
    assert cancelled["status"] == "cancelled"


@pytest.mark.parametrize("path", LISTS)
def test_lists_show_nothing_of_another_org(
    fresh: Tenants, as_: As, admin: Caller, things: Things, path: str
) -> None:
    ours, theirs = admin.data(path), as_(fresh.other.admin).data(path)
    assert ours
    assert [item for item in theirs if item in ours or item.get("org_id") == fresh.org.id] == []


def test_lists_show_nothing_of_another_company(org: Org, as_: As, things: Things) -> None:
    for user in (org.second.company_admin, org.second.member):
        caller = as_(user)
        for path in ("submissions/list", "pipeline-runs/list", "api-tokens/list"):
            assert caller.data(path) == [], path
        assert {found["id"] for found in caller.data("users/list")} == {each.id for each in org.second.users}
        assert [company["id"] for company in caller.data("companies/list")] == [org.second.id]
    assert as_(org.second.company_admin).data("invitations/list") == []


def test_filtering_by_things_of_others_finds_nothing(fresh: Tenants, as_: As, things: Things) -> None:
    for user in (fresh.other.admin, fresh.org.second.company_admin):
        caller = as_(user)
        assert caller.data("users/list", things.body("company_id")) == []
        assert caller.data("submissions/list", things.body("company_id")) == []
        assert caller.data("pipeline-runs/list", things.body("company_id")) == []
        assert caller.data("pipeline-runs/list", things.body("submission_id")) == []


@pytest.mark.parametrize(("path", "body"), NAMED)
def test_a_name_that_another_org_uses_is_free_and_stays_that_org_s(
    fresh: Tenants, as_: As, admin: Caller, path: str, body: Json
) -> None:
    list_path = f"{path.partition('/')[0]}/list"
    admin.data(path, body)
    ours = admin.data(list_path)
    as_(fresh.other.admin).data(path, body)
    assert admin.data(list_path) == ours


def test_secret_of_another_org_cannot_be_deleted(
    fresh: Tenants, as_: As, admin: Caller, things: Things
) -> None:
    body = {"name": things.secret_name}
    assert as_(fresh.other.admin).refusal("secrets/delete", body) == (404, "secret_not_found")
    assert [secret["name"] for secret in admin.data("secrets/list")] == [things.secret_name]


def test_steps_are_everybodys_and_tell_nothing_of_an_org(fresh: Tenants, as_: As) -> None:
    users = [fresh.org.admin, fresh.org.first.member, fresh.other.admin]
    listed = [as_(user).data("steps/list") for user in users]
    found = [as_(user).data("steps/get", {"slug": PROBE}) for user in users]
    assert listed == [listed[0]] * len(users)
    assert found == [found[0]] * len(users)
    assert not {"org_id", "created_by"} & set(found[0])


def test_auth_context_tells_of_the_caller_alone(fresh: Tenants, as_: As) -> None:
    for user in (fresh.org.first.member, fresh.other.admin):
        context = as_(user).data("auth/context")
        assert (context["org_id"], context["user_id"], context["company_id"]) == (
            user.org_id,
            user.id,
            user.company_id,
        )


def test_every_endpoint_is_tried_by_another_org_or_names_why_not() -> None:
    routes = {
        route.path.removeprefix("/v1/")
        for module in ROUTERS
        for route in module.router.routes
        if isinstance(route, APIRoute)
    }
    tried = {path for path, *_ in (*COMPANY_DATA, *ADMIN_DATA, *ORG_DATA, *REFERENCES, *NAMED)} | set(LISTS)
    tried |= {"secrets/delete"}
    assert tried.isdisjoint(NOT_OF_AN_ORG)
    assert tried | set(NOT_OF_AN_ORG) == routes


def made(caller: Caller, path: str, names: Json) -> httpx.Response:
    """The answer to a create call that refers to the things of these names."""
    if path == "submissions/upload":
        return caller.upload(names, b"a\n1\n")
    if path == "invitations/create":
        body = {"email": f"{uuid4()}@example.com", "role": "member", "company_id": names["company_id"]}
        return caller.post(path, body)
    if path == "api-tokens/create":
        return caller.post(path, {"name": "n", "role": "member", "company_id": names["company_id"]})
    return caller.post(path, names | {"records": [{"a": 1}]})
