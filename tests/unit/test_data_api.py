"""Answers of PostgREST become answers of the API, and no call is sent twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import Settings
from tests.support.loopback import Answer, Loopback, Request, rpc_error
from tests.support.loopback_server import closed_port_url
from tests.unit.conftest import make_settings, session_token

GET_COMPANY = {"company_id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10"}


def get_company(client: TestClient) -> tuple[int, str]:
    answer = client.post("/v1/companies/get", json=GET_COMPANY)
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        # Errors that our own SQL raises.
        (rpc_error(404, "PT404", hint="company_not_found"), 404, "company_not_found"),
        (rpc_error(409, "PT409", hint="blueprint_version_conflict"), 409, "blueprint_version_conflict"),
        (rpc_error(401, "PT401", hint="api_token_revoked"), 401, "api_token_revoked"),
        (rpc_error(503, "PT503", hint="data_api_unavailable"), 503, "data_api_unavailable"),
        # The status comes from the code, whatever status PostgREST answered.
        (rpc_error(400, "PT422", hint="invalid_cursor"), 422, "invalid_cursor"),
        # Without a stable code the status gives a general one.
        (rpc_error(404, "PT404"), 404, "not_found"),
        (rpc_error(409, "PT409", hint="Not a code!"), 409, "conflict"),
        (rpc_error(418, "PT418"), 418, "internal_error"),
        # Error classes of PostgreSQL.
        (rpc_error(403, "42501"), 403, "forbidden"),
        (rpc_error(409, "23505"), 409, "conflict"),
        (rpc_error(409, "23503"), 409, "conflict"),
        (rpc_error(400, "23514"), 422, "invalid_request"),
        (rpc_error(400, "23502"), 422, "invalid_request"),
        (rpc_error(400, "22P02"), 422, "invalid_request"),
        (rpc_error(400, "22P05"), 422, "invalid_request"),
        (rpc_error(400, "22003"), 422, "invalid_request"),
        # Errors of PostgREST itself.
        (rpc_error(401, "PGRST301"), 401, "invalid_token"),
        (rpc_error(401, "PGRST302"), 401, "invalid_token"),
        (rpc_error(401, "PGRST303"), 401, "invalid_token"),
        (rpc_error(404, "PGRST202"), 500, "internal_error"),
        (rpc_error(406, "PGRST106"), 500, "internal_error"),
        (rpc_error(400, "PGRST102"), 500, "internal_error"),
        # Outages, overload and defects.
        (rpc_error(503, "PGRST000"), 503, "data_api_unavailable"),
        (rpc_error(503, "PGRST001"), 503, "data_api_unavailable"),
        (rpc_error(503, "PGRST002"), 503, "data_api_unavailable"),
        (rpc_error(504, "PGRST003"), 503, "data_api_unavailable"),
        (rpc_error(503, "53300"), 503, "data_api_unavailable"),
        (rpc_error(500, "57014"), 504, "statement_timeout"),
        (rpc_error(500, "57P01"), 503, "data_api_unavailable"),
        (rpc_error(500, "40P01"), 503, "data_api_unavailable"),
        (rpc_error(500, "XX000"), 500, "internal_error"),
        (rpc_error(400, "P0001"), 500, "internal_error"),
        (Answer(502, b"<html>bad gateway</html>"), 503, "data_api_unavailable"),
        (Answer(504, b""), 503, "data_api_unavailable"),
        (Answer(429, {"message": "slow down"}), 429, "too_many_requests"),
        (Answer(413, b"too large"), 413, "payload_too_large"),
        (Answer(302, b"", {"Location": "https://elsewhere"}), 500, "internal_error"),
        (Answer(500, ["no", "object"]), 500, "internal_error"),
        (Answer(200, b"not json"), 500, "internal_error"),
        (Answer(200, {"id": "misses the rest"}), 500, "internal_error"),
    ],
    ids=lambda value: str(getattr(value, "body", value))[:40],
)
def test_errors_of_the_data_api_become_stable_codes(
    client: TestClient, data_api: Loopback, answer: Answer, status: int, code: str
) -> None:
    data_api.rpc("get_company", answer)
    assert get_company(client) == (status, code)
    assert len(data_api.asked("/get_company")) == 1


def test_message_and_details_of_our_own_sql_reach_the_caller(client: TestClient, data_api: Loopback) -> None:
    data_api.rpc(
        "get_company",
        rpc_error(409, "PT409", "The blueprint is at version 3.", "some_code", '{"version": 3}'),
    )
    error = client.post("/v1/companies/get", json=GET_COMPANY).json()["error"]
    assert error["message"] == "The blueprint is at version 3."
    assert error["details"] == {"version": 3}


@pytest.mark.parametrize(
    ("details", "expected"), [(None, {}), ("plain text", {"text": "plain text"}), ("[1]", {"value": [1]})]
)
def test_details_are_always_an_object(
    client: TestClient, data_api: Loopback, details: str | None, expected: object
) -> None:
    data_api.rpc("get_company", rpc_error(409, "PT409", hint="conflict", details=details))
    assert client.post("/v1/companies/get", json=GET_COMPANY).json()["error"]["details"] == expected


@pytest.mark.parametrize("code", ["23505", "42501", "23514", "22P02", "XX000", "P0001", "PGRST202", "57014"])
def test_database_text_never_reaches_the_caller(client: TestClient, data_api: Loopback, code: str) -> None:
    secret = "duplicate key value violates unique constraint companies_secret_key"
    data_api.rpc("get_company", rpc_error(400, code, secret, f"hint {secret}", f"details {secret}"))
    assert "companies_secret_key" not in client.post("/v1/companies/get", json=GET_COMPANY).text


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (
            "23505",
            'duplicate key value violates unique constraint "api_tokens_token_hash_key"',
            {"constraint": "api_tokens_token_hash_key"},
        ),
        (
            "23514",
            'new row for relation "secrets" violates check constraint "secrets_name_check"',
            {"constraint": "secrets_name_check"},
        ),
        (
            "23502",
            'null value in column "name" of relation "companies" violates not-null constraint',
            {"column": "name"},
        ),
        ("22P02", 'invalid input syntax for type uuid: "constraint "hunter2""', {}),
        ("42501", 'permission denied for column "version"', {}),
    ],
)
def test_a_broken_rule_is_named_without_the_values_that_broke_it(
    client: TestClient, data_api: Loopback, code: str, message: str, expected: object
) -> None:
    data_api.rpc("get_company", rpc_error(400, code, message, details="Failing row contains (hunter2)."))
    answer = client.post("/v1/companies/get", json=GET_COMPANY)
    assert answer.json()["error"]["details"] == expected
    assert "hunter2" not in answer.text


def test_unavailable_says_when_to_try_again(client: TestClient, data_api: Loopback) -> None:
    data_api.rpc("get_company", rpc_error(503, "PGRST000"))
    assert int(client.post("/v1/companies/get", json=GET_COMPANY).headers["Retry-After"]) > 0
    data_api.rpc("get_company", Answer(429, {}, {"Retry-After": "17"}))
    assert client.post("/v1/companies/get", json=GET_COMPANY).headers["Retry-After"] == "17"


def test_statement_timeout_does_not_invite_to_repeat(client: TestClient, data_api: Loopback) -> None:
    data_api.rpc("get_company", rpc_error(500, "57014", "canceling statement due to statement timeout"))
    answer = client.post("/v1/companies/get", json=GET_COMPANY)
    assert "Retry-After" not in answer.headers
    assert "repeat" not in answer.json()["error"]["message"]


def test_an_answer_without_bounds_is_a_defect(
    client: TestClient, data_api: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http_client.MAX_ANSWER_BYTES", 100_000)
    data_api.rpc("get_company", Answer(200, b" " * 200_000))
    assert get_company(client) == (500, "internal_error")


def test_unreachable_data_api_is_503(trigger: Loopback) -> None:
    settings = make_settings(closed_port_url(), trigger.url)
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        assert get_company(client) == (503, "data_api_unavailable")
        readiness = client.get("/readyz")
    assert readiness.status_code == 503
    assert readiness.json()["error"]["details"] == {"data_api": "unreachable", "trigger": "ok"}


def test_call_carries_key_token_and_named_arguments(client: TestClient, data_api: Loopback) -> None:
    data_api.rpc("list_companies", Answer(200, {"items": [], "next_cursor": None}))
    client.post("/v1/companies/list", json={"limit": 7})
    (request,) = data_api.asked("/list_companies")
    assert request.body == {"p_limit": 7}
    assert request.headers["apikey"] == "sb_publishable_of_the_unit_tests"
    assert request.headers["authorization"] == client.headers["Authorization"]


@pytest.mark.parametrize("offered", ["of-the-frontend", "", "not one at all"])
def test_each_call_carries_the_id_of_its_request(
    client: TestClient, data_api: Loopback, offered: str
) -> None:
    data_api.rpc("list_companies", Answer(200, {"items": [], "next_cursor": None}))
    answer = client.post("/v1/companies/list", headers={"X-Request-Id": offered})
    sent = [request.headers["x-request-id"] for request in data_api.requests]
    assert sent == [answer.headers["X-Request-Id"]] * 2  # auth_context and list_companies
    assert (sent[0] == offered) is (offered == "of-the-frontend")


def test_requests_at_once_do_not_mix_up_their_ids(settings: Settings, data_api: Loopback) -> None:
    data_api.rpc("list_companies", Answer(200, {"items": [], "next_cursor": None}))
    with TestClient(create_app(settings)) as client, ThreadPoolExecutor(8) as pool:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"

        def ask(number: int) -> None:
            headers = {"X-Request-Id": f"request-{number}"}
            client.post("/v1/companies/list", json={"limit": number}, headers=headers)

        list(pool.map(ask, range(1, 41)))
    asked = data_api.asked("/list_companies")
    assert len(asked) == 40
    for request in asked:
        assert request.headers["x-request-id"] == f"request-{request.body['p_limit']}"


def test_only_fields_that_were_sent_are_passed_on(client: TestClient, data_api: Loopback) -> None:
    data_api.rpc("list_companies", Answer(200, {"items": [], "next_cursor": None}))
    client.post("/v1/companies/list")
    client.post("/v1/companies/list", json={"cursor": None})
    assert [request.body for request in data_api.asked("/list_companies")] == [{}, {"p_cursor": None}]


def test_cookies_of_the_data_api_are_not_kept(data_api: Loopback, trigger: Loopback) -> None:
    # The URL has a host name, because no cookie jar keeps cookies of an IP address.
    settings = make_settings(data_api.url.replace("127.0.0.1", "localhost"), trigger.url)
    page: dict[str, object] = {"items": [], "next_cursor": None}
    data_api.rpc("list_companies", Answer(200, page, {"Set-Cookie": "session=of-somebody; Path=/"}))
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        for _ in range(2):
            assert client.post("/v1/companies/list").status_code == 200
    assert all("cookie" not in request.headers for request in data_api.requests)


def test_value_of_a_secret_is_passed_on_as_it_is(client: TestClient, data_api: Loopback) -> None:
    answer = {"name": "crm", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    data_api.rpc("set_secret", Answer(200, answer))
    client.post("/v1/secrets/set", json={"name": "crm", "value": " whsec_x "})
    assert data_api.asked("/set_secret")[0].body == {"p_name": "crm", "p_value": " whsec_x "}


def test_the_auth_context_is_cached_except_for_the_endpoint_that_shows_it(
    client: TestClient, data_api: Loopback
) -> None:
    data_api.rpc("list_companies", Answer(200, {"items": [], "next_cursor": None}))
    for _ in range(3):
        client.post("/v1/companies/list")
    assert len(data_api.asked("/auth_context")) == 1
    client.post("/v1/auth/context")
    assert len(data_api.asked("/auth_context")) == 2


def test_refused_callers_are_not_cached(client: TestClient, data_api: Loopback) -> None:
    answers = [rpc_error(403, "PT403", hint="user_deactivated")]

    def auth_context(_: Request) -> Answer:
        return answers[0]

    data_api.rpc("auth_context", auth_context)
    data_api.rpc("list_companies", Answer(200, {"items": [], "next_cursor": None}))
    assert client.post("/v1/companies/list").json()["error"]["code"] == "user_deactivated"
    assert not data_api.asked("/list_companies")
    client.post("/v1/companies/list")
    assert len(data_api.asked("/auth_context")) == 2
