"""Each test gets a connection in a transaction that never commits."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.database.audit import Since
from tests.support.pipeline import create_blueprint, publish_steps
from tests.support.sql_client import Client, Connection, connect, owner, service, signed_in
from tests.support.stack import StackEnvironment, stack_for_tests
from tests.support.tenants import Company, Org, Tenants, create_tenants


@pytest.fixture(scope="package")
def supabase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackEnvironment]:
    """A database for these tests alone: on a full stack, the worker and the reconciler write too."""
    with stack_for_tests(tmp_path_factory.mktemp("database"), "supabase") as environment:
        yield environment


@pytest.fixture(scope="package")
def tenants(supabase: StackEnvironment) -> Tenants:
    """Two orgs that these tests share."""
    with psycopg.connect(supabase.database_url) as connection:
        return create_tenants(connection)


@pytest.fixture(scope="package")
def shared_connection(supabase: StackEnvironment) -> Iterator[Connection]:
    with connect(supabase) as connection:
        yield connection


@pytest.fixture
def connection(shared_connection: Connection) -> Iterator[Connection]:
    """A connection as postgres. Everything that the test does is rolled back."""
    with shared_connection.transaction(force_rollback=True):
        # A request checks these constraints when it commits; here none commits.
        shared_connection.execute("set constraints all immediate")
        yield shared_connection


@pytest.fixture
def first(supabase: StackEnvironment) -> Iterator[Connection]:
    """The first of two connections that commit. The test must remove what they commit."""
    with connect(supabase) as connection:
        yield connection


@pytest.fixture
def second(supabase: StackEnvironment) -> Iterator[Connection]:
    with connect(supabase) as connection:
        yield connection


@pytest.fixture
def postgres(connection: Connection) -> Client:
    return owner(connection)


@pytest.fixture
def worker(connection: Connection) -> Client:
    """The tasks' credential; the steps of `tests.support.pipeline` are published."""
    client = service(connection)
    publish_steps(client)
    return client


@pytest.fixture
def org(tenants: Tenants) -> Org:
    return tenants.org


@pytest.fixture
def company(org: Org) -> Company:
    return org.first


@pytest.fixture
def member(connection: Connection, company: Company) -> Client:
    """A member of `company`."""
    return signed_in(connection, company.member)


@pytest.fixture
def blueprint_id(connection: Connection, worker: Client, org: Org) -> str:
    """The id of a blueprint that the org's admin created."""
    return str(create_blueprint(signed_in(connection, org.admin))["id"])


@pytest.fixture
def since(postgres: Client, org: Org) -> Since:
    """The entries that `org`'s audit log gets from here on."""
    return Since(postgres, org.id)
