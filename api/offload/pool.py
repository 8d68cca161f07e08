"""The processes that all requests share, and the share of each org."""

import asyncio
import logging
from typing import Annotated, Final

from fastapi import Depends, Request

from api.errors import ApiError, internal_error
from api.offload.job import Job, JobRefusedError, Options, run_here, too_complex
from api.offload.process import OffloadProcess, ProcessDiedError
from api.shares import Shares

logger = logging.getLogger(__name__)

PROCESSES: Final = 2
SECONDS: Final = 10.0


class OffloadPool:
    """Starts its processes when they are first needed. An org uses one of them at a time."""

    def __init__(self, processes: int = PROCESSES, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._free = asyncio.Semaphore(processes)
        self._idle: list[OffloadProcess] = []
        self._shares = Shares("large requests of the org", at_once=1, waiting=8, wait_seconds=2 * seconds)

    async def run(self, job: Job, org_id: str, payload: bytes, options: Options | None = None) -> bytes:
        """Raises ApiError: what the job refuses, request_too_complex, or too_many_requests."""
        try:
            if len(payload) <= job.inline_bytes:
                return run_here(job.work, payload, options or {})
            async with self._shares.of(org_id), self._free:
                return await self._run_there(job, payload, options or {})
        except JobRefusedError as error:
            raise ApiError(error.code, error.message, details=error.details) from error

    def close(self) -> None:
        for process in self._idle:
            process.kill()
        self._idle.clear()

    async def _run_there(self, job: Job, payload: bytes, options: Options) -> bytes:
        process = self._idle.pop() if self._idle else await OffloadProcess.start()
        is_whole = False
        try:
            async with asyncio.timeout(self._seconds):
                header, body = await process.run(job.name, payload, options)
            is_whole = not process.is_worn
        except (TimeoutError, ProcessDiedError) as error:
            logger.warning("%s was given up after %d bytes: %r", job.name, len(payload), error)
            raise too_complex() from error
        finally:
            # Cancelled or failed in the middle, it would answer the next job with this one's result.
            if is_whole:
                self._idle.append(process)
            else:
                process.kill()
        if refusal := header.get("refusal"):
            raise JobRefusedError(refusal["code"], refusal["message"], refusal["details"])
        if defect := header.get("defect"):
            logger.error("%s failed: %s", job.name, defect)
            raise internal_error()
        return body


async def _pool(request: Request) -> OffloadPool:
    pool: OffloadPool = request.app.state.offload
    return pool


Offload = Annotated[OffloadPool, Depends(_pool)]
