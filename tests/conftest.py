"""The stack and the tenants that tests share, and which tests run in one lane."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.stack import StackEnvironment, stack_for_tests
from tests.support.tenants import Tenants, create_tenants

_LANES = 2
# A group stays in one lane, where its tests share a stack: a folder, or a file that needs nothing of its
# folder. The lanes take these in order, the longest first, and those that wait beside those that compute.
_GROUPS = (
    "chaos/test_short_campaign.py",
    "database/test_interleavings.py",
    "end_to_end",
    "isolation/test_isolation.py",
    "demo",
    "database",
    "platform/test_with_cli.py",
    "isolation",
    "local_stack",
    "unit",
)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _place(item: pytest.Item) -> tuple[int, bool]:
    """Long tests come first in their group: a lane that has two tests left takes the next group already,
    which would have to wait for them."""
    group = _group(item)
    return _GROUPS.index(group) if group in _GROUPS else len(_GROUPS), item.get_closest_marker("long") is None


def _group(item: pytest.Item) -> str:
    place = item.path.relative_to(Path(__file__).parent)
    return place.as_posix() if place.as_posix() in _GROUPS else place.parts[0]


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`. Services that exist already are one database for all tests, and so for one lane."""
    return 0 if os.environ.get("TEST_AGAINST_SERVICES") else _LANES


@pytest.fixture(scope="session")
def supabase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackEnvironment]:
    """Database, Data API and Auth, migrated."""
    with stack_for_tests(tmp_path_factory.mktemp("supabase"), "supabase") as environment:
        yield environment


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackEnvironment]:
    """All of it: also the API, the Trigger.dev control plane and the CLI's worker, steps published."""
    with stack_for_tests(tmp_path_factory.mktemp("stack"), "all") as environment:
        yield environment


@pytest.fixture(scope="session")
def tenants(supabase: StackEnvironment) -> Tenants:
    """Two orgs that the whole session shares. A test that changes a user or an org makes its own instead."""
    with psycopg.connect(supabase.database_url) as connection:
        return create_tenants(connection)
