"""What one caller may send to stop the others: the event loop goes on, and memory is bounded.

A turn of the event loop is measured by the processor time of its thread, which other programs of the machine
do not change.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest

from api.main import create_app
from api.settings import Settings
from tests.support.loopback import Answer, Loopback, rpc_error
from tests.unit.conftest import ORG_ID, pipeline_run, session_token, submission
from tests.unit.test_shared_step_configs import SCHEMAS
from tests.unit.test_step_config import BLUEPRINT

MEGABYTE = 1024 * 1024
LONGEST_TURN_SECONDS = 0.06
HEADERS = {f"h {number}": "\n" for number in range(40_000)}


@dataclass
class Measured:
    longest_turn: float = 0.0
    peak_bytes: int = 0


@asynccontextmanager
async def running(settings: Settings, path: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings)
    transport = httpx.ASGITransport(app)
    headers = {"Authorization": f"Bearer {session_token(settings)}", "Content-Type": "application/json"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers, timeout=60) as client,
    ):
        # The framework builds what an endpoint needs when it is first called.
        await client.post(path, content=b"{}")
        yield client


def memory_of_our_own(child: psutil.Process) -> int:
    """Only that of the API's processes: a stack that other tests share is a child of this one as well."""
    try:
        is_of_the_api = any(part.startswith("api.") for part in child.cmdline())
        return child.memory_info().rss if is_of_the_api else 0
    except psutil.Error:
        return 0


@asynccontextmanager
async def measuring() -> AsyncIterator[Measured]:
    """Measures the turns of the loop, and the memory of all processes, while an attack is answered."""
    measured = Measured()
    process = psutil.Process()
    # A collection of all objects of the test process would count as a turn.
    gc.collect()
    gc.freeze()
    memory_before = process.memory_info().rss

    async def watch_turns() -> None:
        while True:
            begun = time.thread_time()
            await asyncio.sleep(0.001)
            measured.longest_turn = max(measured.longest_turn, time.thread_time() - begun)

    def look_at_memory() -> None:
        children = [memory_of_our_own(child) for child in process.children(recursive=True)]
        grown = process.memory_info().rss - memory_before
        measured.peak_bytes = max(measured.peak_bytes, grown + sum(children))

    async def watch_memory() -> None:
        while True:
            # In a thread: it looks at all processes of the machine.
            await asyncio.to_thread(look_at_memory)
            await asyncio.sleep(0.05)

    watching = [asyncio.create_task(watch_turns()), asyncio.create_task(watch_memory())]
    await asyncio.sleep(0.01)
    try:
        yield measured
        await asyncio.sleep(0.01)
    finally:
        gc.unfreeze()
        for task in watching:
            task.cancel()


def is_unharmed(measured: Measured) -> bool:
    return measured.longest_turn < LONGEST_TURN_SECONDS and measured.peak_bytes < 250 * MEGABYTE


def blueprint(config: dict[str, Any], slug: str = "dedupe-records", **step: object) -> bytes:
    return json.dumps({"name": "b", "steps": [{"slug": slug, "config": config, **step}]}).encode()


def publishes(data_api: Loopback, slug: str) -> None:
    steps = [{"version": "1.0.0", "config_schema": SCHEMAS[slug]}]
    data_api.rpc("pin_steps", Answer(200, {"steps": steps}))


@pytest.mark.parametrize(
    ("config", "slug", "code"),
    [
        ({"match_on": [[0]] * 20_000}, "dedupe-records", "invalid_step_config"),
        ({"match_on": [[0]] * 99_000}, "dedupe-records", "invalid_request"),
        (
            {"url": "https://x.example/" + "a" * 900_000, "secret_name": "a"},
            "deliver-webhook",
            "invalid_step_config",
        ),
        ({"url": "a", "secret_name": "a", "headers": HEADERS}, "deliver-webhook", "invalid_step_config"),
    ],
    ids=["wrong items", "too many items", "long text", "wrong names"],
)
async def test_a_blueprint_of_a_megabyte_does_not_stop_the_loop(
    settings: Settings, data_api: Loopback, config: dict[str, Any], slug: str, code: str
) -> None:
    publishes(data_api, slug)
    data_api.rpc("create_blueprint", rpc_error(422, "PT422", hint="invalid_request"))
    body = blueprint(config, slug)
    async with running(settings, "/v1/blueprints/create") as client, measuring() as measured:
        answer = await client.post("/v1/blueprints/create", content=body)
    assert answer.json()["error"]["code"] == code
    assert is_unharmed(measured), measured


