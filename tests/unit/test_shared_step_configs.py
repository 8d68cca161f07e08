"""The API refuses the configs that the worker refuses, by the schemas that the worker publishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.step_config import config_errors

SHARED = Path(__file__).parents[1] / "shared"
SCHEMAS: dict[str, Any] = json.loads((SHARED / "step_schemas.json").read_text())
STEPS: dict[str, Any] = json.loads((SHARED / "step_configs.json").read_text())["steps"]


def cases(*kinds: str) -> list[tuple[str, dict[str, Any]]]:
    return [(slug, config) for slug, configs in STEPS.items() for kind in kinds for config in configs[kind]]


def errors_of(slug: str, config: dict[str, Any]) -> list[dict[str, str]]:
    return config_errors(json.dumps(SCHEMAS[slug]), config)


@pytest.mark.parametrize(("slug", "config"), cases("accepted"), ids=str)
def test_a_config_that_the_worker_accepts_is_saved(slug: str, config: dict[str, Any]) -> None:
    assert errors_of(slug, config) == []


@pytest.mark.parametrize(("slug", "config"), cases("refused", "private"), ids=str)
def test_a_config_that_the_worker_refuses_is_not_saved(slug: str, config: dict[str, Any]) -> None:
    errors = errors_of(slug, config)
    assert errors
    assert "password" not in json.dumps(errors).replace("user name and password", "")


def test_the_message_says_what_the_value_is_for() -> None:
    (error,) = errors_of("deliver-webhook", {"url": "https://a:b@c.example", "secret_name": "hook"})
    assert error["path"] == "/url"
    assert error["message"].startswith("The value is not allowed. Where the records go: an http or https URL")
    (error,) = errors_of(
        "deliver-webhook",
        {"url": "https://c.example", "secret_name": "hook", "headers": {"Host": "x"}},
    )
    assert error == {
        "path": "/headers",
        "message": '"Host" is not allowed. Not one of the headers that the delivery itself sets.',
    }
