"""The actors of a campaign: one uses the product, one misuses it, one watches. No outage stops them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import psycopg

from tests.chaos.cases import Json
from tests.support.product import Product
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org, User, session_jwt

_RETRY_SECONDS = 0.3
_SESSION_SECONDS = 6 * 3600
_OUTAGE = {503, 502}


class Customer:
    """Repeats a call that an outage left unanswered, with the same key, until it is answered."""

    def __init__(self, http: httpx.AsyncClient, environment: StackEnvironment, user: User) -> None:
        # The session must outlast the campaign.
        bearer = session_jwt(environment, user, exp=int(time.time()) + _SESSION_SECONDS)
        self._product = Product(http, environment.api_url, bearer)
        self.surprises: list[str] = []

    async def call(self, path: str, body: Json, *, key: str | None = None, refused: int = 0) -> Any:  # noqa: ANN401
        """Returns the data, or None for a refusal with the status `refused`."""
        while True:
            with suppress(httpx.TransportError):
                response = await self._product.post(path, body, idempotency_key=key)
                if response.is_success:
                    return response.json()["data"]
                if response.status_code == refused:
                    return None
                if response.status_code not in _OUTAGE:
                    self.surprises.append(f"{path} answered {response.status_code}: {response.text[:200]}")
            await asyncio.sleep(_RETRY_SECONDS)


class Intruder:
    """Starts tasks at Trigger.dev that nobody asked for."""

    def __init__(self, http: httpx.AsyncClient, environment: StackEnvironment, org: Org) -> None:
        self._http = http
        self._url = f"{environment.trigger_api_url}/api/v1/tasks/run-pipeline/trigger"
        self._headers = {"Authorization": f"Bearer {environment.trigger_secret_key}"}
        self._org = org

    async def start(self, run_id: str, **options: object) -> None:
        """Does nothing while the control plane is unreachable."""
        tags = [f"pipeline_run:{run_id}", f"org:{self._org.id}"]
        body = {
            "payload": {"pipeline_run_id": run_id},
            "options": {"concurrencyKey": self._org.id, "tags": tags, **options},
        }
        with suppress(httpx.TransportError):
            await self._http.post(self._url, json=body, headers=self._headers, timeout=5)

    async def start_again(self, run_ids: list[str], luck: random.Random) -> None:
        """Starts some runs again: in another order, at once or later, with the same key, another or none."""
        ways: list[Callable[[str], Json]] = [
            lambda run_id: {"idempotencyKey": run_id},
            lambda run_id: {"idempotencyKey": f"{run_id}:by hand"},
            lambda run_id: {},
            lambda run_id: {"delay": "2s"},
        ]
        for run_id in luck.sample(run_ids, min(4, len(run_ids))):
            await self.start(run_id, **luck.choice(ways)(run_id))

    async def race(self, run_id: str) -> None:
        """Starts two workers for one run at once."""
        await asyncio.gather(self.start(run_id), self.start(run_id))


class Watcher:
    """Reads the status of every run from the database, again and again, through all outages."""

    def __init__(self, environment: StackEnvironment, org: Org) -> None:
        self._url = environment.database_url
        self._org = org
        self.statuses: dict[str, list[str]] = {}
        self._looked = asyncio.Condition()

    @property
    def unfinished(self) -> list[str]:
        return [run_id for run_id, seen in self.statuses.items() if seen[-1] in ("queued", "running")]

    async def watch(self, every_seconds: float = 0.5) -> None:
        """Looks until it is cancelled."""
        while True:
            with suppress(psycopg.OperationalError):
                await asyncio.to_thread(self.look)
            async with self._looked:
                self._looked.notify_all()
            await asyncio.sleep(every_seconds)

    async def room_for(self, unfinished: int) -> None:
        """Waits for another look, and then until fewer runs than this are unfinished."""
        async with self._looked:
            await self._looked.wait()
            await self._looked.wait_for(lambda: len(self.unfinished) < unfinished)

    def look(self) -> None:
        """Raises psycopg.OperationalError while the database is down."""
        statement = "select id::text, status::text from public.pipeline_runs where org_id = %s"
        with psycopg.connect(self._url, connect_timeout=5) as connection:
            rows = connection.execute(statement, (self._org.id,)).fetchall()
        for run_id, status in rows:
            seen = self.statuses.setdefault(run_id, [])
            if not seen or seen[-1] != status:
                seen.append(status)
