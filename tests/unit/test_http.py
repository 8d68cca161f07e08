"""Common to all requests: ids, the error envelope, limits, health, CORS and the log."""

from __future__ import annotations

import json
import socket
from typing import Any

import jwt
import pytest
from fastapi.testclient import TestClient

from api.data_api import CHECK_PATH
from api.main import SMALL_BODY, create_app
from api.routes import health
from api.settings import Settings
from tests.support.loopback import Answer, Loopback, rpc_error
from tests.support.loopback_server import closed_port_url
from tests.support.served_app import served
from tests.support.waiting import wait_until
from tests.unit.conftest import JWT_SECRET, make_settings, session_token


def error_of(answer: Any) -> dict[str, Any]:  # noqa: ANN401 (a response of TestClient)
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details", "request_id"}
    assert body["error"]["request_id"] == answer.headers["X-Request-Id"]
    error: dict[str, Any] = body["error"]
    return error


def test_request_id_is_made_when_none_is_sent(client: TestClient) -> None:
    first, second = client.get("/healthz"), client.get("/healthz")
    assert len(first.headers["X-Request-Id"]) == 32
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


def test_sane_request_id_is_kept(client: TestClient) -> None:
    answer = client.post("/v1/nothing/here", headers={"X-Request-Id": "frontend-4711.a_b"})
    assert error_of(answer)["request_id"] == "frontend-4711.a_b"


@pytest.mark.parametrize("offered", ["short", "x" * 65, 'a"b{c}d e', "id with spaces"])
def test_other_request_ids_are_replaced(client: TestClient, offered: str) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": offered}).headers["X-Request-Id"] != offered


def test_unknown_route_and_wrong_method_have_the_envelope(client: TestClient) -> None:
    assert (answer := client.post("/v1/companies/nope")).status_code == 404
    assert error_of(answer)["code"] == "not_found"
    assert (answer := client.get("/v1/companies/list")).status_code == 405
    assert error_of(answer)["code"] == "method_not_allowed"
    assert client.post("/v1/companies/list/").status_code == 404


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "company_id"),
        ({"company_id": "no uuid"}, "company_id"),
        ({"company_id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10", "extra": 1}, "extra"),
    ],
)
def test_validation_errors_name_the_field(client: TestClient, body: dict[str, Any], path: str) -> None:
    answer = client.post("/v1/companies/get", json=body)
    assert answer.status_code == 422
    error = error_of(answer)
    assert error["code"] == "invalid_request"
    assert [item["path"] for item in error["details"]["errors"]] == [path]


def test_validation_errors_do_not_repeat_what_was_sent(client: TestClient) -> None:
    answer = client.post("/v1/secrets/set", json={"name": "a b", "value": "", "hunter2": "hunter2-value"})
    assert answer.status_code == 422
    assert "hunter2-value" not in answer.text


def test_many_validation_errors_are_counted_and_cut(client: TestClient) -> None:
    body = {
        "company_id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10",
        "blueprint_id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10",
        "records": [1] * 500,
    }
    details = error_of(client.post("/v1/submissions/create", json=body))["details"]
    assert details["error_count"] == 500
    assert len(details["errors"]) == 20
    assert details["errors"][3]["path"] == "records.3"


@pytest.mark.parametrize("text", ["{", "[]", '"text"', "null", ""])
def test_bodies_that_are_not_a_json_object_are_422(client: TestClient, text: str) -> None:
    answer = client.post("/v1/companies/get", content=text, headers={"Content-Type": "application/json"})
    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_request")


def test_another_content_type_is_415(client: TestClient) -> None:
    answer = client.post("/v1/companies/get", content="{}", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, error_of(answer)["code"]) == (415, "unsupported_media_type")
    answer = client.post("/v1/submissions/upload", json={})
    assert (answer.status_code, error_of(answer)["code"]) == (415, "unsupported_media_type")


def test_unknown_errors_are_500_without_their_text(client: TestClient, settings: Settings) -> None:
    app = create_app(settings)

    @app.post("/v1/broken/now")
    async def broken() -> None:
        raise RuntimeError("password=hunter2")

    with TestClient(app, raise_server_exceptions=False) as broken_client:
        headers = {"Authorization": f"Bearer {session_token(settings)}"}
        answer = broken_client.post("/v1/broken/now", headers=headers)
    assert answer.status_code == 500
    assert error_of(answer)["code"] == "internal_error"
    assert "hunter2" not in answer.text


def test_a_too_large_body_is_413_and_names_the_upload_endpoint(client: TestClient) -> None:
    answer = client.post("/v1/companies/get", content=b"x" * (SMALL_BODY.max_bytes + 1))
    assert answer.status_code == 413
    error = error_of(answer)
    assert error["code"] == "payload_too_large"
    assert "/v1/submissions/upload" in error["message"]


def test_a_too_large_body_of_unknown_length_is_413(client: TestClient) -> None:
    chunks = (b"x" * 1024 * 1024 for _ in range(11))
    answer = client.post("/v1/companies/get", content=chunks, headers={"Content-Type": "application/json"})
    assert (answer.status_code, error_of(answer)["code"]) == (413, "payload_too_large")


def test_upload_has_its_own_limit(data_api: Loopback, trigger: Loopback) -> None:
    settings = make_settings(data_api.url, trigger.url, max_upload_bytes=1024 * 1024)
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        answer = client.post("/v1/submissions/upload", files={"file": ("a.csv", b"x" * 2_000_000)})
    assert (answer.status_code, error_of(answer)["code"]) == (413, "payload_too_large")


def test_healthz_needs_no_credential(client: TestClient) -> None:
    assert client.get("/healthz", headers={"Authorization": ""}).json() == {"status": "ok"}


