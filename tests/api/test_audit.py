"""The audit log through the API: each entry names who did it, and the request that did it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.api.caller import Caller
from tests.api.worker import Worker
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org, Tenants, Token, User, create_token, session_jwt

As = Callable[[User | Token], Caller]


def actor_of(user: User) -> dict[str, Any]:
    return {"type": "user", "user_id": user.id, "api_token_id": None, "name": user.email}


def test_an_entry_names_the_request_that_made_it(org: Org, admin: Caller) -> None:
    request_id = f"of-the-frontend.{uuid4().hex}"
    answer = admin.post("companies/create", {"name": "Named"}, {"X-Request-Id": request_id})
    assert answer.headers["X-Request-Id"] == request_id
    (entry,) = admin.data("audit/list", {"entity": "companies", "entity_id": answer.json()["data"]["id"]})
    assert (entry["request_id"], entry["actor"]) == (request_id, actor_of(org.admin))
    assert (entry["action"], entry["before"]) == ("created", None)
    assert entry["after"]["name"] == "Named"


def test_a_request_id_that_the_api_made_is_the_one_it_answered_with(admin: Caller) -> None:
    answer = admin.post("companies/create", {"name": "Named"})
    (entry,) = admin.data("audit/list", {"entity_id": answer.json()["data"]["id"]})
    assert entry["request_id"] == answer.headers["X-Request-Id"]


def test_a_caller_past_the_api_cannot_write_what_it_likes_as_a_request_id(
    supabase: StackEnvironment, http: httpx.Client, org: Org, admin: Caller
) -> None:
    for offered, kept in (("chosen-by-itself", "chosen-by-itself"), ("<script>alert(1)</script>", None)):
        answer = http.post(
            f"{supabase.supabase_url}/rest/v1/rpc/create_company",
            json={"p_name": "Direct"},
            headers={
                "apikey": supabase.publishable_key,
                "Authorization": f"Bearer {session_jwt(supabase, org.admin)}",
                "X-Request-Id": offered,
            },
        )
        assert answer.is_success, answer.text
        (entry,) = admin.data("audit/list", {"entity_id": answer.json()["id"]})
        assert entry["request_id"] == kept


def test_all_kinds_of_actors_meet_in_one_run(
    connection: psycopg.Connection, org: Org, as_: As, admin: Caller, worker: Worker
) -> None:
    token = create_token(connection, org.first.member)
    submitted = as_(token).submit(org.first.id, admin.blueprint())
    run_id = submitted["pipeline_run"]["id"]
    worker.finish(run_id)
    entries = admin.data("audit/list", {"entity": "pipeline_runs", "entity_id": run_id})
    by_token = {
        "type": "api_token",
        "user_id": org.first.member.id,
        "api_token_id": token.id,
        "name": "integration",
    }
    by_worker = {"type": "worker", "user_id": None, "api_token_id": None, "name": "run_of_the_tests"}
    told = [(entry["after"].get("status"), entry["actor"]) for entry in entries]
    assert told == [
        ("succeeded", by_worker),
        ("running", by_worker),
        (None, by_token),  # dispatched
        ("queued", by_token),
    ]
    made_by_operator = admin.data("audit/list", {"entity": "orgs"})
    assert [entry["actor"]["type"] for entry in made_by_operator] == ["operator"]


def test_a_person_who_accepts_an_invitation_is_the_actor(
    connection: psycopg.Connection, supabase: StackEnvironment, http: httpx.Client, org: Org, admin: Caller
) -> None:
    email = f"{uuid4()}@example.com"
    connection.execute(
        "insert into public.invitations (org_id, company_id, email, role) values (%s, %s, %s, 'member')",
        (org.id, org.first.id, email),
    )
    answer = http.post(
        f"{supabase.supabase_url}/auth/v1/signup",
        json={"email": email, "password": "correct horse battery staple"},
        headers={"apikey": supabase.publishable_key},
    )
    assert answer.is_success, answer.text
    admitted = answer.json()["user"]["id"]
    person = Caller(http, answer.json()["access_token"])
    assert person.data("invitations/accept")["user_id"] == admitted
    (user,) = admin.data("audit/list", {"entity": "users", "entity_id": admitted})
    accepted, invited = admin.data("audit/list", {"entity": "invitations"})
    assert (user["actor"]["type"], accepted["actor"]["user_id"]) == ("user", admitted)
    assert accepted["after"]["accepted_by"] == admitted
    assert invited["actor"]["type"] == "operator"


def test_nobody_but_an_org_admin_reads_the_log(
    connection: psycopg.Connection, org: Org, as_: As, nobody: Caller
) -> None:
    narrowed = create_token(connection, org.admin, role="company_admin", company_id=org.first.id)
    for who in (org.first.company_admin, org.first.member, narrowed):
        assert as_(who).refusal("audit/list") == (403, "forbidden")
    assert nobody.refusal("audit/list") == (401, "missing_credential")
    revoked = create_token(connection, org.admin)
    as_(org.admin).data("api-tokens/revoke", {"api_token_id": revoked.id})
    assert as_(revoked).refusal("audit/list") == (401, "api_token_revoked")


def test_an_org_admin_sees_nothing_of_another_org(fresh: Tenants, as_: As) -> None:
    seen = as_(fresh.other.admin).data("audit/list", {"limit": 200})
    assert {entry["org_id"] for entry in seen} == {fresh.other.id}
    stolen = {"entity": "orgs", "entity_id": fresh.org.id}
    assert as_(fresh.other.admin).data("audit/list", stolen) == []
    assert as_(fresh.other.admin).data("audit/list", {"actor_user_id": fresh.org.admin.id}) == []


def test_the_log_is_read_in_pages_and_by_time(admin: Caller) -> None:
    for number in range(4):
        admin.data("companies/create", {"name": f"Company {number}"})
    pages = admin.pages("audit/list", {"entity": "companies", "limit": 4})
    found = [entry for page in pages for entry in page]
    assert [len(page) for page in pages] == [4, 2]  # two were there before
    assert [entry["id"] for entry in found] == sorted((entry["id"] for entry in found), reverse=True)

    times = [entry["occurred_at"] for entry in found]
    newest = admin.data("audit/list", {"entity": "companies", "since": times[1]})
    assert [entry["id"] for entry in newest] == [entry["id"] for entry in found[:2]]
    older = admin.data("audit/list", {"entity": "companies", "until": times[1]})
    assert [entry["id"] for entry in older] == [entry["id"] for entry in found[2:]]


@pytest.mark.parametrize(
    "body",
    [
        {"entity": "Not A Table"},
        {"entity_id": ""},
        {"actor_user_id": "nobody"},
        {"since": "yesterday"},
        {"until": "2026-01-01T00:00:00"},
        {"actor": "me"},
    ],
)
def test_a_malformed_filter_is_refused(admin: Caller, body: dict[str, str]) -> None:
    assert admin.refusal("audit/list", body) == (422, "invalid_request")
