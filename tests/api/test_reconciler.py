"""The database says when the reconciler is late; the API starts it, and /readyz shows it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from api import reconciler
from tests.api.caller import Caller
from tests.support.loopback import Answer, Loopback
from tests.support.waiting import wait_until

START_PATH = "/api/v1/tasks/reconcile-runs/trigger"


@pytest.fixture
def late(connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(reconciler, "LOOK_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(reconciler, "START_EVERY_SECONDS", 0.0)
    before = connection.execute("select last_ran_at from private.reconciler").fetchone()
    assert before
    connection.execute("update private.reconciler set last_ran_at = '2026-01-01T00:00:00Z'")
    yield
    connection.execute("update private.reconciler set last_ran_at = %s", before)


@pytest.mark.usefixtures("late")
def test_whoever_lists_runs_has_a_late_reconciler_started(
    connection: psycopg.Connection, http: httpx.Client, member: Caller, trigger: Loopback
) -> None:
    trigger.routes[START_PATH] = lambda _: Answer(200, {"id": "run_abc123", "isCached": False})
    member.data("pipeline-runs/list")
    wait_until("a start", lambda: trigger.asked(START_PATH))
    assert http.get("/readyz").json()["reconciler"] == "late since 2026-01-01T00:05:00Z"

    connection.execute("update private.reconciler set last_ran_at = now()")
    member.data("pipeline-runs/list")
    wait_until("a reconciler in time", lambda: http.get("/readyz").json()["reconciler"] == "ok")
