"""The world for the sweeps in SQL, made once per module: every attempt in it is undone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.isolation.table_rules import OWNER_COLUMNS
from tests.isolation.world import World, passing_world
from tests.support.sql_client import connect
from tests.support.stack import StackEnvironment, stack_for_tests


@pytest.fixture(scope="module")
def supabase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackEnvironment]:
    """A stack for each module, without a worker. A reconciler would start the runs that the world has queued,
    and rows that another module wrote over HTTP would be in the way."""
    with stack_for_tests(tmp_path_factory.mktemp("isolation"), "supabase") as environment:
        yield environment


@pytest.fixture(scope="module")
def world(supabase: StackEnvironment) -> Iterator[World]:
    with connect(supabase) as connection, passing_world(connection, OWNER_COLUMNS) as world:
        yield world
