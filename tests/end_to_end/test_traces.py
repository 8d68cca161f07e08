"""One trace id connects the HTTP request, the run, the delivery, the audit log and the API's log."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from typing import Any

from tests.end_to_end.samples import CLEAN, companies
from tests.support.product import Product
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org
from tests.support.webhook_receiver import Receiver


def api_log(stack: StackEnvironment) -> list[dict[str, Any]]:
    lines = (stack.log_directory / "api.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


async def test_one_trace_leads_from_the_request_to_the_webhook_and_the_audit_log(
    stack: StackEnvironment, member: Product, admin: Product, org: Org, receiver: Receiver
) -> None:
    trace_id, request_id = secrets.token_hex(16), f"request-{secrets.token_hex(8)}"
    traced = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01", "X-Request-Id": request_id}
    blueprint_id = await admin.blueprint(CLEAN, receiver.step(batch_size=2))
    accepted = await member.with_headers(traced).submit(org.first.id, blueprint_id, companies(3))
    run_id = accepted["pipeline_run"]["id"]
    run = await member.succeeded(run_id)

    # The run,
    assert (run["trace_id"], run["request_id"]) == (trace_id, request_id)
    # the customer,
    assert len(receiver.of(run_id)) == 2
    for delivery in receiver.of(run_id):
        assert re.fullmatch(f"00-{trace_id}-[0-9a-f]{{16}}-01", delivery.traceparent)
    # who changed what: the member, and the worker from its claim on,
    entries = await admin.every("audit/list", {"entity": "pipeline_runs", "entity_id": run_id})
    assert {entry["request_id"] for entry in entries} == {request_id}
    changes = [(entry["actor"]["type"], (entry["after"] or {}).get("status")) for entry in reversed(entries)]
    assert changes[0] == ("user", "queued")
    assert [change for change in changes if change[0] == "worker"] == [
        ("worker", "running"),
        ("worker", "succeeded"),
    ]
    # and the API's log.
    lines = [line for line in api_log(stack) if line.get("trace_id") == trace_id]
    assert {line["request_id"] for line in lines} == {request_id}
    (access,) = [line for line in lines if line["logger"] == "api.access"]
    assert (access["path"], access["status"]) == ("/v1/submissions/create", 202)
    assert (access["org_id"], access["pipeline_run_id"]) == (org.id, run_id)


async def test_a_run_moves_while_it_works_and_says_what_its_time_went_into(
    member: Product, admin: Product, org: Org, receiver: Receiver
) -> None:
    receiver.hold(after=1)
    blueprint_id = await admin.blueprint(CLEAN, receiver.step(batch_size=1000))
    accepted = await member.submit(org.first.id, blueprint_id, companies(2500))
    assert accepted["pipeline_run"]["progress"] == 0
    run_id = accepted["pipeline_run"]["id"]
    # The run is half done: one of three chunks is delivered.
    seen = await member.run_when(run_id, lambda run: bool(run["progress"] > 0.5))
    assert (seen["status"], seen["progress"]) == ("running", 0.6666)
    delivering = seen["steps"][1]
    assert delivering["progress"] == 0.3333
    assert delivering["duration_ms"] > 0
    assert delivering["records_per_second"] > 0
    assert delivering["reading_ms"] is None

    await asyncio.sleep(2)  # the delivery has to wait this long
    receiver.release()
    run = await member.succeeded(run_id)
    assert run["progress"] == 1
    for step in run["steps"]:
        assert (step["progress"], step["attempt"]) == (1, 1)
        assert min(step["reading_ms"], step["processing_ms"], step["writing_ms"]) >= 0
    delivered = run["steps"][1]
    # The delivery waited for the receiver, not for the database.
    assert delivered["processing_ms"] > delivered["reading_ms"] + delivered["writing_ms"]
    assert delivered["duration_ms"] >= delivering["duration_ms"]
