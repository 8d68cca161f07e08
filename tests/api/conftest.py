"""The API in a thread of the test process, with the stack's database and a loopback Trigger.dev."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest

from api.main import create_app
from api.settings import Settings
from tests.api.caller import Caller
from tests.api.worker import Worker
from tests.support.loopback import Answer, Loopback, loopback_server
from tests.support.served_app import served
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org, Tenants, Token, User, create_tenants, session_jwt

TRIGGER_PATH = "/api/v1/tasks/run-pipeline/trigger"


@pytest.fixture(scope="session")
def trigger_server() -> Iterator[Loopback]:
    with loopback_server() as server:
        yield server


@pytest.fixture(scope="session")
def api_url(supabase: StackEnvironment, trigger_server: Loopback) -> Iterator[str]:
    known: dict[str, Any] = {name.lower(): value for name, value in supabase.variables.items()}
    known |= {"trigger_api_url": trigger_server.url, "log_level": "ERROR", "max_upload_bytes": "2000000"}
    settings = Settings(_env_file=None, **known)
    # No worker runs here, and the API would start a late reconciler in the middle of a test.
    with psycopg.connect(supabase.database_url) as connection:
        connection.execute("update private.reconciler set last_ran_at = now() + interval '1 day'")
    with served(create_app(settings)) as url:
        yield url


@pytest.fixture(scope="session")
def http(api_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api_url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def worker(supabase: StackEnvironment, http: httpx.Client) -> Worker:
    worker = Worker(supabase, http)
    worker.publish_probe()
    return worker


@pytest.fixture
def trigger(trigger_server: Loopback) -> Loopback:
    """Accepts every run; the requests of the previous test are cleared."""
    trigger_server.requests.clear()
    trigger_server.routes.clear()
    trigger_server.fallback = lambda _: Answer(404, {"error": "Not found"})
    trigger_server.routes[TRIGGER_PATH] = lambda _: Answer(200, {"id": "run_abc123", "isCached": False})
    return trigger_server


@pytest.fixture
def connection(supabase: StackEnvironment) -> Iterator[psycopg.Connection]:
    """A connection as postgres that commits each statement, so that the API sees it."""
    with psycopg.connect(supabase.database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def fresh(connection: psycopg.Connection, worker: Worker, trigger: Loopback) -> Tenants:
    """Two orgs for this test alone."""
    return create_tenants(connection)


@pytest.fixture
def org(fresh: Tenants) -> Org:
    return fresh.org


@pytest.fixture
def as_(supabase: StackEnvironment, http: httpx.Client) -> Callable[[User | Token], Caller]:
    """Makes the caller for a user's session or for an API token."""

    def caller(who: User | Token) -> Caller:
        return Caller(http, who.secret if isinstance(who, Token) else session_jwt(supabase, who))

    return caller


@pytest.fixture
def admin(org: Org, as_: Callable[[User | Token], Caller]) -> Caller:
    return as_(org.admin)


@pytest.fixture
def member(org: Org, as_: Callable[[User | Token], Caller]) -> Caller:
    """A member of the org's first company."""
    return as_(org.first.member)


@pytest.fixture
def nobody(http: httpx.Client) -> Caller:
    return Caller(http)
