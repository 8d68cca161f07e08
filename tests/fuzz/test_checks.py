"""Each rule notices the answers that break it, and no others."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
import requests
from schemathesis.core.transport import Response

from tests.fuzz.callers import Caller
from tests.fuzz.cases import Case, Endpoint, Json, load
from tests.fuzz.checks import Checks, Exchange, listed_codes
from tests.fuzz.world import Belongings
from tests.support.tenants import Company, Org, User

REQUEST_ID = "0b6ad1d2c8c44f7f9d6f6f0f5d0e6a11"
OWN_ID, HIDDEN_ID = str(uuid4()), str(uuid4())
JSON_ANSWER = {"application/json": {"schema": {"type": "object"}}}
DOCUMENT: Json = {
    "openapi": "3.1.0",
    "info": {"title": "A thing", "version": "1"},
    "paths": {
        "/v1/companies/get": {
            "post": {
                "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
                "responses": {
                    "200": {
                        "description": "The thing.",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": ["data"],
                                    "properties": {"data": {"type": "object"}},
                                }
                            }
                        },
                    },
                    **{
                        str(status): {"description": "No.", "content": JSON_ANSWER}
                        for status in (401, 404, 422)
                    },
                },
            }
        }
    },
    "components": {"schemas": {"BlueprintStepInput": {"type": "object", "properties": {}}}},
}


def org(name: str) -> Org:
    people = User(str(uuid4()), str(uuid4()), None, "org_admin", f"{name}@example.com")
    company = Company(str(uuid4()), str(uuid4()), name, people, people, people)
    return Org(str(uuid4()), name, name, people, company, company)


OWN = Belongings(org("acme"), "marker-own")
OTHER = Belongings(org("globex"), "marker-other")
ADMIN = Caller("org_admin", "a session", OWN, OTHER)
DEAD = Caller("expired token", "dex_", OWN, OTHER, dead=True)


@pytest.fixture(scope="module")
def endpoint() -> Endpoint:
    (endpoint,) = load(DOCUMENT, [{"slug": "a", "version": "1.0.0", "config_schema": {"type": "object"}}])
    return endpoint


@pytest.fixture(scope="module")
def case(endpoint: Endpoint) -> Case:
    return endpoint.cases(4, seed=1)[1]


def error(code: str, **changes: object) -> Json:
    return {
        "error": {"code": code, "message": "No.", "details": {}, "request_id": REQUEST_ID, **changes},
    }


def kinds(case: Case, status: int, body: Any, caller: Caller = ADMIN, sent: str = "{}") -> list[str]:  # noqa: ANN401
    response = Response(
        status,
        {"content-type": ["application/json"], "x-request-id": [REQUEST_ID]},
        json.dumps(body).encode(),
        requests.Request("POST", "http://127.0.0.1/v1/companies/get", data=sent).prepare(),
        0.01,
        False,
    )
    checks = Checks(lambda _, found: found == HIDDEN_ID)
    return [problem.kind for problem in checks.problems(Exchange(case, caller, response))]


def test_right_answers_have_no_problem(case: Case) -> None:
    assert kinds(case, 200, {"data": {"id": OWN_ID, "name": "marker-own"}}) == []
    assert kinds(case, 404, error("company_not_found")) == []
    assert kinds(case, 401, error("api_token_expired"), DEAD) == []


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("server error", 500, error("internal_error")),
        ("server error", 503, error("data_api_unavailable")),
        ("envelope", 404, {"detail": "Not Found"}),
        ("envelope", 404, error("company_not_found", request_id="another")),
        ("envelope", 404, error("company_not_found", more="fields")),
        ("unlisted code", 404, error("company_lost")),
        ("unlisted code", 422, error("company_not_found")),
        ("off the document", 409, error("conflict")),
        ("off the document", 200, {"items": []}),
        ("another tenant's", 200, {"data": {"id": HIDDEN_ID}}),
        ("another tenant's", 200, {"data": {"name": "marker-other"}}),
        ("another tenant's", 404, error("company_not_found", details={"id": HIDDEN_ID.upper()})),
    ],
)
def test_wrong_answer_has_its_problem(case: Case, kind: str, status: int, body: Json) -> None:
    assert kinds(case, status, body) == [kind]


@pytest.mark.parametrize(("status", "body"), [(200, {"data": {}}), (404, error("company_not_found"))])
def test_dead_credential_is_answered_nothing_but_a_refusal(case: Case, status: int, body: Json) -> None:
    assert kinds(case, status, body, DEAD) == ["dead credential"]


def test_caller_may_be_told_the_ids_that_it_has_sent(case: Case) -> None:
    body = {"data": {"id": HIDDEN_ID}}
    assert kinds(case, 200, body, sent=json.dumps({"company_id": HIDDEN_ID})) == []


def test_codes_are_read_from_every_table_that_has_a_status() -> None:
    page = "| `a_code` | 409 | What. | Do. |\n| `other` | no status |\n\n| `b2` | 500 | What. | Do. |"
    assert listed_codes(page) == {"a_code": 409, "b2": 500}
