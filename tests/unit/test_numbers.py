"""Numbers in submitted records that the worker would change, because it computes in doubles."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from api.ingest.numbers import changing_field
from tests.support.loopback import Answer, Loopback

CHANGING = [
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "1e400",
    "-1e400",
    "[1, [9007199254740993]]",
    '{"deep": {"er": [{}, {"x": 9007199254740993}]}}',
]
KEPT = [
    "9007199254740991",
    "-9007199254740991",
    "1e20",
    "0.1",
    "true",
    "null",
    '"9007199254740993"',
    '["9007199254740993", {"9007199254740993": 1}]',
]


@pytest.mark.parametrize("value", CHANGING)
def test_the_field_of_a_number_that_would_change_is_named(value: str) -> None:
    assert changing_field(json.loads(f'{{"a": 1, "crm_id": {value}, "b": 2}}')) == "crm_id"


@pytest.mark.parametrize("value", KEPT)
def test_a_value_that_a_double_holds_passes(value: str) -> None:
    assert changing_field(json.loads(f'{{"a": {value}}}')) is None


def test_a_number_is_found_at_any_depth() -> None:
    deep: Any = 2**53
    for _ in range(50_000):
        deep = [deep]
    assert changing_field({"a": 1, "b": deep}) == "b"


@pytest.mark.parametrize("value", ["9007199254740993", "1e400"])
def test_json_records_that_would_change_are_refused_by_row_and_nothing_is_written(
    client: TestClient, data_api: Loopback, value: str
) -> None:
    data_api.rpc("create_submission", Answer(500, {}))
    body = f"""{{
        "company_id": "{uuid4()}", "blueprint_id": "{uuid4()}",
        "records": [{{"crm_id": 1}}, {{"name": "Acme", "crm_id": {value}}}]
    }}"""
    headers = {"Content-Type": "application/json"}
    answer = client.post("/v1/submissions/create", content=body, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "invalid_records")
    assert error["details"] == {"row": 2, "field": "crm_id"}
    assert data_api.asked("/create_submission") == []
