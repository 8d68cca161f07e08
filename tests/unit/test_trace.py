"""The trace of a request: from its caller, into the log, and to everyone whom the API calls for it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.trace import Span
from tests.support.loopback import Answer, Loopback
from tests.support.traceparents import PARENT, TRACE, TRACEPARENT, TRACEPARENTS
from tests.unit.conftest import ORG_ID, USER_ID, make_settings, pipeline_run, session_token
from tests.unit.test_dispatch import create_submission, knows_submission

REQUEST_ID = "request-of-the-trace"


@pytest.mark.parametrize(("traceparent", "is_sampled"), TRACEPARENTS)
def test_a_traceparent_is_taken_only_in_the_form_of_w3c_trace_context(
    traceparent: str, is_sampled: bool | None
) -> None:
    span = Span.of_caller(traceparent)
    expected = None if is_sampled is None else (TRACE, PARENT, is_sampled)
    assert (span and (span.trace_id, span.span_id, span.is_sampled)) == expected


def sent_to(server: Loopback, path_end: str) -> dict[str, str]:
    (request,) = server.asked(path_end)
    return request.headers


@pytest.mark.parametrize("flags", ["01", "00"])
def test_everyone_who_is_called_learns_trace_request_and_whether_it_is_recorded(
    client: TestClient, data_api: Loopback, trigger: Loopback, flags: str
) -> None:
    knows_submission(data_api, pipeline_run())
    client.headers.update({"traceparent": f"00-{TRACE}-{PARENT}-{flags}", "X-Request-Id": REQUEST_ID})
    create_submission(client)
    for headers in (
        sent_to(data_api, "/auth_context"),
        sent_to(data_api, "/create_submission"),
        sent_to(data_api, "/mark_pipeline_run_dispatched"),
        sent_to(trigger, "/trigger"),
    ):
        assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-{flags}", headers["traceparent"])
        assert headers["traceparent"] != f"00-{TRACE}-{PARENT}-{flags}"
        assert headers["x-request-id"] == REQUEST_ID


@pytest.mark.parametrize("traceparent", [None, "00-of-nobody-01", f"00-{'0' * 32}-{PARENT}-01"])
def test_a_request_without_a_trace_begins_one(
    client: TestClient, data_api: Loopback, traceparent: str | None
) -> None:
    if traceparent:
        client.headers["traceparent"] = traceparent
    data_api.rpc("list_companies", Answer(200, {"items": [], "next_cursor": None}))
    for _ in range(2):
        client.post("/v1/companies/list", json={})
    traces = [request.headers["traceparent"] for request in data_api.asked("/list_companies")]
    for trace in traces:
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", trace)
        assert Span.of_caller(trace)
    assert len({trace.split("-")[1] for trace in traces}) == 2


def test_two_traceparents_are_none(client: TestClient, data_api: Loopback) -> None:
    data_api.rpc("list_companies", Answer(200, {"items": [], "next_cursor": None}))
    other = f"00-{'ab' * 16}-{PARENT}-01"
    both = [("traceparent", TRACEPARENT), ("traceparent", other), *client.headers.items()]
    client.headers.clear()
    client.post("/v1/companies/list", json={}, headers=both)
    sent = sent_to(data_api, "/list_companies")["traceparent"]
    assert TRACE not in sent
    assert "ab" * 16 not in sent


def test_every_line_says_which_request_trace_org_and_run_it_is_about(
    data_api: Loopback, trigger: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    run = pipeline_run()
    knows_submission(data_api, run)
    trigger.routes.clear()
    settings = make_settings(data_api.url, trigger.url, log_level="INFO")
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        client.headers.update({"traceparent": TRACEPARENT, "X-Request-Id": REQUEST_ID})
        create_submission(client)
    lines = lines_of(capsys)
    assert {line["logger"] for line in lines} == {"api.dispatch", "api.access"}
    for line in lines:
        known = ("request_id", "trace_id", "org_id", "user_id", "pipeline_run_id")
        assert [line[name] for name in known] == [REQUEST_ID, TRACE, ORG_ID, USER_ID, run["id"]]
        assert re.fullmatch("[0-9a-f]{16}", line["span_id"])
        assert {"time", "level", "message"} <= set(line)


def test_what_one_request_is_about_is_not_in_the_lines_of_the_next(
    data_api: Loopback, trigger: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    data_api.rpc("get_pipeline_run", Answer(404, {"code": "PT404", "hint": "pipeline_run_not_found"}))
    settings = make_settings(data_api.url, trigger.url, log_level="DEBUG")
    run_id = pipeline_run()["id"]
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        client.post("/v1/pipeline-runs/get", json={"pipeline_run_id": run_id})
        client.get("/healthz")
    of_run, of_health = [line for line in lines_of(capsys) if line["logger"] == "api.access"]
    assert (of_run["pipeline_run_id"], of_run["status"]) == (run_id, 404)
    assert not {"pipeline_run_id", "org_id"} & set(of_health)
    assert of_run["trace_id"] != of_health["trace_id"]


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Of the API itself."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if line["logger"].startswith("api.")]
