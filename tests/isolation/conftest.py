"""The world of the sweeps in SQL, made once: every attempt in it is undone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.isolation.table_rules import OWNER_COLUMNS
from tests.isolation.world import World, passing_world
from tests.support.sql_client import connect
from tests.support.stack import StackEnvironment, stack_for_tests


@pytest.fixture(scope="module")
def supabase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackEnvironment]:
    """A stack for each module: what was tried over HTTP stays, and would be in the way of later attempts."""
    with stack_for_tests(tmp_path_factory.mktemp("isolation"), "supabase") as environment:
        yield environment


@pytest.fixture(scope="module")
def world(supabase: StackEnvironment) -> Iterator[World]:
    with connect(supabase) as connection, passing_world(connection, OWNER_COLUMNS) as world:
        yield world
