"""Work in other processes: its results, its time and memory, and the share of each org."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import psutil
import pytest

from api.errors import ApiError
from api.offload.job import Job
from api.offload.pool import MAX_WAITING_BYTES, OffloadPool
from tests.support.offloaded import (
    CRASH,
    DEVOUR,
    ENVIRONMENT,
    FAIL,
    HANG,
    PROCESS_ID,
    REFUSE,
    REVERSE,
    REVERSE_HERE,
    USE_MEMORY,
)

ORG, OTHER = "org", "other org"


@pytest.fixture
async def pool() -> AsyncIterator[OffloadPool]:
    pool = OffloadPool(processes=2, seconds=10)
    yield pool
    pool.close()


async def code_of(pool: OffloadPool, job: Job, org: str = ORG) -> str:
    with pytest.raises(ApiError) as raised:
        await pool.run(job, org, b"payload")
    return raised.value.code


async def test_a_job_gets_bytes_and_options_and_gives_bytes(pool: OffloadPool) -> None:
    large = os.urandom(5_000_000)
    assert await pool.run(REVERSE, ORG, large, {"suffix": "!"}) == large[::-1] + b"!"
    assert await pool.run(REVERSE_HERE, ORG, b"ab") == b"ba"
    assert await pool.run(PROCESS_ID, ORG, b"x") == await pool.run(PROCESS_ID, OTHER, b"x")


async def test_a_process_that_needed_much_memory_is_replaced(pool: OffloadPool) -> None:
    before = bytearray(os.urandom(1024)) * 300_000  # The memory of the parent does not count.
    first = await pool.run(PROCESS_ID, ORG, b"x")
    assert await pool.run(PROCESS_ID, ORG, b"x") == first
    await pool.run(USE_MEMORY, ORG, b"x")
    assert await pool.run(PROCESS_ID, ORG, b"x") != first
    del before


async def test_the_process_does_not_have_our_environment(pool: OffloadPool) -> None:
    names = set((await pool.run(ENVIRONMENT, ORG, b"x")).decode().split())
    assert names <= {"PATH", "PYTHONPATH", "LC_CTYPE"}


async def test_refusals_and_defects_are_those_of_the_api(
    pool: OffloadPool, caplog: pytest.LogCaptureFixture
) -> None:
    assert await code_of(pool, REFUSE) == "invalid_records"
    assert await code_of(pool, FAIL) == "internal_error"
    assert "RuntimeError" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("job", [CRASH, DEVOUR], ids=["crash", "devour"])
async def test_the_pool_survives_its_processes(pool: OffloadPool, job: Job) -> None:
    for _ in range(3):
        assert await code_of(pool, job) == "request_too_complex"
    assert await pool.run(REVERSE, ORG, b"ab") == b"ba"


def is_offload(process: psutil.Process) -> bool:
    try:
        return "api.offload" in " ".join(process.cmdline())
    except psutil.Error:
        return False  # it has ended


async def test_a_job_that_takes_too_long_is_killed() -> None:
    pool = OffloadPool(processes=1, seconds=1.0)
    assert await code_of(pool, HANG) == "request_too_complex"
    assert not [child for child in psutil.Process().children() if is_offload(child)]
    pool.close()


async def test_a_cancelled_job_is_killed_and_its_result_goes_to_nobody(pool: OffloadPool) -> None:
    task = asyncio.create_task(pool.run(HANG, ORG, b"x"))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await pool.run(REVERSE, ORG, b"ab") == b"ba"


async def test_an_org_that_fills_its_share_is_refused_and_others_are_served(pool: OffloadPool) -> None:
    payload = bytes(MAX_WAITING_BYTES // 4)
    tasks = [asyncio.create_task(pool.run(HANG, ORG, payload)) for _ in range(4)]
    await asyncio.sleep(0)
    assert await code_of(pool, REVERSE) == "too_many_requests"
    async with asyncio.timeout(5):
        assert await pool.run(REVERSE, OTHER, b"ab") == b"ba"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