def list_orgs(data_api: Loopback, answer: Answer) -> None:
    """Answers the list of orgs, by which the API finds out whether the Data API is ready."""
    data_api.routes[CHECK_PATH] = lambda _: answer


def test_readyz_asks_the_data_api_as_nobody_and_reports_trigger(
    client: TestClient, data_api: Loopback, settings: Settings
) -> None:
    list_orgs(data_api, Answer(200, []))
    assert client.get("/readyz").json() == {
        "status": "ok",
        "data_api": "ok",
        "trigger": "ok",
        "reconciler": "unknown",
    }
    (asked,) = data_api.asked(CHECK_PATH)
    bearer = asked.headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(bearer, JWT_SECRET, algorithms=["HS256"], audience="authenticated")
    assert (claims["role"], claims["api_token_hash"]) == ("authenticated", "0" * 64)
    client.get("/readyz")
    assert len(data_api.asked(CHECK_PATH)) == 1


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (rpc_error(404, "PGRST205"), "unreachable"),
        (Answer(503, b""), "unreachable"),
        (Answer(200, [{"id": "an org that nobody may see"}]), "unreachable"),
        (rpc_error(401, "PGRST301"), "unauthorized"),
    ],
    ids=str,
)
def test_readyz_is_503_while_the_schema_is_missing_or_open_or_the_key_is_refused(
    client: TestClient, data_api: Loopback, answer: Answer, state: str
) -> None:
    list_orgs(data_api, answer)
    for _ in range(2):
        refused = client.get("/readyz")
        assert (refused.status_code, error_of(refused)["code"]) == (503, "data_api_unavailable")
        assert error_of(refused)["details"]["data_api"] == state
    assert len(data_api.asked(CHECK_PATH)) == 1, "what was found is remembered, failures too"


def test_readyz_forgets_a_failure_after_a_while(
    client: TestClient, data_api: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_orgs(data_api, Answer(503, b""))
    assert client.get("/readyz").status_code == 503
    list_orgs(data_api, Answer(200, []))
    monkeypatch.setattr(health, "REMEMBER_SECONDS", 0.0)
    assert client.get("/readyz").status_code == 200


def test_readyz_stays_ready_without_trigger(data_api: Loopback) -> None:
    list_orgs(data_api, Answer(200, []))
    with TestClient(create_app(make_settings(data_api.url, closed_port_url()))) as client:
        assert client.get("/readyz").json()["trigger"] == "unreachable"


def test_readyz_tells_a_wrong_trigger_key(client: TestClient, data_api: Loopback, trigger: Loopback) -> None:
    list_orgs(data_api, Answer(200, []))
    trigger.fallback = lambda _: Answer(401, {"error": "Invalid API key"})
    assert client.get("/readyz").json()["trigger"] == "unauthorized"


def test_cors_answers_named_origins_only(data_api: Loopback, trigger: Loopback) -> None:
    settings = make_settings(data_api.url, trigger.url, cors_allowed_origins=("https://app.acme.com",))
    with TestClient(create_app(settings)) as client:
        for origin, allowed in (("https://app.acme.com", "https://app.acme.com"), ("https://evil.com", None)):
            preflight = client.options(
                "/v1/companies/list",
                headers={
                    "Origin": origin,
                    "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": "authorization, idempotency-key",
                },
            )
            assert preflight.headers.get("Access-Control-Allow-Origin") == allowed
            refusal = client.post("/v1/companies/list", headers={"Origin": origin})
            assert refusal.headers.get("Access-Control-Allow-Origin") == allowed
            assert refusal.status_code == 401
            if allowed:
                exposed = refusal.headers["Access-Control-Expose-Headers"].split(", ")
                assert set(exposed) >= {
                    "X-Request-Id",
                    "RateLimit",
                    "RateLimit-Policy",
                    "Retry-After",
                    "Content-Disposition",
                }


def test_access_log_names_the_caller_and_no_secret(
    data_api: Loopback, trigger: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = make_settings(data_api.url, trigger.url, log_level="INFO")
    data_api.rpc("set_secret", rpc_error(403, "42501", "permission denied"))
    token = session_token(settings)
    with TestClient(create_app(settings)) as client:
        client.post(
            "/v1/secrets/set?token=in-the-query",
            json={"name": "crm", "value": "hunter2-value"},
            headers={"Authorization": f"Bearer {token}", "X-Request-Id": "of-the-access-log"},
        )
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    lines = [line for line in lines if line["logger"].startswith("api.")]
    (access,) = [line for line in lines if line["logger"] == "api.access"]
    assert access["request_id"] == "of-the-access-log"
    assert (access["path"], access["status"]) == ("/v1/secrets/set", 403)
    assert access["auth_method"] == "supabase_jwt"
    assert {line["request_id"] for line in lines if line["logger"].startswith("api.")} == {
        "of-the-access-log"
    }
    printed = json.dumps(lines)
    for secret in (token, "hunter2-value", "in-the-query", "sb_publishable", "a-secret-that-only"):
        assert secret not in printed


def test_caller_that_hangs_up_is_no_defect(
    data_api: Loopback, trigger: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = make_settings(data_api.url, trigger.url, log_level="INFO")
    with served(create_app(settings)) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = (
                "POST /v1/submissions/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
                "Content-Type: multipart/form-data; boundary=x\r\n"
                f"Authorization: Bearer {session_token(settings)}\r\n\r\n--x\r\n"
            )
            connection.sendall(head.encode())
            wait_until("the API asks who is calling", lambda: data_api.requests)
        printed: list[str] = []

        def access_line() -> bool:
            printed.append(capsys.readouterr().out)
            return '"api.access"' in "".join(printed)

        wait_until("the access line is printed", access_line)
    assert "the caller hung up" in "".join(printed)
    assert '"error"' not in "".join(printed)
