"""The Idempotency-Key header, and which requests count as the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.idempotency import IdempotencyScope
from api.json_text import RefusedJsonError
from api.models.companies import CreateCompany
from api.request_hash import request_hash
from tests.support.loopback import Answer, Loopback
from tests.unit.conftest import USER_ID
from tests.unit.test_step_config import publishes

COMPANY = {
    "id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10",
    "org_id": "0d3e2b6e-3b1f-4a7d-9b57-2c0f5a6f1e21",
    "name": "Acme",
    "external_id": None,
    "created_at": "2026-01-01T00:00:00Z",
}
SUBMISSION = {"company_id": USER_ID, "blueprint_id": USER_ID}
STEPS = [{"slug": "one", "config": {"fields": ["a"]}}]
# The endpoints that take the header: the RPC that each calls, and a body.
CREATING: dict[str, tuple[str, dict[str, Any]]] = {
    "/v1/companies/create": ("create_company", {"name": "Acme"}),
    "/v1/invitations/create": ("create_invitation", {"email": "grace@example.com", "role": "member"}),
    "/v1/blueprints/create": ("create_blueprint", {"name": "Clean", "steps": STEPS}),
    "/v1/submissions/create": ("create_submission", SUBMISSION | {"records": [{"a": 1}]}),
    "/v1/submissions/upload": ("open_submission", SUBMISSION),
    "/v1/pipeline-runs/create": ("create_pipeline_run", {"submission_id": USER_ID}),
    "/v1/pipeline-runs/retry": ("retry_pipeline_run", {"pipeline_run_id": USER_ID}),
    "/v1/pipeline-runs/retry-rejected": ("retry_rejected_records", {"pipeline_run_id": USER_ID}),
}


def hash_of(**body: Any) -> str:  # noqa: ANN401 (any field of the model)
    scope = IdempotencyScope("key", "/v1/companies/create")
    return scope.arguments(CreateCompany(**body))["p_request_hash"]


def test_hash_is_the_same_for_the_same_body_however_it_was_written() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", hash_of(name="Acme"))
    assert hash_of(name="Acme") == hash_of(name="Acme", external_id=None)
    assert request_hash("/r", {"a": 1, "b": {"c": 2, "d": 3}}) == request_hash(
        "/r", {"b": {"d": 3, "c": 2}, "a": 1}
    )


def test_hash_differs_by_body_by_order_of_lists_and_by_route() -> None:
    assert hash_of(name="Acme") != hash_of(name="Acme", external_id="1")
    assert request_hash("/r", {"a": [1, 2]}) != request_hash("/r", {"a": [2, 1]})
    assert request_hash("/r", {"a": 1}) != request_hash("/r", {"a": "1"})
    assert request_hash("/r", {}) != request_hash("/s", {})


def test_without_a_key_nothing_is_hashed() -> None:
    assert IdempotencyScope(None, "/v1/companies/create").arguments(CreateCompany(name="Acme")) == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_a_value_that_cannot_be_stored_is_refused(value: object) -> None:
    with pytest.raises(RefusedJsonError):
        request_hash("/r", {"a": value})


def test_key_and_hash_reach_the_rpc(client: TestClient, data_api: Loopback) -> None:
    data_api.rpc("create_company", Answer(200, COMPANY))
    client.post("/v1/companies/create", json={"name": "Acme"}, headers={"Idempotency-Key": "import 7"})
    (request,) = data_api.asked("/create_company")
    assert request.body == {
        "p_name": "Acme",
        "p_idempotency_key": "import 7",
        "p_request_hash": hash_of(name="Acme"),
    }


def test_creating_endpoints_take_the_header(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    taking = {
        path
        for path, methods in paths.items()
        for operation in methods.values()
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "Idempotency-Key"
    }
    assert taking == CREATING.keys()


@pytest.mark.parametrize("path", CREATING)
def test_the_path_of_the_endpoint_is_in_the_hash(
    client: TestClient, data_api: Loopback, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    hashed: list[str] = []

    def spy(route: str, body: dict[str, Any]) -> str:
        hashed.append(route)
        return request_hash(route, body)

    monkeypatch.setattr("api.request_hash.request_hash", spy)
    publishes(data_api, "one")
    rpc, body = CREATING[path]
    file = {"file": ("a.csv", b"a\n1\n")} if path.endswith("/upload") else None
    sent: dict[str, Any] = {"data": body, "files": file} if file else {"json": body}
    client.post(path, headers={"Idempotency-Key": "key"}, **sent)
    (request,) = data_api.asked(f"/{rpc}")
    assert request.body["p_idempotency_key"] == "key"
    assert re.fullmatch("[0-9a-f]{64}", request.body["p_request_hash"])
    assert hashed == [path]


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "umlaut-\u00e4".encode(), b"\x7f"])
def test_keys_that_are_not_1_to_255_printable_characters_are_refused(
    client: TestClient, data_api: Loopback, key: str | bytes
) -> None:
    headers = {b"Idempotency-Key": key.encode() if isinstance(key, str) else key}
    answer = client.post("/v1/companies/create", json={"name": "Acme"}, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["errors"][0]["path"] == "header.Idempotency-Key"
    assert not data_api.asked("/create_company")
