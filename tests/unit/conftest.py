"""The API with a Data API and a Trigger.dev that are loopback servers, for tests without a stack."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import jwt
import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import Settings
from tests.support.loopback import Answer, Loopback, Request, loopback_server

JWT_SECRET = "a-secret-that-only-the-unit-tests-know-of"
ORG_ID, USER_ID = str(uuid4()), str(uuid4())
AUTH_CONTEXT = {
    "org_id": ORG_ID,
    "user_id": USER_ID,
    "company_id": None,
    "role": "org_admin",
    "auth_method": "supabase_jwt",
}

RECONCILER_IN_TIME = {"last_ran_at": "2026-01-01T00:00:00+00:00", "is_late": False, "late_since": None}


def grant_request_tokens(request: Request) -> Answer:
    count = request.body["p_count"]
    taken = {"granted": count, "limit_per_second": 1_000, "remaining": 5_000 - count}
    return Answer(200, taken | {"retry_after_seconds": 0})


@pytest.fixture
def data_api() -> Iterator[Loopback]:
    """Answers `auth_context` and grants every request; each test adds the other RPCs that it needs."""
    with loopback_server() as server:
        server.rpc("auth_context", Answer(200, AUTH_CONTEXT))
        server.rpc("take_request_tokens", grant_request_tokens)
        server.unrecorded.add("/rest/v1/rpc/take_request_tokens")
        server.rpc("reconciler_status", Answer(200, RECONCILER_IN_TIME))
        yield server


@pytest.fixture
def trigger() -> Iterator[Loopback]:
    """Accepts every run."""
    with loopback_server() as server:
        server.routes["/api/v1/tasks/run-pipeline/trigger"] = lambda _: Answer(
            200, {"id": "run_abc123", "isCached": False}
        )
        yield server


def make_settings(data_api_url: str, trigger_url: str, **values: Any) -> Settings:  # noqa: ANN401
    """Settings for the two servers, changed by `values`. No `.env` file is read."""
    known: dict[str, Any] = {
        "environment": "local",
        "log_level": "WARNING",
        "supabase_url": data_api_url,
        "supabase_publishable_key": "sb_publishable_of_the_unit_tests",
        "supabase_jwt_secret": JWT_SECRET,
        "trigger_api_url": trigger_url,
        "trigger_secret_key": "tr_dev_of_the_unit_tests",
    }
    return Settings(_env_file=None, **known | values)


@pytest.fixture
def settings(data_api: Loopback, trigger: Loopback) -> Settings:
    return make_settings(data_api.url, trigger.url)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Signed in as an org_admin. Errors of the app become answers, as in production."""
    with TestClient(create_app(settings), raise_server_exceptions=False) as test_client:
        test_client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        yield test_client


def session_claims(settings: Settings, **claims: object) -> dict[str, Any]:
    now = int(time.time())
    session = {
        "iss": settings.jwt_issuer,
        "aud": "authenticated",
        "sub": USER_ID,
        "role": "authenticated",
        "iat": now,
        "exp": now + 600,
    }
    return {name: value for name, value in (session | claims).items() if value is not None}


def session_token(settings: Settings, **claims: object) -> str:
    """A session token as Supabase Auth signs it. A claim that is None is left out."""
    return jwt.encode(session_claims(settings, **claims), JWT_SECRET, algorithm="HS256")


def pipeline_run(**values: object) -> dict[str, Any]:
    run: dict[str, Any] = {
        "id": str(uuid4()),
        "org_id": ORG_ID,
        "company_id": str(uuid4()),
        "submission_id": str(uuid4()),
        "run_number": 1,
        "blueprint_id": str(uuid4()),
        "blueprint_version": 1,
        "status": "queued",
        "error": None,
        "failed_steps": [],
        "retry_of": None,
        "record_count": 2,
        "admitted": True,
        "admitted_at": "2026-01-01T00:00:00+00:00",
        "dispatched": False,
        "trigger_run_id": None,
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "request_id": "request-of-the-run",
        "created_by": USER_ID,
        "created_at": "2026-01-01T00:00:00Z",
        "dispatched_at": None,
        "started_at": None,
        "finished_at": None,
        "progress": 0,
        "steps": [],
    }
    return run | values


def submission(**values: object) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": str(uuid4()),
        "org_id": ORG_ID,
        "company_id": str(uuid4()),
        "blueprint_id": str(uuid4()),
        "name": None,
        "source": "csv",
        "status": "received",
        "record_count": 2,
        "rejected_count": 0,
        "chunk_count": 1,
        "fields": ["a"],
        "retry_of_run_id": None,
        "created_by": USER_ID,
        "created_at": "2026-01-01T00:00:00Z",
        "received_at": "2026-01-01T00:00:00Z",
    }
    return found | values
