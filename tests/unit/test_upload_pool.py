"""Uploads at the same time: shares, deadlines, callers that leave, and processes that die."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from api.errors import ApiError
from api.ingest.job import ReadJob, ReadLimits
from api.ingest.pool import UploadLimits, UploadPool
from api.ingest.process import ProcessEndedError, ReadingProcess
from api.main import create_app
from api.settings import Settings
from tests.support.loopback import Answer, Loopback, Request
from tests.support.served_app import served
from tests.unit.conftest import session_token
from tests.unit.uploads import FORM, calls, code, upload

LIMITS = UploadLimits(ReadLimits(), max_open=3, max_open_per_org=2, processes=2, wait_seconds=0.2)


@pytest.fixture
async def pool() -> AsyncIterator[UploadPool]:
    made = UploadPool(LIMITS)
    yield made
    await made.close()


def refused_code(error: pytest.ExceptionInfo[ApiError]) -> tuple[int, str]:
    return error.value.status_code, error.value.code


def test_an_org_has_a_share_of_the_uploads_and_the_server_a_number() -> None:
    pool = UploadPool(LIMITS)
    with pool.admit("a"), pool.admit("a"):
        with pytest.raises(ApiError) as refused, pool.admit("a"):
            pass
        assert refused_code(refused) == (429, "too_many_uploads")
        assert int((refused.value.headers or {})["Retry-After"]) > 0
        with pool.admit("b"):
            with pytest.raises(ApiError) as refused, pool.admit("c"):
                pass
            assert refused_code(refused) == (429, "too_many_uploads")
        with pool.admit("c"):
            pass
    with pool.admit("a"), pool.admit("a"):
        pass


async def test_one_org_never_has_all_processes(pool: UploadPool) -> None:
    async with pool.process("a"):
        with pytest.raises(ApiError) as refused:
            async with pool.process("a"):
                pass
        assert refused_code(refused) == (429, "too_many_uploads")
        async with pool.process("b"):
            with pytest.raises(ApiError):
                async with pool.process("c"):
                    pass


async def test_who_waits_gets_the_process_that_comes_free(pool: UploadPool) -> None:
    pool.limits = replace(LIMITS, wait_seconds=10)
    order: list[str] = []

    async def read(name: str, seconds: float) -> None:
        async with pool.process("a"):
            order.append(name)
            await asyncio.sleep(seconds)

    await asyncio.gather(read("first", 0.05), read("second", 0), read("third", 0))
    assert order == ["first", "second", "third"]


async def test_a_process_is_used_again_and_again(pool: UploadPool, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\n1\n")
    pids = set()
    for _ in range(3):
        async with pool.process("a") as process:
            with path.open("rb") as file:
                process.begin(file.fileno(), ReadJob(), 10)
            kinds = [(await process.next_frame()).kind.name for _ in range(3)]
            assert kinds == ["FOUND", "CHUNK", "END"]
            pids.add(process._process.pid)
    assert len(pids) == 1


async def test_a_process_that_was_not_read_to_the_end_is_not_used_again(
    pool: UploadPool, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\n" + b"1\n" * 200_000)
    async with pool.process("a") as process:
        with path.open("rb") as file:
            process.begin(file.fileno(), ReadJob(), 10)
        await process.next_frame()
    frames = 0
    try:
        while await process.next_frame():
            frames += 1
    except ProcessEndedError:
        frames += 1000
    assert frames >= 1000
    async with pool.process("a") as another:
        assert another is not process


async def test_processes_end_with_the_pool_and_when_their_api_is_gone() -> None:
    pool = UploadPool(LIMITS)
    async with pool.process("a") as process:
        pass
    await pool.close()
    assert process._process.poll() is not None
    orphan = await ReadingProcess.start()
    orphan._writer.close()
    assert await asyncio.to_thread(orphan._process.wait, 10) == 0


async def test_a_process_has_none_of_the_api_s_secrets(
    pool: UploadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPABASE_JWT_SECRET", "only the API may know this")
    async with pool.process("a") as process:
        environment = await asyncio.to_thread(Path(f"/proc/{process._process.pid}/environ").read_bytes)
    assert b"PATH=" in environment
    assert b"only the API" not in environment


# Over HTTP ---------------------------------------------------------------------------------------------


def limit(client: TestClient, **limits: Any) -> UploadPool:  # noqa: ANN401
    pool: UploadPool = client.app.state.upload_pool  # type: ignore[attr-defined]
    pool.limits = replace(pool.limits, **limits)
    return pool


def test_an_upload_beyond_the_share_is_refused_before_the_file_arrives(
    client: TestClient, data_api: Loopback
) -> None:
    limit(client, max_open_per_org=0)
    answer = client.post(
        "/v1/submissions/upload", headers={"Content-Type": "multipart/form-data; boundary=x"}, content=b"--x"
    )
    assert code(answer) == (429, "too_many_uploads")
    assert answer.headers["Retry-After"]
    assert calls(data_api) == []


def test_a_file_that_takes_too_long_is_given_up(client: TestClient, data_api: Loopback) -> None:
    limit(client, read_seconds=0.0001)
    assert code(upload(client, b"a\n1\n")) == (413, "payload_too_large")
    assert calls(data_api) == []


@pytest.mark.usefixtures("opened")
def test_a_process_that_dies_fails_its_own_upload_only(client: TestClient, data_api: Loopback) -> None:
    pool = limit(client)

    def kill_it(request: Request) -> Answer:
        (process,) = pool._all
        os.kill(process._process.pid, signal.SIGKILL)
        return Answer(200, {"chunk_index": request.body["p_chunk_index"]})

    takes = data_api.routes["/rest/v1/rpc/append_submission_chunk"]
    data_api.rpc("append_submission_chunk", kill_it)
    many = b"a,b,c\n" + b"1234567890,1234567890,1234567890\n" * 60_000
    assert code(upload(client, many)) == (422, "unreadable_file")
    assert "finalize_submission" not in calls(data_api)
    data_api.rpc("append_submission_chunk", takes)
    assert upload(client, b"a\n1\n").status_code == 202


@pytest.fixture
def server(settings: Settings) -> Iterator[str]:
    with served(create_app(settings)) as url:
        yield url


@pytest.fixture
def headers(settings: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {session_token(settings)}"}


@pytest.mark.usefixtures("opened")
def test_reading_ends_when_the_caller_leaves(
    server: str, headers: dict[str, str], data_api: Loopback
) -> None:
    appended = threading.Event()
    left = threading.Event()

    def append(request: Request) -> Answer:
        appended.set()
        left.wait(10)
        return Answer(200, {"chunk_index": request.body["p_chunk_index"]})

    data_api.rpc("append_submission_chunk", append)
    content = b"a,b\n" + b"x,y\n" * 400_000
    request = httpx.Request(
        "POST", f"{server}/v1/submissions/upload", data=FORM, files={"file": ("a.csv", content)}
    )
    connection = HTTPConnection(request.url.host, request.url.port or 80)
    connection.request("POST", "/v1/submissions/upload", request.read(), dict(request.headers) | headers)
    assert appended.wait(20)
    connection.close()
    time.sleep(0.3)
    left.set()
    deadline = time.monotonic() + 20
    while data_api.asked("/append_submission_chunk")[1:] and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    # What was under way is ended; of the 400 chunks no more are sent, and nothing is finalized.
    assert len(data_api.asked("/append_submission_chunk")) == 1
    assert data_api.asked("/finalize_submission") == []


def test_bombs_of_one_org_are_refused_quickly_and_delay_nobody(
    server: str, headers: dict[str, str], data_api: Loopback
) -> None:
    """Eight times 97 KB of gzip, which are a hundred megabytes of line feeds each, at once."""
    bomb = gzip.compress(b"\n" * 100_000_000)
    assert len(bomb) < 100_000
    data_api.rpc("list_companies", Answer(200, {"items": [], "next_cursor": None}))

    def attack(_: int) -> str:
        answer = httpx.post(
            f"{server}/v1/submissions/upload",
            data=FORM,
            files={"file": ("a.csv.gz", bomb)},
            headers=headers,
            timeout=60,
        )
        return str(answer.json()["error"]["code"])

    slowest = 0.0
    with ThreadPoolExecutor(8) as executor, httpx.Client(headers=headers) as other:
        attacks = [executor.submit(attack, number) for number in range(8)]
        while not all(one.done() for one in attacks):
            started = time.monotonic()
            assert other.post(f"{server}/v1/companies/list").status_code == 200
            slowest = max(slowest, time.monotonic() - started)
    codes = sorted(one.result() for one in attacks)
    assert set(codes) <= {"payload_too_large", "too_many_uploads"}
    assert codes.count("too_many_uploads") >= 4
    # In threads that all requests shared it took minutes. On a quiet machine it is some milliseconds.
    assert slowest < 5
    assert calls(data_api).count("open_submission") == 0
