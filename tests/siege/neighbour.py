"""The other tenant: works at a fixed rate, and notes how long each answer takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import Any
from uuid import uuid4

import httpx

from tests.siege.target import Json, Target

BEAT_SECONDS = 0.25
# The worker executes one run at a time and must not be busy all the time.
_BEATS_A_SUBMISSION = 20
_REQUEST_SECONDS = 20.0
_RUN_SECONDS = 90.0
_POLL_SECONDS = 0.5
_RECORDS = [{"name": f"Company {n} GmbH", "domain": f"www.company-{n}.example.com"} for n in range(20)]
_FILE = "name;domain\r\n" + "".join(f"Company {n} GmbH;company-{n}.example.com\r\n" for n in range(50))
_FINAL = {"succeeded", "succeeded_with_errors", "failed", "cancelled"}


@dataclass(frozen=True)
class Sample:
    """One request, or one `run` from its submission to its end.

    `began` is monotonic time, which all processes of the machine share.
    """

    kind: str
    began: float
    seconds: float
    error: str | None = None


@dataclass(frozen=True)
class Begun:
    """Announces the sample that began at this time."""

    began: float


Note = Begun | Sample


def live(target: Target, notes: Queue[Note], stop: Event) -> None:
    """The process of the neighbour."""
    asyncio.run(_Neighbour(target, notes).live(stop))


class _Neighbour:
    def __init__(self, target: Target, notes: Queue[Note]) -> None:
        self._target = target
        self._notes = notes
        self._last_run: Json = {}
        self._work: set[asyncio.Task[None]] = set()

    async def live(self, stop: Event) -> None:
        reads = [self._list_submissions, self._get_run, self._list_runs, self._get_submission]
        transport = httpx.AsyncHTTPTransport(
            local_address=self._target.address, limits=httpx.Limits(max_connections=None)
        )
        async with httpx.AsyncClient(
            transport=transport, timeout=_REQUEST_SECONDS, trust_env=False
        ) as self._http:
            beat, due = 0, time.monotonic()
            while not stop.is_set():
                # The rate does not depend on the answers: late ones must not thin out the requests.
                self._begin(self._submission(beat) or reads[beat % len(reads)])
                beat, due = beat + 1, due + BEAT_SECONDS
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            for task in self._work:
                task.cancel()

    def _submission(self, beat: int) -> Callable[[], Coroutine[Any, Any, None]] | None:
        number, rest = divmod(beat, _BEATS_A_SUBMISSION)
        if rest:
            return None
        return self._create if number % 2 == 0 else self._upload

    def _begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.create_task(work())
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    def _begin_sample(self) -> float:
        began = time.monotonic()
        self._notes.put(Begun(began))
        return began

    async def _create(self) -> None:
        body = {**self._place, "records": _RECORDS}
        await self._follow(await self._call("create", "submissions/create", body, key=uuid4().hex))

    async def _upload(self) -> None:
        await self._follow(await self._timed("upload", self._send_file))

    async def _list_submissions(self) -> None:
        await self._call("list", "submissions/list", {"limit": 20})

    async def _list_runs(self) -> None:
        await self._call("list", "pipeline-runs/list", {"limit": 20})

    async def _get_run(self) -> None:
        if self._last_run:
            await self._call("get", "pipeline-runs/get", {"pipeline_run_id": self._last_run["id"]})

    async def _get_submission(self) -> None:
        if self._last_run:
            await self._call("get", "submissions/get", {"submission_id": self._last_run["submission_id"]})

    @property
    def _place(self) -> Json:
        return {"company_id": self._target.company_id, "blueprint_id": self._target.blueprint_id}

    async def _follow(self, accepted: Json | None) -> None:
        if accepted is None:
            return
        run, began = accepted["data"]["pipeline_run"], self._begin_sample()
        self._last_run = run
        while run["status"] not in _FINAL and time.monotonic() - began < _RUN_SECONDS:
            await asyncio.sleep(_POLL_SECONDS)
            answer = await self._call("get", "pipeline-runs/get", {"pipeline_run_id": run["id"]})
            run = answer["data"] if answer else run
        error = None if run["status"] == "succeeded" else f"run {run['status']}"
        self._notes.put(Sample("run", began, time.monotonic() - began, error))

    async def _call(self, kind: str, path: str, body: Json, *, key: str | None = None) -> Json | None:
        headers = {**self._bearer, **({"Idempotency-Key": key} if key else {})}
        url = f"{self._target.api_url}/v1/{path}"
        return await self._timed(kind, lambda: self._http.post(url, json=body, headers=headers))

    def _send_file(self) -> Awaitable[httpx.Response]:
        return self._http.post(
            f"{self._target.api_url}/v1/submissions/upload",
            data=self._place,
            files={"file": ("companies.csv", _FILE.encode())},
            headers=self._bearer,
        )

    @property
    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._target.member}"}

    async def _timed(self, kind: str, send: Callable[[], Awaitable[httpx.Response]]) -> Json | None:
        """The body of a successful answer, else None."""
        began = self._begin_sample()
        error, answer = None, None
        try:
            response = await send()
            if response.is_success:
                answer = response.json()
            else:
                error = f"{kind} {response.status_code} {_code(response)}"
        except httpx.HTTPError as problem:
            error = f"{kind} {type(problem).__name__}"
        self._notes.put(Sample(kind, began, time.monotonic() - began, error))
        return answer


def _code(response: httpx.Response) -> Any:  # noqa: ANN401
    try:
        return response.json()["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return ""
