"""The stack and the tenants that all tests share, each started once a session and only when a test asks."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.stack import StackEnvironment, stack_for_tests
from tests.support.tenants import Tenants, create_tenants


@pytest.fixture(scope="session")
def supabase(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StackEnvironment]:
    """Database, Data API and Auth, migrated; part of the full stack when any selected test wants that."""
    everything = any("stack" in getattr(item, "fixturenames", ()) for item in request.session.items)
    directory = tmp_path_factory.mktemp("stack")
    with stack_for_tests(directory, "all" if everything else "supabase") as environment:
        yield environment


@pytest.fixture(scope="session")
def stack(supabase: StackEnvironment) -> StackEnvironment:
    """Everything: also the API, the Trigger.dev control plane and the CLI's worker, steps published."""
    assert supabase.scope == "all"
    return supabase


@pytest.fixture(scope="session")
def tenants(supabase: StackEnvironment) -> Tenants:
    """Two orgs that the whole session shares. A test that changes a user or an org makes its own instead."""
    with psycopg.connect(supabase.database_url) as connection:
        return create_tenants(connection)
