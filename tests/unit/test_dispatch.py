"""Trigger.dev runs are started and cancelled, and no failure of Trigger.dev fails a request."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api import background, dispatch, trigger_client
from api.main import create_app
from tests.support.loopback import Answer, Loopback, Request, rpc_error
from tests.support.loopback_server import closed_port_url
from tests.unit.conftest import ORG_ID, make_settings, pipeline_run, session_token, submission

TRIGGER_PATH = "/api/v1/tasks/run-pipeline/trigger"


def create_submission(client: TestClient) -> dict[str, Any]:
    body = {
        "company_id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10",
        "blueprint_id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10",
        "records": [{"b": 1, "a": 2}, {"c": 3, "b": 4}],
    }
    answer = client.post("/v1/submissions/create", json=body)
    assert answer.status_code == 202, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def knows_submission(data_api: Loopback, run: dict[str, Any]) -> None:
    """Answers the RPCs of a submit. Marking the run as dispatched answers with the marked run."""

    def mark(request: Request) -> Answer:
        return Answer(200, run | {"dispatched": True, "trigger_run_id": request.body["p_trigger_run_id"]})

    data_api.rpc("create_submission", Answer(200, {"submission": submission(), "pipeline_run": run}))
    data_api.rpc("mark_pipeline_run_dispatched", mark)


def test_submit_starts_the_run_and_records_that(
    client: TestClient, data_api: Loopback, trigger: Loopback
) -> None:
    run = pipeline_run()
    knows_submission(data_api, run)
    data = create_submission(client)
    assert data["dispatched"] is True
    assert data["pipeline_run"]["trigger_run_id"] == "run_abc123"
    (started,) = trigger.requests
    assert (started.method, started.path) == ("POST", TRIGGER_PATH)
    assert started.headers["authorization"] == "Bearer tr_dev_of_the_unit_tests"
    assert started.body == {
        "payload": {"pipeline_run_id": run["id"]},
        "options": {
            "idempotencyKey": run["id"],
            "concurrencyKey": ORG_ID,
            "tags": [f"pipeline_run:{run['id']}", f"org:{ORG_ID}"],
        },
    }
    (marked,) = data_api.asked("/mark_pipeline_run_dispatched")
    assert marked.body == {"p_pipeline_run_id": run["id"], "p_trigger_run_id": "run_abc123"}


def test_fields_are_passed_in_the_order_they_are_first_seen(client: TestClient, data_api: Loopback) -> None:
    knows_submission(data_api, pipeline_run())
    create_submission(client)
    (request,) = data_api.asked("/create_submission")
    assert request.body["p_fields"] == ["b", "a", "c"]
    assert request.body["p_records"] == [{"b": 1, "a": 2}, {"c": 3, "b": 4}]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, b"oops"),
        Answer(401, {"error": "Invalid API key"}),
        Answer(200, b"<html>"),
        Answer(200, []),
        Answer(200, {"no": "id"}),
    ],
    ids=str,
)
def test_refusal_of_trigger_leaves_the_submit_accepted_and_undispatched(
    client: TestClient, data_api: Loopback, trigger: Loopback, answer: Answer
) -> None:
    knows_submission(data_api, pipeline_run())
    trigger.routes[TRIGGER_PATH] = lambda _: answer
    data = create_submission(client)
    assert data["dispatched"] is False
    assert data["pipeline_run"]["dispatched"] is False
    assert len(trigger.requests) == 1
    assert not data_api.asked("/mark_pipeline_run_dispatched")


def test_unreachable_trigger_leaves_the_submit_accepted_and_undispatched(data_api: Loopback) -> None:
    knows_submission(data_api, pipeline_run())
    settings = make_settings(data_api.url, closed_port_url())
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        assert create_submission(client)["dispatched"] is False


def slow_start(_: Request) -> Answer:
    time.sleep(1.0)
    return Answer(200, {"id": "run_late"})


def test_submit_does_not_wait_for_a_slow_trigger_and_the_start_goes_on(
    data_api: Loopback, trigger: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "PATIENCE_SECONDS", 0.1)
    trigger.routes[TRIGGER_PATH] = slow_start
    knows_submission(data_api, pipeline_run())
    settings = make_settings(data_api.url, trigger.url)
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        assert create_submission(client)["dispatched"] is False
        assert not data_api.asked("/mark_pipeline_run_dispatched")
    # The shutdown waits for starts that are under way.
    (marked,) = data_api.asked("/mark_pipeline_run_dispatched")
    assert marked.body["p_trigger_run_id"] == "run_late"
    assert len(trigger.requests) == 1


def test_a_start_that_takes_too_long_is_left_to_the_reconciler(
    data_api: Loopback, trigger: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trigger_client, "START_SECONDS", 0.1)
    trigger.routes[TRIGGER_PATH] = slow_start
    knows_submission(data_api, pipeline_run())
    settings = make_settings(data_api.url, trigger.url)
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        assert create_submission(client)["dispatched"] is False
    assert not data_api.asked("/mark_pipeline_run_dispatched")


def test_too_many_starts_under_way_leave_the_next_run_to_the_reconciler(
    client: TestClient, data_api: Loopback, trigger: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MAX_TASKS", 0)
    knows_submission(data_api, pipeline_run())
    assert create_submission(client)["dispatched"] is False
    assert trigger.requests == []


def test_start_that_could_not_be_recorded_counts_as_undispatched(
    client: TestClient, data_api: Loopback
) -> None:
    knows_submission(data_api, pipeline_run())
    data_api.rpc("mark_pipeline_run_dispatched", rpc_error(503, "PGRST000"))
    assert create_submission(client)["dispatched"] is False
    assert len(data_api.asked("/mark_pipeline_run_dispatched")) == 2  # a repeatable call is sent once more


@pytest.mark.parametrize(
    ("known", "dispatched"),
    [
        ({"dispatched": True, "trigger_run_id": "run_earlier"}, True),
        ({"status": "running", "dispatched": True}, True),
        ({"admitted": False, "admitted_at": None}, False),
        ({"status": "cancelled"}, False),
    ],
)
def test_replayed_submit_does_not_start_its_run_again(
    client: TestClient, data_api: Loopback, trigger: Loopback, known: dict[str, object], dispatched: bool
) -> None:
    knows_submission(data_api, pipeline_run(**known))
    assert create_submission(client)["dispatched"] is dispatched
    assert trigger.requests == []


def test_replayed_submit_starts_a_run_that_was_never_dispatched(
    client: TestClient, data_api: Loopback, trigger: Loopback
) -> None:
    knows_submission(data_api, pipeline_run())
    create_submission(client)
    create_submission(client)
    keys = [request.body["options"]["idempotencyKey"] for request in trigger.requests]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_another_run_of_a_submission_is_started_too(
    client: TestClient, data_api: Loopback, trigger: Loopback
) -> None:
    run = pipeline_run(run_number=2)
    knows_submission(data_api, run)
    data_api.rpc("create_pipeline_run", Answer(200, run))
    answer = client.post("/v1/pipeline-runs/create", json={"submission_id": run["submission_id"]})
    assert answer.status_code == 202
    assert answer.json()["data"]["dispatched"] is True
    assert len(trigger.requests) == 1


def cancel(client: TestClient, data_api: Loopback, run: dict[str, Any]) -> None:
    data_api.rpc("cancel_pipeline_run", Answer(200, run))
    answer = client.post("/v1/pipeline-runs/cancel", json={"pipeline_run_id": run["id"]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["status"] == run["status"]


def has_run(trigger: Loopback, tags: object) -> None:
    trigger.routes["/api/v3/runs/run_abc123"] = lambda _: Answer(200, {"id": "run_abc123", "tags": tags})
    trigger.routes["/api/v2/runs/run_abc123/cancel"] = lambda _: Answer(200, {"id": "run_abc123"})


def test_cancel_reaches_trigger_after_sql_has_accepted_it(
    client: TestClient, data_api: Loopback, trigger: Loopback
) -> None:
    run = pipeline_run(status="cancelled", dispatched=True, trigger_run_id="run_abc123")
    has_run(trigger, [f"org:{ORG_ID}", f"pipeline_run:{run['id']}"])
    cancel(client, data_api, run)
    assert [(request.method, request.path) for request in trigger.requests] == [
        ("GET", "/api/v3/runs/run_abc123"),
        ("POST", "/api/v2/runs/run_abc123/cancel"),
    ]


@pytest.mark.parametrize("tags", [["pipeline_run:of-somebody-else"], [], None, "pipeline_run"])
def test_a_trigger_run_of_another_pipeline_run_is_never_cancelled(
    client: TestClient, data_api: Loopback, trigger: Loopback, tags: object
) -> None:
    run = pipeline_run(status="cancelled", dispatched=True, trigger_run_id="run_abc123")
    has_run(trigger, tags)
    cancel(client, data_api, run)
    assert [request.method for request in trigger.requests] == ["GET"]


@pytest.mark.parametrize(
    "forged", ["run_abc123/../../v2/runs/run_x", "../tasks", "run_ä", "", "run_" + "x" * 99]
)
def test_a_forged_trigger_run_id_reaches_no_other_path(
    client: TestClient, data_api: Loopback, trigger: Loopback, forged: str
) -> None:
    cancel(client, data_api, pipeline_run(status="cancelled", dispatched=True, trigger_run_id=forged))
    assert trigger.requests == []


def test_cancel_of_an_undispatched_run_asks_trigger_nothing(
    client: TestClient, data_api: Loopback, trigger: Loopback
) -> None:
    cancel(client, data_api, pipeline_run(status="cancelled"))
    assert trigger.requests == []


def test_failure_of_trigger_does_not_fail_the_cancel(
    client: TestClient, data_api: Loopback, trigger: Loopback
) -> None:
    trigger.fallback = lambda _: Answer(500, b"oops")
    cancel(client, data_api, pipeline_run(status="cancelled", dispatched=True, trigger_run_id="run_abc123"))
    assert len(trigger.requests) == 1


def test_a_cancel_that_sql_refuses_does_not_reach_trigger(
    client: TestClient, data_api: Loopback, trigger: Loopback
) -> None:
    data_api.rpc("cancel_pipeline_run", rpc_error(409, "PT409", hint="pipeline_run_finished"))
    body = {"pipeline_run_id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10"}
    answer = client.post("/v1/pipeline-runs/cancel", json=body)
    assert answer.json()["error"]["code"] == "pipeline_run_finished"
    assert trigger.requests == []
