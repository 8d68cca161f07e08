"""Reads Trigger.dev's runs of a pipeline run over HTTP, with the requests of the SDK."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.support.stack import StackEnvironment
from tests.support.waiting import eventually

Json = dict[str, Any]


class TriggerApi:
    def __init__(self, http: httpx.AsyncClient, stack: StackEnvironment) -> None:
        self._http = http
        self._url = stack.trigger_api_url
        self._headers = {
            "Authorization": f"Bearer {stack.trigger_secret_key}",
            "x-trigger-api-version": "2025-07-16",
        }

    async def runs_of(self, pipeline_run_id: str) -> list[Json]:
        """The runs of the pipeline task and of its steps' tasks, the oldest first."""
        answer = await self._get("/api/v1/runs", {"filter[tag]": f"pipeline_run:{pipeline_run_id}"})
        return list(reversed(answer["data"]))

    async def runs_when(
        self, pipeline_run_id: str, holds: Callable[[list[Json]], bool], *, seconds: float = 60
    ) -> list[Json]:
        return await eventually(lambda: self.runs_of(pipeline_run_id), holds, seconds=seconds)

    async def cancel(self, trigger_run_id: str) -> None:
        """Cancels it as an operator does in the dashboard."""
        response = await self._http.post(
            f"{self._url}/api/v2/runs/{trigger_run_id}/cancel", headers=self._headers
        )
        assert response.status_code == 200, response.text

    async def reconcile(self) -> None:
        """Triggers the reconciler now, with the payload of a schedule (Super JSON with a marked date)."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        schedule = {"scheduleId": "sched_now", "type": "IMPERATIVE", "timestamp": now, "timezone": "UTC"}
        payload = {"json": {**schedule, "upcoming": []}, "meta": {"values": {"timestamp": ["Date"]}}}
        response = await self._http.post(
            f"{self._url}/api/v1/tasks/reconcile-runs/trigger",
            json={"payload": json.dumps(payload), "options": {"payloadType": "application/super+json"}},
            headers=self._headers,
        )
        assert response.status_code == 200, response.text

    async def _get(self, path: str, query: dict[str, str]) -> Json:
        response = await self._http.get(f"{self._url}{path}", params=query, headers=self._headers)
        assert response.status_code == 200, response.text
        answer: Json = response.json()
        return answer


def are_over(runs: list[Json]) -> bool:
    """Each has ended, however: a run that was cancelled while it executed may end otherwise."""
    return bool(runs) and all(run["isCompleted"] for run in runs)


def all_have_status(status: str) -> Callable[[list[Json]], bool]:
    return lambda runs: bool(runs) and all(run["status"] == status for run in runs)
