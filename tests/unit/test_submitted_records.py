"""Records sent as JSON: what is refused before the database sees it, and what is counted of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.loopback import Answer, Loopback
from tests.unit.conftest import pipeline_run, submission
from tests.unit.uploads import FORM, calls, code


def create(client: TestClient, records: str) -> Any:  # noqa: ANN401 (a response)
    body = (
        f'{{"company_id":"{FORM["company_id"]}","blueprint_id":"{FORM["blueprint_id"]}","records":{records}}}'
    )
    return client.post(
        "/v1/submissions/create", content=body.encode(), headers={"Content-Type": "application/json"}
    )


@pytest.mark.parametrize("depth", [100, 200, 900])
def test_records_too_deep_to_be_given_back_are_refused_before_they_are_parsed(
    client: TestClient, data_api: Loopback, depth: int
) -> None:
    answer = create(client, '[{"a":1},{"a":' + "[" * depth + "]" * depth + "}]")
    assert code(answer) == (422, "invalid_request")
    assert calls(data_api) == []


def test_a_body_too_deep_to_be_parsed_is_refused(client: TestClient) -> None:
    status, error = code(create(client, '[{"a":' + "[" * 100_000 + "]" * 100_000 + "}]"))
    assert (status // 100, error) == (4, "invalid_request")


@pytest.mark.parametrize(
    "records",
    [
        '[{"\\ud800": 1}]',
        '[{"a": "\\ud800"}]',
        '[{"\\ud800": 1e400}]',
        '[{"\\ud800": 9007199254740993}]',
        '[{"a": {"\\udc00": 1}}]',
    ],
)
def test_half_a_surrogate_pair_is_refused_and_no_defect_of_ours(client: TestClient, records: str) -> None:
    assert create(client, records).status_code == 422


def test_records_as_json_are_profiled(client: TestClient, data_api: Loopback) -> None:
    data_api.rpc(
        "create_submission", Answer(200, {"submission": submission(), "pipeline_run": pipeline_run()})
    )
    assert create(client, '[{"a": "ACME", "b": 1}, {"a": null}]').status_code == 202
    (request,) = data_api.asked("/create_submission")
    assert request.body["p_columns"] == [
        {"name": "a", "filled": 1, "capitals": 1, "lower_case": 0, "numeric": 0},
        {"name": "b", "filled": 1, "capitals": 0, "lower_case": 0, "numeric": 1},
    ]
