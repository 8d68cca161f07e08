"""Starts, reads and cancels Trigger.dev runs over HTTP, each with one attempt.

No failure here fails a request: the reconciler starts a run later, and the task of a cancelled run stops by
itself.
"""

import asyncio
import json
import re
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Request

from api.background import Background
from api.http_client import HttpAnswer, HttpClient, UnreachableError

RUN_PIPELINE_TASK = "run-pipeline"
RECONCILE_RUNS_TASK = "reconcile-runs"
# For calls that a request waits for.
TIMEOUT_SECONDS = 3.0
# For starts, which go on after their request was answered: a platform serves a burst one by one.
START_SECONDS = 30.0
TRIGGER_RUN_ID = re.compile(r"run_[A-Za-z0-9]{1,64}")


class TriggerUnavailableError(Exception):
    """Trigger.dev did not answer or refused. The message says which, without secrets."""


class TriggerClient:
    """`background` keeps the starts that outlast their request."""

    def __init__(self, http: HttpClient, secret_key: str, background: Background) -> None:
        self.background = background
        self._http = http
        self._headers = {"Authorization": f"Bearer {secret_key}", "Content-Type": "application/json"}

    async def start_run_pipeline(self, pipeline_run_id: str, org_id: str) -> str:
        """Returns the id of the Trigger.dev run, which is the same if the pipeline run is started again."""
        body = {
            "payload": {"pipeline_run_id": pipeline_run_id},
            "options": {
                "idempotencyKey": pipeline_run_id,
                "concurrencyKey": org_id,
                "tags": [pipeline_run_tag(pipeline_run_id), f"org:{org_id}"],
            },
        }
        return await self._start(RUN_PIPELINE_TASK, body)

    async def start_reconcile_runs(self, now: datetime) -> str:
        """Starts the scheduled task once a minute at most, with the payload that its schedule would give."""
        minute = now.replace(second=0, microsecond=0)
        times = [
            moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            for moment in (minute, minute + timedelta(minutes=1))
        ]
        schedule = {
            "scheduleId": "sched_api",
            "type": "IMPERATIVE",
            "timezone": "UTC",
            "timestamp": times[0],
            "upcoming": times[1:],
        }
        # Super JSON, Trigger.dev's format for payloads with dates.
        payload = {"json": schedule, "meta": {"values": {"timestamp": ["Date"], "upcoming.0": ["Date"]}}}
        body = {
            "payload": json.dumps(payload),
            "options": {
                "payloadType": "application/super+json",
                "idempotencyKey": f"{RECONCILE_RUNS_TASK}:{times[0]}",
            },
        }
        return await self._start(RECONCILE_RUNS_TASK, body)

    async def _start(self, task_id: str, body: dict[str, Any]) -> str:
        """The id of the Trigger.dev run."""
        path = f"/api/v1/tasks/{task_id}/trigger"
        started = await self._request("POST", path, body, seconds=START_SECONDS)
        if not isinstance(started.get("id"), str):
            raise TriggerUnavailableError("Trigger.dev answered without a run id")
        return str(started["id"])

    async def retrieve_run(self, trigger_run_id: str) -> dict[str, Any]:
        return await self._request(
            "GET", f"/api/v3/runs/{_checked(trigger_run_id)}", route="/api/v3/runs/{run}"
        )

    async def cancel_run(self, trigger_run_id: str) -> None:
        await self._request(
            "POST", f"/api/v2/runs/{_checked(trigger_run_id)}/cancel", route="/api/v2/runs/{run}/cancel"
        )

    async def check(self) -> str:
        """`ok`, `unauthorized` or `unreachable`: asks for a run that cannot exist."""
        try:
            response = await self._send("GET", "/api/v3/runs/run_readiness", None)
        except TriggerUnavailableError:
            return "unreachable"
        if response.status in (401, 403):
            return "unauthorized"
        return "ok" if response.status < 500 else "unreachable"

    async def _request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        route: str | None = None,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        response = await self._send(method, path, body, route, seconds)
        if not response.is_success:
            raise TriggerUnavailableError(f"Trigger.dev answered {response.status} to {method} {path}")
        try:
            answer = response.json()
        except ValueError as error:
            raise TriggerUnavailableError(f"Trigger.dev answered no JSON to {method} {path}") from error
        if not isinstance(answer, dict):
            raise TriggerUnavailableError(f"Trigger.dev answered no object to {method} {path}")
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        route: str | None = None,
        seconds: float | None = None,
    ) -> HttpAnswer:
        content = json.dumps(body).encode() if body is not None else None
        try:
            async with asyncio.timeout(seconds or TIMEOUT_SECONDS):
                return await self._http.send(method, path, self._headers, content, route=route)
        except (UnreachableError, TimeoutError) as error:
            raise TriggerUnavailableError(f"Trigger.dev did not answer {method} {path}: {error!r}") from error


def pipeline_run_tag(pipeline_run_id: str) -> str:
    return f"pipeline_run:{pipeline_run_id}"


def _checked(trigger_run_id: str) -> str:
    """Refuses an id that could change the path: a client of the Data API may have written it."""
    if not TRIGGER_RUN_ID.fullmatch(trigger_run_id):
        raise TriggerUnavailableError("the recorded Trigger.dev run id is malformed")
    return trigger_run_id


async def _trigger(request: Request) -> TriggerClient:
    trigger: TriggerClient = request.app.state.trigger
    return trigger


Trigger = Annotated[TriggerClient, Depends(_trigger)]
