"""The public API over HTTP, called with one credential."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from copy import copy
from typing import Any
from uuid import uuid4

import httpx

from tests.support.waiting import eventually

Json = dict[str, Any]
FINAL = {"succeeded", "failed", "cancelled"}


class Product:
    def __init__(self, http: httpx.AsyncClient, api_url: str, bearer: str) -> None:
        self._http = http
        self._api_url = api_url
        self._headers = {"Authorization": f"Bearer {bearer}"}

    def with_headers(self, headers: dict[str, str]) -> Product:
        """The same caller, with further headers on each request."""
        caller = copy(self)
        caller._headers = self._headers | headers
        return caller

    async def post(self, path: str, body: Json, *, idempotency_key: str | None = None) -> httpx.Response:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return await self._http.post(
            f"{self._api_url}/v1/{path}", json=body, headers=self._headers | headers, timeout=30
        )

    async def call(self, path: str, body: Json, *, idempotency_key: str | None = None) -> Any:  # noqa: ANN401 (JSON)
        response = await self.post(path, body, idempotency_key=idempotency_key)
        assert response.is_success, f"{path} answered {response.status_code}: {response.text}"
        return response.json()["data"]

    async def refusal(self, path: str, body: Json) -> tuple[int, str]:
        response = await self.post(path, body)
        assert response.is_error, f"{path} answered {response.status_code}: {response.text}"
        return response.status_code, response.json()["error"]["code"]

    async def every(self, path: str, body: Json, *, page: int = 200) -> list[Any]:
        return [item async for item in self._pages(path, body, page)]

    async def _pages(self, path: str, body: Json, page: int) -> AsyncIterator[Any]:
        cursor: str | None = None
        while True:
            response = await self.post(path, {**body, "limit": page, "cursor": cursor})
            assert response.is_success, f"{path} answered {response.status_code}: {response.text}"
            answer = response.json()
            for item in answer["data"]:
                yield item
            cursor = answer["next_cursor"]
            if cursor is None:
                return

    async def blueprint(self, *steps: Json) -> str:
        """Creates a blueprint and returns its id."""
        created = await self.call("blueprints/create", {"name": f"b {uuid4().hex[:8]}", "steps": list(steps)})
        return str(created["id"])

    async def submit(
        self,
        company_id: str,
        blueprint_id: str,
        records: Sequence[Json],
        *,
        idempotency_key: str | None = None,
    ) -> Json:
        """Returns `{submission, pipeline_run, dispatched}`."""
        body = {"company_id": company_id, "blueprint_id": blueprint_id, "records": list(records)}
        accepted: Json = await self.call("submissions/create", body, idempotency_key=idempotency_key)
        return accepted

    async def upload(self, company_id: str, blueprint_id: str, name: str, content: bytes) -> Json:
        response = await self._http.post(
            f"{self._api_url}/v1/submissions/upload",
            data={"company_id": company_id, "blueprint_id": blueprint_id},
            files={"file": (name, content)},
            headers=self._headers,
            timeout=120,
        )
        assert response.status_code == 202, response.text
        accepted: Json = response.json()["data"]
        return accepted

    async def run(self, pipeline_run_id: str) -> Json:
        run: Json = await self.call("pipeline-runs/get", {"pipeline_run_id": pipeline_run_id})
        return run

    async def run_when(
        self, pipeline_run_id: str, holds: Callable[[Json], bool], *, seconds: float = 60
    ) -> Json:
        return await eventually(lambda: self.run(pipeline_run_id), holds, seconds=seconds)

    async def finished(self, pipeline_run_id: str, *, seconds: float = 60) -> Json:
        return await self.run_when(pipeline_run_id, lambda run: run["status"] in FINAL, seconds=seconds)

    async def succeeded(self, pipeline_run_id: str, *, seconds: float = 60) -> Json:
        run = await self.finished(pipeline_run_id, seconds=seconds)
        assert run["status"] == "succeeded", run["error"]
        return run

    async def cancel(self, pipeline_run_id: str) -> Json:
        run: Json = await self.call("pipeline-runs/cancel", {"pipeline_run_id": pipeline_run_id})
        return run

    async def records(self, pipeline_run_id: str, kind: str = "output") -> list[Json]:
        body = {"pipeline_run_id": pipeline_run_id, "kind": kind}
        return await self.every("pipeline-runs/records", body, page=1000)

    async def step_records(self, step_result_id: str, kind: str = "output") -> list[Json]:
        body = {"step_result_id": step_result_id, "kind": kind}
        return await self.every("step-results/records", body, page=1000)

    async def export(self, pipeline_run_id: str, file_format: str) -> str:
        response = await self.post(
            "pipeline-runs/export", {"pipeline_run_id": pipeline_run_id, "format": file_format}
        )
        assert response.status_code == 200, response.text
        return response.content.decode("utf-8-sig")


def statuses(run: Json) -> list[str]:
    """The statuses of the run's steps, in order."""
    return [step["status"] for step in run["steps"]]


def assert_ledger_balances(run: Json) -> None:
    """Every step accounts for all its records, and its input is the output of the step before it."""
    given = run["record_count"]
    for step in run["steps"]:
        assert step["records_in"] == given, step
        left = step["records_out"] + step["records_rejected"] + step["records_dropped"]
        assert step["records_in"] + step["records_added"] == left, step
        assert step["chunks_written"] == step["chunk_count"], step
        given = step["records_out"]
