"""Health of the API on a real Data API."""

from __future__ import annotations

import httpx
import pytest

from api.routes import health
from tests.support.loopback import Loopback
from tests.support.stack import StackEnvironment


def test_ready_once_the_migrated_data_api_answers(http: httpx.Client, trigger: Loopback) -> None:
    answer = http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["data_api"] == "ok"
    assert http.get("/healthz").json() == {"status": "ok"}


def test_a_readiness_check_leaves_no_line_in_the_log_of_the_database(
    http: httpx.Client, supabase: StackEnvironment, trigger: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "REMEMBER_SECONDS", 0.0)
    log = supabase.log_directory / "supabase.log"
    before = log.stat().st_size
    assert http.get("/readyz").json()["status"] == "ok"
    assert log.read_bytes()[before:] == b""


def test_openapi_document_is_served(http: httpx.Client) -> None:
    assert http.get("/openapi.json").json()["info"]["title"] == "data-engine-x"
