"""The refusals and shapes of the contract with the API, over HTTP."""

from collections.abc import AsyncIterator

import httpx
import pytest

from local.trigger_platform.app import create_app
from tests.platform.bench import ACCESS_TOKEN, PROJECT_REF, SECRET_KEY, Bench, task


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.register(task("hello"))
    return made


@pytest.fixture
async def client(bench: Bench) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(bench.platform)),
        base_url="http://platform.test",
        headers={"authorization": f"Bearer {SECRET_KEY}"},
    ) as made:
        yield made


async def trigger(client: httpx.AsyncClient, task_id: str = "hello", **body: object) -> str:
    response = await client.post(f"/api/v1/tasks/{task_id}/trigger", json=body)
    response.raise_for_status()
    run_id: str = response.json()["id"]
    return run_id


async def test_a_missing_key_is_a_problem_and_a_wrong_one_is_named(client: httpx.AsyncClient) -> None:
    del client.headers["authorization"]
    missing = await client.get("/api/v3/runs/run_x")
    assert (missing.status_code, missing.headers["content-type"]) == (401, "application/problem+json")
    assert missing.json()["title"] == "Unauthorized"
    wrong = await client.get("/api/v3/runs/run_x", headers={"authorization": "Bearer tr_dev_other"})
    assert (wrong.status_code, wrong.json()) == (401, {"error": "Invalid API key"})


async def test_the_cli_logs_in_with_the_access_token_only(client: httpx.AsyncClient) -> None:
    path = f"/api/v1/projects/{PROJECT_REF}/dev"
    assert (await client.get(path)).status_code == 401
    personal = {"authorization": f"Bearer {ACCESS_TOKEN}"}
    assert (await client.get(path, headers=personal)).json()["apiKey"] == SECRET_KEY
    assert (await client.get("/api/v1/projects/proj_other/dev", headers=personal)).status_code == 404
    assert (await client.get("/engine/v1/dev/config", headers=personal)).status_code == 401


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"queue": "name"}, 400),
        ({"tags": ["x" * 129]}, 400),
        ({"tags": ["x" * 128]}, 200),
        ({"tags": [str(number) for number in range(11)]}, 422),
        ({"idempotencyKey": "x" * 2049}, 400),
        ({"idempotencyKey": "x" * 2048}, 200),
        ({"delay": "soon"}, 422),
        ({"maxAttempts": "many"}, 400),
        ({"concurrencyKey": 17}, 200),
        ({"parentRunId": "run_gone", "resumeParentOnCompletion": True}, 404),
        ({"debounce": {"key": "k", "delay": "1s"}}, 422),
        ({"metadata": {"step": "done"}}, 422),
        ({"idempotencyKeyTTL": "24h"}, 422),
        ({"priority": 10}, 422),
        ({"test": False, "priority": 0}, 200),
    ],
)
async def test_options_are_checked(
    client: httpx.AsyncClient, options: dict[str, object], status: int
) -> None:
    response = await client.post("/api/v1/tasks/hello/trigger", json={"payload": 1, "options": options})
    assert response.status_code == status, response.text
    assert status == 200 or list(response.json()) == ["error"]


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"{", 400), (b"[]", 400), (b'"' + b"x" * 3 * 1024 * 1024 + b'"', 413)]
)
async def test_bodies_are_checked(client: httpx.AsyncClient, body: bytes, status: int) -> None:
    assert (await client.post("/api/v1/tasks/hello/trigger", content=body)).status_code == status


async def test_the_idempotency_header_is_limited_and_wins(client: httpx.AsyncClient) -> None:
    path = "/api/v1/tasks/hello/trigger"
    too_long = await client.post(path, json={}, headers={"idempotency-key": "x" * 2049})
    assert too_long.status_code == 400
    first = await client.post(path, json={}, headers={"idempotency-key": "key"})
    again = await client.post(path, json={"options": {"idempotencyKey": "key"}})
    assert again.json() == {"id": first.json()["id"], "isCached": True}


async def test_an_unknown_task_is_taken_and_waits_for_its_worker(client: httpx.AsyncClient) -> None:
    run = (await client.get(f"/api/v3/runs/{await trigger(client, 'unknown')}")).json()
    assert (run["status"], run["isQueued"]) == ("PENDING_VERSION", True)


async def test_unknown_runs_are_not_found(client: httpx.AsyncClient) -> None:
    read = await client.get("/api/v3/runs/run_unknown")
    cancel = await client.post("/api/v2/runs/run_unknown/cancel")
    assert (read.status_code, read.json()) == (404, {"error": "Not found"})
    assert (cancel.status_code, cancel.json()) == (404, {"error": "Resource not found"})


