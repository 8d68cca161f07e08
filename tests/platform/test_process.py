"""The platform as a process: its start, its socket, its end."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.platform.bench import ACCESS_TOKEN, PROJECT_REF, SECRET_KEY, task
from tests.platform.live import REPOSITORY, LivePlatform
from tests.support.waiting import wait_until

BEARER = {"authorization": f"Bearer {SECRET_KEY}"}


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[LivePlatform]:
    """A platform without CLI."""
    platform = LivePlatform(tmp_path)
    yield platform
    if platform.process.poll() is None:
        platform.stop()


@asynccontextmanager
async def socket_of(platform: LivePlatform, key: str = SECRET_KEY) -> AsyncIterator[ClientConnection]:
    """A connection as the CLI's socket.io client makes it, up to the namespace's answer."""
    url = platform.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with connect(url, additional_headers={"authorization": f"Bearer {key}"}) as connection:
        assert str(await connection.recv()).startswith("0{")
        await connection.send("40/dev-worker,")
        yield connection


def register(platform: LivePlatform) -> str:
    body = {"metadata": {"tasks": [task("hello")], "contentHash": "one", "queues": []}}
    path = f"/api/v1/projects/{PROJECT_REF}/background-workers"
    worker_id: str = platform.client.post(path, json=body).json()["id"]
    return worker_id


def start_run(platform: LivePlatform) -> str:
    """Play the CLI up to the start of a run's first attempt."""
    run_id = platform.trigger("hello")
    body = {"currentWorker": register(platform), "oldWorkers": []}
    [message] = platform.client.post("/engine/v1/dev/dequeue", json=body).json()["dequeuedMessages"]
    assert message["run"]["friendlyId"] == run_id
    path = f"/engine/v1/dev/runs/{run_id}/snapshots/{message['snapshot']['friendlyId']}/attempts/start"
    assert platform.client.post(path, json={}).status_code == 200
    return run_id


async def test_the_socket_requires_the_key(alone: LivePlatform) -> None:
    async with socket_of(alone, key="tr_dev_other") as refused:
        assert str(await refused.recv()).startswith("44/dev-worker,")
    async with socket_of(alone) as welcome:
        assert str(await welcome.recv()).startswith("40/dev-worker,")


async def test_a_cancelled_run_is_announced_and_a_lost_subscriber_costs_its_run(alone: LivePlatform) -> None:
    run_id, other_id = start_run(alone), start_run(alone)
    subscription = json.dumps(["run:subscribe", {"version": "1", "runFriendlyIds": [run_id, other_id]}])
    async with socket_of(alone) as connection:
        await connection.recv()
        await connection.send(f"42/dev-worker,{subscription}")
        alone.client.post(f"/api/v2/runs/{run_id}/cancel")
        announced = str(await asyncio.wait_for(connection.recv(), 5))
        expected = ["run:notify", {"version": "1", "run": {"friendlyId": run_id}}]
        assert json.loads(announced.partition(",")[2]) == expected
        assert alone.retrieve(other_id)["status"] == "EXECUTING"
    lost = await asyncio.to_thread(alone.until, other_id)
    assert (lost["status"], lost["error"]["message"]) == ("CANCELED", "Dev session ended (CLI exited)")


async def test_a_subscriber_that_comes_back_keeps_its_run(alone: LivePlatform) -> None:
    run_id = start_run(alone)
    message = f'42/dev-worker,["run:subscribe",{{"version":"1","runFriendlyIds":["{run_id}"]}}]'
    async with socket_of(alone) as first:
        await first.recv()
        await first.send(message)
        async with socket_of(alone) as second:
            await second.recv()
            await second.send(message)
            await first.close()
            # A second run, whose subscriber does not return, shows when the grace time is over.
            other_id = await asyncio.to_thread(start_run, alone)
            async with socket_of(alone) as third:
                await third.recv()
                await third.send(message.replace(run_id, other_id))
            await asyncio.to_thread(alone.until, other_id)
            assert alone.retrieve(run_id)["status"] == "EXECUTING"


async def test_requests_on_hold_end_at_once_when_the_platform_stops(alone: LivePlatform) -> None:
    worker_id = register(alone)
    async with httpx.AsyncClient(base_url=alone.url, headers=BEARER, timeout=10) as client:
        body = {"currentWorker": worker_id, "oldWorkers": []}
        held = asyncio.create_task(client.post("/engine/v1/dev/dequeue", json=body))
        async with client.stream("GET", "/engine/v1/dev/presence") as presence, socket_of(alone):
            lines = presence.aiter_lines()
            assert await anext(lines) == "event: start"
            assert not held.done()
            assert await asyncio.to_thread(alone.stop) < 2
            assert (await held).json() == {"dequeuedMessages": []}


def test_runs_for_a_cli_that_hung_up_are_not_handed_out(alone: LivePlatform) -> None:
    body = {"currentWorker": register(alone), "oldWorkers": []}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{alone.url}/engine/v1/dev/dequeue", json=body, headers=BEARER, timeout=0.3)
    run_id = alone.trigger("hello")
    assert alone.retrieve(run_id)["status"] == "QUEUED"
    messages = alone.client.post("/engine/v1/dev/dequeue", json=body).json()["dequeuedMessages"]
    assert [message["run"]["friendlyId"] for message in messages] == [run_id]


def test_a_held_request_is_answered_as_soon_as_a_run_comes(alone: LivePlatform) -> None:
    run_id = alone.trigger("hello")
    body = {"currentWorker": register(alone), "oldWorkers": []}
    started = wait_until(
        "the run is handed out",
        lambda: alone.client.post("/engine/v1/dev/dequeue", json=body).json()["dequeuedMessages"],
    )
    assert started[0]["run"]["friendlyId"] == run_id


@pytest.mark.parametrize(
    "wrong",
    [
        {"TRIGGER_SECRET_KEY": ""},
        {"TRIGGER_ACCESS_TOKEN": "not-a-token"},
        {"TASK_ENVIRONMENT_FILE": "/does/not/exist"},
    ],
)
def test_the_platform_refuses_to_start_half_configured(wrong: dict[str, str]) -> None:
    right = {
        "TRIGGER_ACCESS_TOKEN": ACCESS_TOKEN,
        "TRIGGER_SECRET_KEY": SECRET_KEY,
        "TRIGGER_PROJECT_REF": PROJECT_REF,
    }
    outcome = subprocess.run(
        [sys.executable, "-m", "local.trigger_platform", "--port", "1"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], **right, **wrong},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert outcome.returncode == 2
    assert "cannot start" in outcome.stderr
    assert SECRET_KEY not in outcome.stderr
