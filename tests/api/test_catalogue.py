"""Companies, API tokens, secrets, steps and blueprints: created, read and changed through the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.api.caller import PROBE, Caller
from tests.support.tenants import Org, Token, User

As = Callable[[User | Token], Caller]


def test_company_is_created_found_and_listed(org: Org, admin: Caller) -> None:
    created = admin.data("companies/create", {"name": "  Acme  ", "external_id": "crm-1"})
    assert (created["name"], created["external_id"], created["org_id"]) == ("Acme", "crm-1", org.id)
    assert admin.data("companies/get", {"company_id": created["id"]}) == created
    assert created in admin.data("companies/list")


def test_second_company_with_the_same_external_id_is_a_conflict(admin: Caller) -> None:
    admin.data("companies/create", {"name": "a", "external_id": "same"})
    assert admin.refusal("companies/create", {"name": "b", "external_id": "same"}) == (409, "conflict")


def test_members_see_their_own_company_only(org: Org, member: Caller) -> None:
    assert [company["id"] for company in member.data("companies/list")] == [org.first.id]


def test_api_token_works_from_creation_to_revocation(org: Org, admin: Caller, nobody: Caller) -> None:
    created = admin.data("api-tokens/create", {"name": "nightly import"})
    assert created["token"].startswith(created["prefix"])
    integration = Caller(nobody.http, created["token"])
    context = integration.data("auth/context")
    assert (context["user_id"], context["role"], context["auth_method"]) == (
        org.admin.id,
        "org_admin",
        "api_token",
    )
    (listed,) = [item for item in admin.data("api-tokens/list") if item["id"] == created["id"]]
    shown_again = {name: value for name, value in created.items() if name != "token"}
    assert listed == shown_again | {"last_used_at": listed["last_used_at"]}
    revoked = admin.data("api-tokens/revoke", {"api_token_id": created["id"]})
    assert revoked["revoked_at"]
    assert integration.refusal("auth/context") == (401, "api_token_revoked")
    assert admin.data("api-tokens/revoke", {"api_token_id": created["id"]}) == revoked


def test_rotated_api_token_works_beside_its_successor_for_the_grace_time(
    org: Org, admin: Caller, nobody: Caller
) -> None:
    old = admin.data("api-tokens/create", {"name": "nightly import"})
    body = {"api_token_id": old["id"], "grace_seconds": 600}
    new = admin.data("api-tokens/rotate", body)
    assert new["token"] != old["token"]
    assert (new["replaces"], new["replaced"]["id"], new["name"]) == (old["id"], old["id"], old["name"])
    ends = datetime.fromisoformat(new["replaced"]["expires_at"])
    assert timedelta(0) < ends - datetime.now(UTC) <= timedelta(seconds=600)
    for token in (old["token"], new["token"]):
        assert Caller(nobody.http, token).data("auth/context")["user_id"] == org.admin.id
    assert admin.refusal("api-tokens/rotate", body) == (409, "api_token_inactive")
    listed = {item["id"]: item for item in admin.data("api-tokens/list")}
    assert "token" not in listed[new["id"]]
    assert listed[old["id"]]["expires_at"] == new["replaced"]["expires_at"]


def test_rotated_api_token_may_end_at_once(admin: Caller, nobody: Caller) -> None:
    old = admin.data("api-tokens/create", {"name": "leaked"})
    Caller(nobody.http, old["token"]).data("companies/list")
    new = admin.data("api-tokens/rotate", {"api_token_id": old["id"], "grace_seconds": 0})
    assert Caller(nobody.http, old["token"]).refusal("companies/list") == (401, "api_token_expired")
    assert Caller(nobody.http, new["token"]).data("companies/list")


def test_grace_time_and_expiry_of_a_rotation_have_limits(admin: Caller) -> None:
    old = admin.data("api-tokens/create", {"name": "n"})
    for wrong in (
        {"grace_seconds": -1},
        {"grace_seconds": 604_801},
        {"grace_seconds": None},
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"expires_at": "2099-01-01T00:00:00"},
        {"role": "org_admin"},
    ):
        refused = admin.refusal("api-tokens/rotate", {"api_token_id": old["id"]} | wrong)
        assert refused == (422, "invalid_request"), wrong
    assert admin.data("api-tokens/rotate", {"api_token_id": old["id"], "grace_seconds": 604_800})


def test_api_token_rotates_nothing(admin: Caller, nobody: Caller) -> None:
    token = admin.data("api-tokens/create", {"name": "n"})
    body = {"api_token_id": token["id"]}
    assert Caller(nobody.http, token["token"]).refusal("api-tokens/rotate", body) == (403, "forbidden")


def test_api_token_shows_when_it_was_last_used(admin: Caller, nobody: Caller) -> None:
    token = admin.data("api-tokens/create", {"name": "n"})
    assert token["last_used_at"] is None
    Caller(nobody.http, token["token"]).data("companies/list")
    (listed,) = [item for item in admin.data("api-tokens/list") if item["id"] == token["id"]]
    assert datetime.now(UTC) - datetime.fromisoformat(listed["last_used_at"]) < timedelta(minutes=1)


def test_api_token_may_expire_and_be_narrowed(org: Org, admin: Caller) -> None:
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = {"name": "n", "role": "member", "company_id": org.first.id, "expires_at": later}
    created = admin.data("api-tokens/create", body)
    assert (created["role"], created["company_id"]) == ("member", org.first.id)
    assert datetime.fromisoformat(created["expires_at"]) == datetime.fromisoformat(later)


def test_api_token_cannot_be_above_its_creator(org: Org, as_: As) -> None:
    company_admin = as_(org.first.company_admin)
    above = {"name": "n", "role": "org_admin"}
    assert company_admin.refusal("api-tokens/create", above) == (403, "forbidden")
    assert company_admin.data("api-tokens/create", {"name": "n"})["role"] == "company_admin"


def test_secret_is_set_replaced_listed_and_deleted_but_never_shown(admin: Caller) -> None:
    first = admin.post("secrets/set", {"name": "crm_key", "value": "hunter2-first"})
    replaced = admin.post("secrets/set", {"name": "crm_key", "value": "hunter2-second"})
    listed = admin.post("secrets/list")
    assert [item["name"] for item in listed.json()["data"]] == ["crm_key"]
    assert "hunter2" not in first.text + replaced.text + listed.text
    assert admin.data("secrets/delete", {"name": "crm_key"}) == {"name": "crm_key"}
    assert admin.data("secrets/list") == []
    assert admin.refusal("secrets/delete", {"name": "crm_key"}) == (404, "secret_not_found")


def test_steps_are_the_same_for_everybody(admin: Caller, member: Caller) -> None:
    step = member.data("steps/get", {"slug": PROBE})
    assert step == admin.data("steps/get", {"slug": PROBE, "version": "1.0.0"})
    assert step in member.data("steps/list", {"limit": 200})
    assert member.refusal("steps/get", {"slug": PROBE, "version": "9.9.9"}) == (404, "step_not_found")
    assert member.refusal("steps/get", {"slug": "no-such-step"}) == (404, "step_not_found")


def test_blueprint_is_created_found_and_listed(admin: Caller, member: Caller) -> None:
    steps = [
        {"slug": PROBE, "config": {"note": "a"}, "retry": {"max_attempts": 3}},
        {"slug": PROBE, "version": "1.0.0", "config": {"note": "b"}},
    ]
    created = admin.data("blueprints/create", {"name": f"b {uuid4()}", "description": "d", "steps": steps})
    assert created["version"] == 1
    assert [(step["position"], step["config"], step["retry"]) for step in created["steps"]] == [
        (1, {"note": "a"}, {"max_attempts": 3}),
        (2, {"note": "b"}, None),
    ]
    assert {step["version"] for step in created["steps"]} == {"1.0.0"}
    assert member.data("blueprints/get", {"blueprint_id": created["id"]}) == created
    (listed,) = [item for item in member.data("blueprints/list") if item["id"] == created["id"]]
    assert listed["step_count"] == 2
    assert "steps" not in listed


def test_blueprint_moves_on_one_version_per_update(admin: Caller) -> None:
    blueprint_id = admin.blueprint(2)
    steps = [{"slug": PROBE, "config": {"note": "only"}}]
    body = {"blueprint_id": blueprint_id, "steps": steps, "expected_version": 1}
    updated = admin.data("blueprints/update", body)
    assert (updated["version"], len(updated["steps"])) == (2, 1)
    assert admin.refusal("blueprints/update", body) == (409, "blueprint_version_conflict")
    renamed = admin.data("blueprints/update", {"blueprint_id": blueprint_id, "name": f"new {uuid4()}"})
    assert renamed["steps"] == updated["steps"]


def test_faulty_steps_are_refused_before_anything_is_saved(admin: Caller) -> None:
    before = len(admin.data("blueprints/list"))
    bad_config = {"name": "b", "steps": [{"slug": PROBE, "config": {"note": 1, "extra": True}}]}
    answer = admin.post("blueprints/create", bad_config)
    assert answer.json()["error"]["code"] == "invalid_step_config"
    paths = {error["path"] for error in answer.json()["error"]["details"]["steps"][0]["errors"]}
    assert paths == {"", "/note"}
    unknown = {"name": "b", "steps": [{"slug": "no-such-step"}]}
    assert admin.refusal("blueprints/create", unknown) == (422, "unknown_step")
    assert len(admin.data("blueprints/list")) == before


def test_lists_go_on_where_the_page_before_ended(admin: Caller) -> None:
    names = [f"company {number}" for number in range(5)]
    for name in names:
        admin.data("companies/create", {"name": name})
    pages = admin.pages("companies/list", {"limit": 3})
    assert [len(page) for page in pages] == [3, 3, 1]
    found = [company["name"] for page in pages for company in page]
    assert len(set(found)) == 7
    assert set(names) <= set(found)


def test_a_cursor_that_no_list_gave_out_is_refused(admin: Caller) -> None:
    for cursor in ("x", "bm90IGEgY3Vyc29y", "WzEsMiwzLDQsNV0="):
        assert admin.refusal("companies/list", {"cursor": cursor}) == (422, "invalid_cursor")