async def test_a_cancelled_run_is_completed_failed_and_cancelled(client: httpx.AsyncClient) -> None:
    run_id = await trigger(client, payload={"a": 1}, options={"tags": ["b", "a"]})
    for _ in range(2):
        cancelled = await client.post(f"/api/v2/runs/{run_id}/cancel")
        assert (cancelled.status_code, cancelled.json()) == (200, {"id": run_id})
    run = (await client.get(f"/api/v3/runs/{run_id}")).json()
    assert (run["status"], run["isCompleted"], run["isFailed"], run["isCancelled"]) == (
        "CANCELED",
        True,
        True,
        True,
    )
    assert run["error"] == {"message": "Canceled by user"}
    assert (run["payload"], run["tags"]) == ({"a": 1}, ["a", "b"])


async def test_a_handed_out_run_is_dequeued(client: httpx.AsyncClient, bench: Bench) -> None:
    run_id = await trigger(client)
    bench.take()
    assert (await client.get(f"/api/v3/runs/{run_id}")).json()["status"] == "DEQUEUED"


async def test_runs_are_listed_newest_first_in_pages(client: httpx.AsyncClient) -> None:
    ids = [await trigger(client, options={"tags": [f"run:{number % 2}"]}) for number in range(5)]
    page = (await client.get("/api/v1/runs", params={"page[size]": 3})).json()
    assert [run["id"] for run in page["data"]] == ids[:1:-1]
    rest = {"page[size]": 3, "page[after]": page["pagination"]["next"]}
    last_page = (await client.get("/api/v1/runs", params=rest)).json()
    assert [run["id"] for run in last_page["data"]] == ids[1::-1]
    assert last_page["pagination"] == {}
    tagged = (await client.get("/api/v1/runs", params={"filter[tag]": "run:1"})).json()
    assert [run["id"] for run in tagged["data"]] == [ids[3], ids[1]]
    none = (await client.get("/api/v1/runs", params={"filter[status]": "EXECUTING,WAITING"})).json()
    assert none["data"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"page[size]": "0"},
        {"page[size]": "101"},
        {"page[size]": "many"},
        {"filter[status]": "EXECUTING,DONE"},
        {"filter[status]": "PENDING"},
    ],
    ids=str,
)
async def test_a_list_with_a_bad_status_or_page_size_is_refused(
    client: httpx.AsyncClient, query: dict[str, str]
) -> None:
    refused = await client.get("/api/v1/runs", params=query)
    assert (refused.status_code, list(refused.json())) == (400, ["error"])


async def test_a_worker_with_a_broken_schedule_is_refused(client: httpx.AsyncClient) -> None:
    broken = task("tick", schedule={"cron": "whenever", "timezone": "UTC"})
    body = {"metadata": {"tasks": [broken], "contentHash": "two", "queues": []}}
    path = f"/api/v1/projects/{PROJECT_REF}/background-workers"
    assert (await client.post(path, json=body)).status_code == 400


async def test_a_cli_that_does_not_know_the_newest_build_gets_no_runs(
    client: httpx.AsyncClient, bench: Bench
) -> None:
    await trigger(client)
    old = bench.platform.workers.current
    bench.register(task("hello"), content_hash="two")
    new = bench.platform.workers.current
    assert old
    assert new
    body = {"currentWorker": f"worker_{old.id}", "oldWorkers": []}
    assert (await client.post("/engine/v1/dev/dequeue", json=body)).json() == {"dequeuedMessages": []}
    body = {"currentWorker": f"worker_{new.id}", "oldWorkers": []}
    messages = (await client.post("/engine/v1/dev/dequeue", json=body)).json()["dequeuedMessages"]
    assert len(messages) == 1


async def test_a_packet_url_serves_its_packet_and_method_only(client: httpx.AsyncClient) -> None:
    path = "run_1/output.json"
    upload = (await client.put(f"/api/v2/packets/{path.replace('/', '%2F')}")).json()
    assert upload["storagePath"] == path
    del client.headers["authorization"]
    stored = await client.put(
        upload["presignedUrl"], content=b'{"json":1}', headers={"content-type": "application/super+json"}
    )
    assert stored.status_code == 200
    assert (await client.get(upload["presignedUrl"])).status_code == 403
    other = upload["presignedUrl"].replace("run_1", "run_2")
    assert (await client.put(other, content=b"")).status_code == 403


async def test_a_batch_item_that_cannot_be_honoured_refuses_the_whole_stream(
    client: httpx.AsyncClient, bench: Bench
) -> None:
    batch_id = (await client.post("/api/v3/batches", json={"runCount": 2})).json()["id"]
    bad = '{"index":1,"task":"hello","options":{"delay":"soon"}}'
    stream = '{"index":0,"task":"hello"}\n' + bad
    path = f"/api/v3/batches/{batch_id}/items"
    plain = await client.post(path, content=stream)
    assert plain.status_code == 415
    refused = await client.post(path, content=stream, headers={"content-type": "application/x-ndjson"})
    assert refused.status_code == 422
    assert bench.take() == []


async def test_telemetry_is_taken_and_dropped(client: httpx.AsyncClient) -> None:
    for signal in ("traces", "logs", "metrics"):
        assert (await client.post(f"/otel/v1/{signal}", content=b"\x00")).status_code == 200


async def test_health_names_no_worker_without_a_connected_cli(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok", "worker": None}
