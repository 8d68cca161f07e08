"""Spans reach the collector if one is set; otherwise the SDK is not loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.data_api import CHECK_PATH
from api.main import create_app
from api.telemetry import parse_headers
from local.settings import ROOT
from tests.support.loopback import Loopback
from tests.support.loopback_server import Handler, closed_port_url, listening
from tests.support.traceparents import PARENT, TRACE
from tests.unit.conftest import ORG_ID, make_settings, pipeline_run, session_token
from tests.unit.test_dispatch import create_submission, knows_submission

# Numbers of the protocol: https://github.com/open-telemetry/opentelemetry-proto
SERVER, CLIENT, ERROR = 2, 3, 2


@dataclass
class Collector:
    """The messages that an OTLP collector received."""

    url: str
    headers: list[dict[str, str]] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    spans: list[Any] = field(default_factory=list)

    def named(self, name: str) -> Any:  # noqa: ANN401 (a protobuf message)
        (span,) = [span for span in self.spans if span.name == name]
        return span


def attributes(message: Any) -> dict[str, Any]:  # noqa: ANN401 (a protobuf message)
    return {
        item.key: item.value.int_value if item.value.HasField("int_value") else item.value.string_value
        for item in message.attributes
    }


@contextmanager
def otlp_collector() -> Iterator[Collector]:
    class Traces(Handler):
        def respond(self) -> None:
            sent = ExportTraceServiceRequest.FromString(self.read_body())
            received.headers.append(self.named_headers)
            for resource_spans in sent.resource_spans:
                received.resources.append(attributes(resource_spans.resource))
                for scope_spans in resource_spans.scope_spans:
                    received.spans.extend(scope_spans.spans)
            self.answer(200 if self.path == "/v1/traces" else 404)

    with listening(Traces) as url:
        received = Collector(url)
        yield received


@pytest.fixture
def collector() -> Iterator[Collector]:
    with otlp_collector() as collector:
        yield collector


@contextmanager
def exporting_client(data_api: Loopback, trigger: Loopback, endpoint: str) -> Iterator[TestClient]:
    """All spans are exported when the block ends."""
    settings = make_settings(
        data_api.url,
        trigger.url,
        otel_exporter_otlp_endpoint=endpoint,
        otel_exporter_otlp_headers="x-collector-key=a%20b",
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        yield client


def test_a_request_and_its_calls_are_spans_of_the_callers_trace(
    data_api: Loopback, trigger: Loopback, collector: Collector
) -> None:
    run = pipeline_run()
    knows_submission(data_api, run)
    with exporting_client(data_api, trigger, collector.url) as client:
        client.headers.update({"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "request-of-spans"})
        create_submission(client)
    request = collector.named("POST /v1/submissions/create")
    assert (request.kind, request.parent_span_id.hex()) == (SERVER, PARENT)
    found = attributes(request)
    expected = {
        "http.response.status_code": 202,
        "request_id": "request-of-spans",
        "org_id": ORG_ID,
        "pipeline_run_id": run["id"],
    }
    assert found | expected == found
    calls = [span for span in collector.spans if span.kind == CLIENT]
    assert {span.name for span in calls} == {
        "POST /rest/v1/rpc/take_request_tokens",
        "POST /rest/v1/rpc/auth_context",
        "POST /rest/v1/rpc/create_submission",
        "POST /rest/v1/rpc/mark_pipeline_run_dispatched",
        "POST /api/v1/tasks/run-pipeline/trigger",
    }
    assert {span.parent_span_id for span in calls} == {request.span_id}
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    # The called service gets the id of that span as its parent.
    for server, path in ((data_api, "/create_submission"), (trigger, "/trigger")):
        (asked,) = server.asked(path)
        span = collector.named(f"POST {asked.path}")
        assert asked.headers["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert collector.headers[0]["x-collector-key"] == "a b"
    assert collector.resources[0]["service.name"] == "data-engine-x-api"


def test_a_trace_that_its_caller_does_not_record_is_not_exported(
    data_api: Loopback, trigger: Loopback, collector: Collector
) -> None:
    knows_submission(data_api, pipeline_run())
    with exporting_client(data_api, trigger, collector.url) as client:
        client.headers["traceparent"] = f"00-{TRACE}-{PARENT}-00"
        create_submission(client)
    assert collector.spans == []
    (asked,) = trigger.requests
    assert asked.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert asked.headers["traceparent"].endswith("-00")


def test_health_checks_are_not_exported(data_api: Loopback, trigger: Loopback, collector: Collector) -> None:
    with exporting_client(data_api, trigger, collector.url) as client:
        client.get("/healthz")
        client.get("/readyz")
    assert len(data_api.asked(CHECK_PATH)) == 1
    assert collector.spans == []


def test_failures_are_marked_and_spans_hold_nothing_that_the_caller_sent(
    data_api: Loopback, trigger: Loopback, collector: Collector
) -> None:
    with exporting_client(data_api, trigger, collector.url) as client:
        body = {"name": "crm", "value": "hunter2-value"}
        assert client.post("/v1/secrets/set?token=in-the-query", json=body).status_code == 500
    assert collector.named("POST /v1/secrets/set").status.code == ERROR
    assert collector.named("POST /rest/v1/rpc/set_secret").status.code == ERROR
    printed = str(collector.spans)
    for secret in ("hunter2-value", "in-the-query", "eyJ", "sb_publishable"):
        assert secret not in printed


def test_an_unreachable_collector_fails_no_request(data_api: Loopback, trigger: Loopback) -> None:
    knows_submission(data_api, pipeline_run())
    with exporting_client(data_api, trigger, closed_port_url()) as client:
        create_submission(client)


def test_without_a_collector_the_sdk_is_not_even_loaded() -> None:
    """Runs in another process, because this one has loaded the SDK."""
    variables = {
        "ENVIRONMENT": "local",
        "SUPABASE_URL": "http://127.0.0.1:1",
        "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_of_the_unit_tests",
        "SUPABASE_JWT_SECRET": "a-secret-that-only-the-unit-tests-know-of",
        "TRIGGER_SECRET_KEY": "tr_dev_of_the_unit_tests",
        "PATH": os.environ["PATH"],
    }
    program = "import sys; from api.main import app; print('opentelemetry.sdk' in sys.modules)"
    loaded = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for environment in (variables, variables | {"OTEL_EXPORTER_OTLP_ENDPOINT": closed_port_url()})
    ]
    assert loaded == ["False", "True"]


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("", {}),
        ("Api-Key=1", {"api-key": "1"}),
        (" a = b%2Cc , d=e=f ,", {"a": "b,c", "d": "e=f"}),
    ],
)
def test_headers_for_the_collector_are_read_as_opentelemetry_writes_them(
    text: str, headers: dict[str, str]
) -> None:
    assert parse_headers(text) == headers