async def test_a_caller_who_may_not_save_blueprints_costs_no_validation(
    settings: Settings, data_api: Loopback
) -> None:
    data_api.rpc("pin_steps", rpc_error(403, "42501"))
    steps = [{"slug": "a", "config": {"match_on": [[0]] * 90}, "run_if": "record.a == 'x'"}] * 3
    async with running(settings, "/v1/blueprints/create") as client:
        answer = await client.post("/v1/blueprints/create", content=json.dumps({"name": "b", "steps": steps}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


async def test_fifty_long_conditions_do_not_stop_the_loop(settings: Settings, data_api: Loopback) -> None:
    publishes(data_api, "dedupe-records")
    condition = " && ".join(["record.a.exists(x, x == 'y')"] * 4 + ["record.a == 'x'"] * 100)[:2_000]
    steps = [{"slug": "dedupe-records", "run_if": condition.rpartition(" && ")[0]}] * 50
    data_api.rpc("create_blueprint", rpc_error(409, "PT409", hint="conflict"))
    body = json.dumps({"name": "b", "steps": steps})
    async with running(settings, "/v1/blueprints/create") as client, measuring() as measured:
        answer = await client.post("/v1/blueprints/create", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert is_unharmed(measured), measured


@pytest.mark.parametrize(
    ("record", "status"),
    [
        (b'{"a":[' + b"[]," * 3_300_000 + b"1]}", 422),
        (b'{"a":' + b"[" * 9_000_000 + b"}", 422),
        (b'{"a":"' + b'\\"' * 4_900_000 + b'"}', 202),
        (b'{"a":' + b"9" * 9_000_000 + b"}", 422),
        (b'{"a":[' + b'"x",' * 900_000 + b"1]}", 202),
    ],
    ids=["elements", "depth", "escapes", "digits", "a million values"],
)
async def test_ten_megabytes_of_records_do_not_stop_the_loop(
    settings: Settings, data_api: Loopback, record: bytes, status: int
) -> None:
    body = b'{"company_id":"%b","blueprint_id":"%b","records":[%b]}' % (
        ORG_ID.encode(),
        ORG_ID.encode(),
        record,
    )
    created = {"submission": submission(), "pipeline_run": pipeline_run(admitted=False)}
    data_api.rpc("create_submission", Answer(200, created))
    async with running(settings, "/v1/submissions/create") as client, measuring() as measured:
        answer = await client.post("/v1/submissions/create", content=body)
    assert answer.status_code == status, answer.text[:300]
    assert is_unharmed(measured), measured


@pytest.mark.parametrize("path", ["records", "export"])
async def test_a_page_of_eight_megabytes_does_not_stop_the_loop(
    settings: Settings, data_api: Loopback, path: str
) -> None:
    items = [{"id": str(n), "data": {f"f{m}": "x" * 40 for m in range(160)}} for n in range(1_000)]
    page = json.dumps({"items": items, "next_cursor": None}).encode()
    data_api.rpc("list_pipeline_run_records", lambda _: Answer(200, page))
    data_api.rpc("list_pipeline_run_fields", Answer(200, {"fields": [f"f{m}" for m in range(1_000)]}))
    async with running(settings, f"/v1/pipeline-runs/{path}") as client, measuring() as measured:
        answer = await client.post(
            f"/v1/pipeline-runs/{path}", content=json.dumps({"pipeline_run_id": ORG_ID})
        )
    assert answer.status_code == 200
    assert len(answer.content) > 7 * MEGABYTE
    assert is_unharmed(measured), measured


async def test_a_blueprint_that_is_slow_to_parse_does_not_stop_the_loop(
    settings: Settings, data_api: Loopback
) -> None:
    step = {"position": 1, "slug": "a", "version": "1.0.0", "title": "a", "execution_mode": "inline"}
    options = dict.fromkeys(("timeout_seconds", "retry", "run_if", "concurrency"))
    config: dict[str, Any] = {"a": [[]] * 80_000}
    steps = [step | options | {"continue_on_error": False, "config": config}] * 4
    stored = json.dumps(BLUEPRINT | {"steps": steps}).encode()
    data_api.rpc("get_blueprint", lambda _: Answer(200, stored))
    async with running(settings, "/v1/blueprints/get") as client, measuring() as measured:
        answer = await client.post("/v1/blueprints/get", content=json.dumps({"blueprint_id": ORG_ID}))
    assert answer.status_code == 200
    assert len(answer.content) > MEGABYTE / 2
    assert is_unharmed(measured), measured


async def test_small_bodies_of_every_kind_take_no_time(settings: Settings, data_api: Loopback) -> None:
    data_api.rpc("create_company", rpc_error(409, "PT409", hint="conflict"))
    bodies = (
        b'{"name":"x",' + b",".join(b'"f%d":1' % n for n in range(6_000)) + b"}",
        b'{"name":"x",' + b",".join(b'"f%d":1' % n for n in range(1_900)) + b"}",
        b'{"name":"' + b"x" * 65_000 + b'"}',
        b'{"name":' + b"[" * 65_000,
        b'{"name":[' + b'"",' * 1_900 + b'""]}',
        b'{"name":"' + b"\\ud83d\\ude00" * 5_000 + b'"}',
    )
    async with running(settings, "/v1/companies/create") as client, measuring() as measured:
        for body in bodies:
            answer = await client.post("/v1/companies/create", content=body)
            assert answer.status_code == 422
    assert is_unharmed(measured), measured
