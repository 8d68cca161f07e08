"""Requests about runs notice that the reconciler is late, and start it without waiting for anything."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from api import reconciler
from api.data_api import CHECK_PATH
from tests.support.loopback import Answer, Loopback, rpc_error
from tests.support.waiting import wait_until
from tests.unit.conftest import RECONCILER_IN_TIME, pipeline_run

START_PATH = "/api/v1/tasks/reconcile-runs/trigger"
LATE = {
    "last_ran_at": "2026-11-28T11:00:00+00:00",
    "is_late": True,
    "late_since": "2026-11-28T12:03:00+01:00",
}


@pytest.fixture(autouse=True)
def answers(data_api: Loopback, trigger: Loopback) -> None:
    data_api.rpc("list_pipeline_runs", Answer(200, {"items": [], "next_cursor": None}))
    data_api.rpc("list_submissions", Answer(200, {"items": [], "next_cursor": None}))
    data_api.rpc("list_companies", Answer(200, {"items": [], "next_cursor": None}))
    data_api.routes[CHECK_PATH] = lambda _: Answer(200, [])
    trigger.routes[START_PATH] = lambda _: Answer(200, {"id": "run_abc123", "isCached": False})


def readiness(client: TestClient) -> str:
    state: str = client.get("/readyz").json()["reconciler"]
    return state


def looked(data_api: Loopback, times: int = 1) -> Callable[[], bool]:
    return lambda: len(data_api.asked("/reconciler_status")) == times


@pytest.mark.parametrize("path", ["/v1/pipeline-runs/list", "/v1/submissions/list"])
def test_a_late_reconciler_is_started_and_readyz_says_so(
    client: TestClient, data_api: Loopback, trigger: Loopback, path: str
) -> None:
    assert readiness(client) == "unknown"
    data_api.rpc("reconciler_status", Answer(200, LATE))
    assert client.post(path).status_code == 200
    wait_until("a start", lambda: trigger.asked(START_PATH))
    assert readiness(client) == "late since 2026-11-28T11:03:00Z"
    (asked,) = data_api.asked("/reconciler_status")
    assert asked.headers["authorization"] == client.headers["Authorization"]
    (started,) = trigger.asked(START_PATH)
    options = started.body["options"]
    assert re.fullmatch(r"reconcile-runs:\d{4}-\d\d-\d\dT\d\d:\d\d:00\.000Z", options["idempotencyKey"])
    assert options["payloadType"] == "application/super+json"
    payload = json.loads(started.body["payload"])
    assert payload["json"]["timestamp"] == options["idempotencyKey"].removeprefix("reconcile-runs:")
    assert set(payload["meta"]["values"]) == {"timestamp", "upcoming.0"}


def test_a_reconciler_in_time_is_left_alone(
    client: TestClient, data_api: Loopback, trigger: Loopback
) -> None:
    data_api.rpc("reconciler_status", Answer(200, RECONCILER_IN_TIME))
    client.post("/v1/pipeline-runs/list")
    wait_until("readiness", lambda: readiness(client) == "ok")
    assert not trigger.asked(START_PATH)


def test_it_looks_seldom_and_starts_once_a_minute_at_most(
    client: TestClient, data_api: Loopback, trigger: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_api.rpc("reconciler_status", Answer(200, LATE))
    for _ in range(5):
        client.post("/v1/pipeline-runs/list")
    wait_until("a start", lambda: trigger.asked(START_PATH))
    assert looked(data_api)()
    monkeypatch.setattr(reconciler, "LOOK_EVERY_SECONDS", 0.0)
    for times in range(2, 5):
        client.post("/v1/pipeline-runs/list")
        wait_until("a look", looked(data_api, times))
    assert len(trigger.asked(START_PATH)) == 1
    monkeypatch.setattr(reconciler, "START_EVERY_SECONDS", 0.0)
    client.post("/v1/pipeline-runs/list")
    wait_until("another start", lambda: len(trigger.asked(START_PATH)) > 1)


def test_no_request_waits_for_the_look(client: TestClient, data_api: Loopback) -> None:
    answered = threading.Event()

    def answer_after_the_request(_: object) -> Answer:
        assert answered.wait(20)
        return Answer(200, RECONCILER_IN_TIME)

    data_api.rpc("reconciler_status", answer_after_the_request)
    assert client.post("/v1/pipeline-runs/list").status_code == 200
    answered.set()
    wait_until("readiness", lambda: readiness(client) == "ok")


def test_a_failed_look_or_start_fails_no_request(
    client: TestClient, data_api: Loopback, trigger: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "LOOK_EVERY_SECONDS", 0.0)
    data_api.rpc("reconciler_status", rpc_error(404, "PGRST202"))
    assert client.post("/v1/pipeline-runs/list").status_code == 200
    wait_until("a look", looked(data_api))
    assert readiness(client) == "unknown"
    data_api.rpc("reconciler_status", Answer(200, LATE))
    trigger.routes[START_PATH] = lambda _: Answer(500, b"oops")
    assert client.post("/v1/pipeline-runs/list").status_code == 200
    wait_until("a start", lambda: trigger.asked(START_PATH))


def test_requests_about_other_things_do_not_look(client: TestClient, data_api: Loopback) -> None:
    data_api.rpc("reconciler_status", Answer(200, LATE))
    client.post("/v1/companies/list")
    data_api.rpc("get_pipeline_run", Answer(200, pipeline_run()))
    client.post("/v1/pipeline-runs/list")
    wait_until("a look", looked(data_api))
    assert [request.path.rpartition("/")[2] for request in data_api.requests].count("reconciler_status") == 1
