"""Other people's things are absent, and a forbidden verb on a visible thing is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.api.caller import PROBE, Caller, Json, refusal
from tests.api.worker import Worker
from tests.tenants import Org, Tenants, Token, User

As = Callable[[User | Token], Caller]


@dataclass(frozen=True)
class Things:
    """One of each noun, in the first company of the org."""

    company_id: str
    blueprint_id: str
    submission_id: str
    pipeline_run_id: str
    step_result_id: str
    api_token_id: str

    def body(self, *names: str) -> Json:
        return {name: getattr(self, name) for name in names}


@pytest.fixture
def things(org: Org, as_: As, admin: Caller, worker: Worker) -> Things:
    blueprint_id = admin.blueprint()
    created = as_(org.first.member).submit(org.first.id, blueprint_id)
    run = created["pipeline_run"]
    token = as_(org.first.company_admin).data("api-tokens/create", {"name": "n"})
    return Things(
        company_id=org.first.id,
        blueprint_id=blueprint_id,
        submission_id=created["submission"]["id"],
        pipeline_run_id=run["id"],
        step_result_id=run["steps"][0]["id"],
        api_token_id=token["id"],
    )


COMPANY_DATA = [
    ("companies/get", ("company_id",), "company_not_found"),
    ("submissions/get", ("submission_id",), "submission_not_found"),
    ("pipeline-runs/get", ("pipeline_run_id",), "pipeline_run_not_found"),
    ("pipeline-runs/cancel", ("pipeline_run_id",), "pipeline_run_not_found"),
    ("pipeline-runs/records", ("pipeline_run_id",), "pipeline_run_not_found"),
    ("pipeline-runs/export", ("pipeline_run_id",), "pipeline_run_not_found"),
    ("pipeline-runs/create", ("submission_id",), "submission_not_found"),
    ("step-results/list", ("pipeline_run_id",), "pipeline_run_not_found"),
    ("step-results/get", ("step_result_id",), "step_result_not_found"),
    ("step-results/records", ("step_result_id",), "step_result_not_found"),
    ("api-tokens/revoke", ("api_token_id",), "api_token_not_found"),
]
ORG_DATA = [
    ("blueprints/get", ("blueprint_id",), "blueprint_not_found"),
    ("blueprints/update", ("blueprint_id",), "blueprint_not_found"),
]


@pytest.mark.parametrize(("path", "names", "code"), COMPANY_DATA + ORG_DATA)
def test_things_of_another_org_are_absent(
    fresh: Tenants, as_: As, things: Things, path: str, names: tuple[str, ...], code: str
) -> None:
    for user in fresh.other.admin, fresh.other.first.member:
        assert as_(user).refusal(path, things.body(*names)) == (404, code)


@pytest.mark.parametrize(("path", "names", "code"), COMPANY_DATA)
def test_things_of_another_company_are_absent(
    org: Org, as_: As, things: Things, path: str, names: tuple[str, ...], code: str
) -> None:
    for user in org.second.company_admin, org.second.member:
        assert as_(user).refusal(path, things.body(*names)) == (404, code)


@pytest.mark.parametrize(("path", "names", "code"), COMPANY_DATA + ORG_DATA)
def test_things_that_never_were_are_absent(
    admin: Caller, path: str, names: tuple[str, ...], code: str
) -> None:
    never = "00000000-0000-4000-8000-000000000000"
    assert admin.refusal(path, dict.fromkeys(names, never)) == (404, code)


def test_submitting_for_another_company_or_with_another_org_s_blueprint_is_absent(
    fresh: Tenants, as_: As, things: Things, member: Caller
) -> None:
    records = [{"a": 1}]
    foreign_company = {"company_id": fresh.org.second.id, "blueprint_id": things.blueprint_id}
    foreign_blueprint = {
        "company_id": fresh.org.first.id,
        "blueprint_id": as_(fresh.other.admin).blueprint(),
    }
    for form, code in ((foreign_company, "company_not_found"), (foreign_blueprint, "blueprint_not_found")):
        assert member.refusal("submissions/create", form | {"records": records}) == (404, code)
        assert refusal(member.upload(form, b"a\n1\n")) == (404, code)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("companies/create", {"name": "x"}),
        ("api-tokens/create", {"name": "x"}),
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


def test_member_cancels_its_own_run_only(org: Org, as_: As, member: Caller, things: Things) -> None:
    body = things.body("pipeline_run_id")
    assert as_(org.first.other_member).refusal("pipeline-runs/cancel", body) == (403, "forbidden")
    assert member.data("pipeline-runs/get", body)["status"] == "queued"
    assert member.data("pipeline-runs/cancel", body)["status"] == "cancelled"


def test_company_admin_cancels_the_runs_of_its_company(org: Org, as_: As, things: Things) -> None:
    cancelled = as_(org.first.company_admin).data("pipeline-runs/cancel", things.body("pipeline_run_id"))
    assert cancelled["status"] == "cancelled"


def test_lists_show_nothing_of_others(fresh: Tenants, as_: As, things: Things) -> None:
    for user in (fresh.other.admin, fresh.org.second.member):
        caller = as_(user)
        for path in ("submissions/list", "pipeline-runs/list", "api-tokens/list"):
            assert caller.data(path) == []
        companies = {company["id"] for company in caller.data("companies/list")}
        assert things.company_id not in companies
    assert as_(fresh.other.admin).data("blueprints/list") == []
