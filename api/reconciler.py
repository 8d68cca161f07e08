"""Notices that the reconciler is late, and starts it.

Trigger.dev starts the task `reconcile-runs` each minute, but drops a schedule whose runs have failed several
times. The database knows when the task last ran. Requests about runs ask it, so that a dropped schedule is
noticed as soon as anybody uses runs.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request

from api.auth.caller import Caller, CurrentCaller
from api.background import Background
from api.errors import ApiError
from api.models.envelope import ResultModel
from api.trigger_client import TriggerClient, TriggerUnavailableError

logger = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 20.0
START_EVERY_SECONDS = 60.0


class ReconcilerStatus(ResultModel):
    """What `reconciler_status` answers. `last_ran_at` is null if it has never run."""

    last_ran_at: datetime | None
    is_late: bool
    late_since: datetime | None


class ReconcilerWatch:
    """One for the process. It looks at most every 20 s, in the background, and starts at most once a minute.

    All processes start it under one idempotency key a minute, so Trigger.dev gets one start.
    """

    def __init__(
        self,
        trigger: TriggerClient,
        background: Background,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trigger = trigger
        self._background = background
        self._clock = clock
        self._looked_at = float("-inf")
        self._started_at = float("-inf")
        self._status: ReconcilerStatus | None = None

    def look(self, caller: Caller) -> None:
        """Returns at once. The look uses the caller's credential and tells the caller nothing."""
        if self._clock() - self._looked_at >= LOOK_EVERY_SECONDS:
            self._looked_at = self._clock()
            self._background.start(self._look(caller), of_request=False)

    def describe(self) -> str:
        """The last look: `ok`, `late since …`, or `unknown` if no request has looked yet."""
        if self._status is None:
            return "unknown"
        if not self._status.is_late:
            return "ok"
        since = self._status.late_since
        return f"late since {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if since else "late"

    async def _look(self, caller: Caller) -> None:
        try:
            self._status = await caller.call("reconciler_status", None, ReconcilerStatus)
        except ApiError as error:
            logger.warning("the database did not say when the reconciler last ran: %s", error)
            return
        if self._status.is_late and self._clock() - self._started_at >= START_EVERY_SECONDS:
            self._started_at = self._clock()
            logger.error("the reconciler is %s; it is started now", self.describe())
            await self._start()

    async def _start(self) -> None:
        try:
            await self._trigger.start_reconcile_runs(datetime.now(UTC))
        except TriggerUnavailableError as error:
            logger.error("the reconciler was not started: %s", error)


async def _watch(request: Request) -> ReconcilerWatch:
    watch: ReconcilerWatch = request.app.state.reconciler_watch
    return watch


Watch = Annotated[ReconcilerWatch, Depends(_watch)]


async def look_at_reconciler(caller: CurrentCaller, watch: Watch) -> None:
    """A dependency of the routers about runs."""
    watch.look(caller)
