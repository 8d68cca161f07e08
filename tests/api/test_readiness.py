"""Health of the API on a real Data API."""

from __future__ import annotations

import httpx

from tests.support.loopback import Loopback


def test_ready_once_the_migrated_data_api_answers(http: httpx.Client, trigger: Loopback) -> None:
    answer = http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["data_api"] == "ok"
    assert http.get("/healthz").json() == {"status": "ok"}


def test_openapi_document_and_its_page_are_served(http: httpx.Client) -> None:
    assert http.get("/openapi.json").json()["info"]["title"] == "data-engine-x"
    assert http.get("/docs").status_code == 200
