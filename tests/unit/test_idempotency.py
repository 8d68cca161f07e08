"""The Idempotency-Key header, and when two requests are the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.errors import ApiError
from api.idempotency import idempotency_arguments, request_hash
from api.models.companies import CreateCompany
from tests.support.loopback import Answer, Loopback

COMPANY = {
    "id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10",
    "org_id": "0d3e2b6e-3b1f-4a7d-9b57-2c0f5a6f1e21",
    "name": "Acme",
    "external_id": None,
    "created_at": "2026-01-01T00:00:00Z",
}


def hash_of(**body: Any) -> str:  # noqa: ANN401 (any field of the model)
    arguments = idempotency_arguments("key", "/v1/companies/create", CreateCompany(**body))
    return arguments["p_request_hash"]


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
    assert idempotency_arguments(None, "/v1/companies/create", CreateCompany(name="Acme")) == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_cannot_be_stored_is_refused(value: object) -> None:
    with pytest.raises(ApiError) as raised:
        request_hash("/r", {"a": value})
    assert raised.value.code == "invalid_request"


def test_key_and_hash_reach_the_rpc(client: TestClient, data_api: Loopback) -> None:
    data_api.rpc("create_company", Answer(200, COMPANY))
    client.post("/v1/companies/create", json={"name": "Acme"}, headers={"Idempotency-Key": "import 7"})
    (request,) = data_api.asked("/create_company")
    assert request.body == {
        "p_name": "Acme",
        "p_idempotency_key": "import 7",
        "p_request_hash": hash_of(name="Acme"),
    }


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "umlaut-\u00e4".encode(), b"\x7f"])
def test_keys_that_are_not_1_to_255_printable_characters_are_refused(
    client: TestClient, data_api: Loopback, key: str | bytes
) -> None:
    headers = {b"Idempotency-Key": key.encode() if isinstance(key, str) else key}
    answer = client.post("/v1/companies/create", json={"name": "Acme"}, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["errors"][0]["path"] == "header.Idempotency-Key"
    assert not data_api.asked("/create_company")
