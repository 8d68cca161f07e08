"""Sends uploads, and says what the API asked of the Data API for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.testclient import TestClient

from tests.support.loopback import Loopback

FORM = {
    "company_id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10",
    "blueprint_id": "0d3e2b6e-3b1f-4a7d-9b57-2c0f5a6f1e21",
}


NO_HEADERS: Mapping[str, str] = {}


def upload(
    client: TestClient,
    content: bytes,
    file_name: str = "a.csv",
    content_type: str = "",
    headers: Mapping[str, str] = NO_HEADERS,
    **form: Any,  # noqa: ANN401 (text, as the tests give it)
) -> Any:  # noqa: ANN401 (a response)
    file = (file_name, content, content_type) if content_type else (file_name, content)
    return client.post("/v1/submissions/upload", data=FORM | form, files={"file": file}, headers=headers)


def calls(data_api: Loopback) -> list[str]:
    names = [request.path.rpartition("/")[2] for request in data_api.requests]
    return [name for name in names if name not in ("auth_context", "reconciler_status")]


def code(answer: Any) -> tuple[int, str]:  # noqa: ANN401 (a response)
    return answer.status_code, answer.json()["error"]["code"]
