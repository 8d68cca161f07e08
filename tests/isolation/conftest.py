"""The world of the sweeps in SQL, made once: every attempt in it is undone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.database.client import connect
from tests.isolation.table_rules import OWNER_COLUMNS
from tests.isolation.world import World, passing_world
from tests.stack import StackEnvironment


@pytest.fixture(scope="module")
def world(supabase: StackEnvironment) -> Iterator[World]:
    with connect(supabase) as connection, passing_world(connection, OWNER_COLUMNS) as world:
        yield world
