"""Work that may outlast its request."""

import asyncio
import logging
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

MAX_TASKS = 500
CLOSE_SECONDS = 5.0


class Background:
    """Keeps tasks until they have ended: the event loop itself would forget them.

    Nothing may depend on this work. It is lost with the process, and refused when there is too much of it.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(
        self, work: Coroutine[Any, Any, Result], *, of_request: bool = True
    ) -> asyncio.Task[Result] | None:
        """Starts the work; None if there is too much. An exception that nobody awaits goes to the log.

        Work of a request has its request id and its trace.
        """
        if len(self._tasks) >= MAX_TASKS:
            work.close()
            return None
        task = asyncio.create_task(work, context=None if of_request else Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Waits some seconds for the work to end, then cancels what is left."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("work in the background failed", exc_info=error)
