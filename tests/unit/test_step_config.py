"""Step configs are checked against published schemas, of steps that the API does not know."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.step_config import config_errors
from tests.support.loopback import Answer, Loopback, Request, rpc_error

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "fields": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "mode": {"enum": ["fast", "safe"]},
        "target": {"anyOf": [{"type": "string", "format": "email"}, {"type": "null"}]},
        "pairs": {"type": "array", "prefixItems": [{"type": "integer"}], "items": False},
    },
    "required": ["fields"],
    "additionalProperties": False,
}
BLUEPRINT: dict[str, object] = {
    "id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10",
    "org_id": "0d3e2b6e-3b1f-4a7d-9b57-2c0f5a6f1e21",
    "name": "b",
    "description": None,
    "version": 1,
    "steps": [],
    "created_by": None,
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({}, ""),
        ({"fields": []}, "/fields"),
        ({"fields": ["a", 1]}, "/fields/1"),
        ({"fields": ["a"], "mode": "wild"}, "/mode"),
        ({"fields": ["a"], "extra": 1}, ""),
        ({"fields": ["a"], "target": "no address"}, "/target"),
        ({"fields": ["a"], "pairs": [1, 2]}, "/pairs/1"),
    ],
)
def test_a_config_that_does_not_match_has_a_path_and_a_reason(config: dict[str, Any], path: str) -> None:
    (error,) = config_errors(json.dumps(SCHEMA), config)
    assert error["path"] == path
    assert error["message"]


@pytest.mark.parametrize(
    "config", [{"fields": ["a"]}, {"fields": ["a"], "mode": "fast", "target": None, "pairs": [1]}]
)
def test_a_config_that_matches_has_no_errors(config: dict[str, Any]) -> None:
    assert config_errors(json.dumps(SCHEMA), config) == []


def test_path_is_a_json_pointer() -> None:
    schema = {"properties": {"a/b~c": {"type": "integer"}}}
    assert config_errors(json.dumps(schema), {"a/b~c": "x"})[0]["path"] == "/a~1b~0c"


def publishes(data_api: Loopback, *slugs: str) -> None:
    def pin_steps(request: Request) -> Answer:
        wanted = zip(request.body["p_slugs"], request.body["p_versions"], strict=True)
        steps: list[dict[str, Any]] = [
            {"version": version or "2.1.0", "config_schema": SCHEMA}
            if slug in slugs
            else {"version": None, "config_schema": None}
            for slug, version in wanted
        ]
        return Answer(200, {"steps": steps})

    data_api.rpc("pin_steps", pin_steps)
    data_api.rpc("create_blueprint", Answer(200, BLUEPRINT))
    data_api.rpc("update_blueprint", Answer(200, BLUEPRINT))


def test_blueprint_is_saved_with_the_versions_its_configs_were_checked_against(
    client: TestClient, data_api: Loopback
) -> None:
    publishes(data_api, "one", "two")
    steps = [
        {"slug": "one", "config": {"fields": ["a"]}},
        {"slug": "two", "version": "1.0.0", "config": {"fields": ["b"]}, "retry": {"max_attempts": 3}},
        {"slug": "one", "config": {"fields": ["c"]}},
    ]
    answer = client.post("/v1/blueprints/create", json={"name": "b", "steps": steps})
    assert answer.status_code == 200, answer.text
    (created,) = data_api.asked("/create_blueprint")
    assert [(step["slug"], step["version"], step.get("retry")) for step in created.body["p_steps"]] == [
        ("one", "2.1.0", None),
        ("two", "1.0.0", {"max_attempts": 3}),
        ("one", "2.1.0", None),
    ]
    (pinned,) = data_api.asked("/pin_steps")
    assert pinned.body == {"p_slugs": ["one", "two"], "p_versions": [None, "1.0.0"]}


@pytest.mark.parametrize(
    ("path", "body"),
    [("create", {"name": "b"}), ("update", {"blueprint_id": BLUEPRINT["id"]})],
)
def test_every_faulty_step_is_named_and_nothing_is_saved(
    client: TestClient, data_api: Loopback, path: str, body: dict[str, Any]
) -> None:
    publishes(data_api, "one", "two")
    steps = [
        {"slug": "one"},
        {"slug": "two", "config": {"fields": ["a"]}},
        {"slug": "two", "config": {"x": 1}},
    ]
    answer = client.post(f"/v1/blueprints/{path}", json=body | {"steps": steps})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "invalid_step_config"
    assert [(step["position"], step["slug"]) for step in error["details"]["steps"]] == [
        (1, "one"),
        (3, "two"),
    ]
    assert not data_api.asked(f"/{path}_blueprint")


def test_unknown_steps_are_named_by_position(client: TestClient, data_api: Loopback) -> None:
    publishes(data_api, "one")
    steps = [{"slug": "one", "config": {"fields": ["a"]}}, {"slug": "nowhere", "version": "9.9.9"}]
    answer = client.post("/v1/blueprints/create", json={"name": "b", "steps": steps})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "unknown_step"
    assert answer.json()["error"]["details"]["steps"] == [
        {"position": 2, "slug": "nowhere", "version": "9.9.9"}
    ]


def test_outage_while_looking_up_steps_is_an_outage(client: TestClient, data_api: Loopback) -> None:
    data_api.rpc("pin_steps", rpc_error(503, "PGRST000"))
    answer = client.post("/v1/blueprints/create", json={"name": "b", "steps": [{"slug": "one"}]})
    assert answer.json()["error"]["code"] == "data_api_unavailable"


def test_update_without_steps_looks_up_none(client: TestClient, data_api: Loopback) -> None:
    publishes(data_api)
    client.post("/v1/blueprints/update", json={"blueprint_id": BLUEPRINT["id"], "name": "c"})
    (updated,) = data_api.asked("/update_blueprint")
    assert updated.body == {"p_blueprint_id": BLUEPRINT["id"], "p_name": "c"}


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [{"slug": "Not A Slug"}],
        [{"slug": "a", "retry": {"max_attempts": 0}}],
        [{"slug": "a", "condition": 1}],
        [{"slug": "a"}] * 51,
    ],
)
def test_malformed_steps_are_refused(client: TestClient, steps: list[Any]) -> None:
    assert client.post("/v1/blueprints/create", json={"name": "b", "steps": steps}).status_code == 422
