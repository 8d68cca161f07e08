"""Each test has its own org, so tests share neither queues nor secrets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import psycopg
import pytest

from tests.support.product import Product
from tests.support.stack import StackEnvironment
from tests.support.stack_processes import StackProcesses
from tests.support.tenants import Org, User, create_org, session_jwt
from tests.support.trigger_api import TriggerApi
from tests.support.webhook_receiver import SECRET_NAME, Receiver, webhook_receiver


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def org(stack: StackEnvironment) -> Org:
    with psycopg.connect(stack.database_url) as connection:
        return create_org(connection)


@pytest.fixture
def as_user(stack: StackEnvironment, http: httpx.AsyncClient) -> Callable[[User], Product]:
    """The product with a Supabase session of the user."""
    return lambda user: Product(http, stack.api_url, session_jwt(stack, user))


@pytest.fixture
async def admin(org: Org, as_user: Callable[[User], Product]) -> Product:
    return as_user(org.admin)


@pytest.fixture
async def member(org: Org, as_user: Callable[[User], Product]) -> Product:
    """A member of the org's first company."""
    return as_user(org.first.member)


@pytest.fixture
async def receiver(admin: Product) -> AsyncIterator[Receiver]:
    """A receiver whose signing secret is stored in the org."""
    with webhook_receiver() as listening:
        await admin.call("secrets/set", {"name": SECRET_NAME, "value": listening.secret})
        yield listening


@pytest.fixture
def trigger(stack: StackEnvironment, http: httpx.AsyncClient) -> TriggerApi:
    return TriggerApi(http, stack)


@pytest.fixture
def processes(stack: StackEnvironment) -> StackProcesses:
    return StackProcesses(stack)
