"""The API over HTTP, called with one credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

Json = dict[str, Any]
PROBE = "testing-probe"


@dataclass(frozen=True)
class Caller:
    """Calls the API with a bearer; an empty one sends no credential."""

    http: httpx.Client
    bearer: str = field(default="", repr=False)

    def post(
        self, path: str, body: Json | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return self.http.post(f"/v1/{path}", json=body or {}, headers=self._headers(headers))

    def data(self, path: str, body: Json | None = None, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 (JSON)
        answer = self.post(path, body, headers)
        assert answer.is_success, f"{path} answered {answer.status_code}: {answer.text}"
        return answer.json()["data"]

    def refusal(
        self, path: str, body: Json | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        return refusal(self.post(path, body, headers))

    def pages(self, path: str, body: Json) -> list[list[Json]]:
        """Every page until `next_cursor` is null."""
        pages, cursor = [], None
        while True:
            answer = self.post(path, body | {"cursor": cursor}).json()
            pages.append(answer["data"])
            cursor = answer["next_cursor"]
            if cursor is None:
                return pages

    def upload(
        self,
        form: Json,
        content: bytes,
        name: str = "companies.csv",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        return self.http.post(
            "/v1/submissions/upload",
            data=form,
            files={"file": (name, content)},
            headers=self._headers(headers),
        )

    def blueprint(self, count: int = 1) -> str:
        """Creates a blueprint of `count` probe steps and returns its id."""
        steps = [{"slug": PROBE, "config": {"note": str(number)}} for number in range(count)]
        created = self.data("blueprints/create", {"name": f"Blueprint {uuid4()}", "steps": steps})
        return str(created["id"])

    def submit(self, company_id: str, blueprint_id: str, count: int = 3, **more: Any) -> Json:  # noqa: ANN401
        records = [{"name": f"Company {number}", "n": number} for number in range(1, count + 1)]
        body = {"company_id": company_id, "blueprint_id": blueprint_id, "records": records, **more}
        created: Json = self.data("submissions/create", body)
        return created

    def _headers(self, headers: Mapping[str, str] | None) -> dict[str, str]:
        authorization = {"Authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        return authorization | dict(headers or {})


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.is_error, f"it answered {answer.status_code}: {answer.text}"
    error = answer.json()["error"]
    assert error["request_id"] == answer.headers["X-Request-Id"]
    return answer.status_code, error["code"]
