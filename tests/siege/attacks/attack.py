"""The base of all attacks, and the attacker's HTTP client."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import ClassVar

import aiohttp
import psycopg

from tests.siege.sql_rpc import call_rpc
from tests.siege.target import Json, Target, encoded

_REQUEST_SECONDS = 60.0


class Attacker:
    """Sends requests as the attacking tenant until the time is up, and counts the answers."""

    def __init__(self, http: aiohttp.ClientSession, target: Target) -> None:
        self.target = target
        self.answers: Counter[str] = Counter()
        self.until = 0.0
        self._http = http

    @property
    def has_time(self) -> bool:
        return time.monotonic() < self.until

    async def repeat(self, send: Callable[[], Awaitable[object]], *, at_once: int, most: int) -> None:
        """Calls `send` up to `most` times, `at_once` in parallel, until the time is up."""
        left = most

        async def go_on() -> None:
            nonlocal left
            while left > 0 and self.has_time:
                left -= 1
                await send()

        await asyncio.gather(*(go_on() for _ in range(at_once)))

    async def api(self, path: str, body: bytes | aiohttp.FormData, *, as_admin: bool = False) -> Json | None:
        """The `data` of a successful answer, else None."""
        headers = self._authorization(as_admin)
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/json"
        answer = await self._send("POST", f"{self.target.api_url}/v1/{path}", headers, body)
        return answer["data"] if isinstance(answer, dict) and "data" in answer else None

    async def rpc(self, name: str, body: bytes, *, as_admin: bool = False) -> Json | None:
        """Calls the Data API directly, as it is public too."""
        headers = {**self._authorization(as_admin), "apikey": self.target.publishable_key}
        headers["Content-Type"] = "application/json"
        answer = await self._send("POST", f"{self.target.data_api_url}/rpc/{name}", headers, body)
        return answer if isinstance(answer, dict) else None

    async def rpc_verbatim(self, name: str, body: bytes, *, as_admin: bool = False) -> Json | None:
        """As `rpc`, but the numbers of the body reach Postgres unchanged."""
        if self.target.database_url is None:
            return await self.rpc(name, body, as_admin=as_admin)
        bearer = self.target.admin if as_admin else self.target.member
        try:
            result = await call_rpc(self.target.database_url, bearer, name, body)
        except psycopg.Error as error:
            self.answers[error.sqlstate or type(error).__name__] += 1
            return None
        except asyncio.CancelledError:
            self.answers["unanswered"] += 1
            raise
        self.answers["200"] += 1
        return result if isinstance(result, dict) else None

    async def read(self, path: str, *, as_admin: bool = False) -> None:
        headers = {**self._authorization(as_admin), "apikey": self.target.publishable_key}
        await self._send("GET", f"{self.target.data_api_url}/{path}", headers, None)

    async def submit(
        self, records: list[Json], *, as_admin: bool = False, **arguments: object
    ) -> Json | None:
        """Submits at the Data API; returns `{submission, pipeline_run}`."""
        target = self.target
        body = {
            "p_company_id": target.company_id,
            "p_blueprint_id": target.blueprint_id,
            "p_records": records,
            **arguments,
        }
        return await self.rpc("create_submission", encoded(body), as_admin=as_admin)

    async def open_upload(self) -> str | None:
        """Opens a submission for chunks and returns its id."""
        target = self.target
        body = {"p_company_id": target.company_id, "p_blueprint_id": target.blueprint_id, "p_source": "csv"}
        opened = await self.rpc("open_submission", encoded(body))
        return str(opened["submission"]["id"]) if opened else None

    def _authorization(self, as_admin: bool) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.target.admin if as_admin else self.target.member}"}

    async def _send(
        self, method: str, url: str, headers: dict[str, str], body: bytes | aiohttp.FormData | None
    ) -> object:
        try:
            async with self._http.request(method, url, headers=headers, data=body) as response:
                text = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.answers[type(error).__name__] += 1
            return None
        except asyncio.CancelledError:
            self.answers["unanswered"] += 1
            raise
        self.answers[str(response.status)] += 1
        if response.status >= 300:
            return None
        try:
            return json.loads(text)
        except ValueError:
            return None


class Attack:
    """Sends at most `most` requests; its process bounds the time. `sends` describes the requests."""

    name: ClassVar[str]
    sends: ClassVar[str]
    at_once: ClassVar[int] = 4
    most: ClassVar[int] = 1000

    async def prepare(self, attacker: Attacker) -> None:
        """Runs before the time is measured."""

    async def send(self, attacker: Attacker) -> None:
        raise NotImplementedError

    async def press(self, attacker: Attacker) -> None:
        await attacker.repeat(lambda: self.send(attacker), at_once=self.at_once, most=self.most)


def new_session(target: Target) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, local_addr=(target.address, 0)),
        timeout=aiohttp.ClientTimeout(total=_REQUEST_SECONDS),
    )
