"""The stack and the tenants that tests share, and the lanes in which tests run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import psycopg
import pytest
from xdist.workermanage import WorkerController

from local.processes import end_processes, processes_with
from tests.support.lanes import LANES, GroupScheduling, place
from tests.support.stack import StackEnvironment, stack_for_tests
from tests.support.tenants import Tenants, create_tenants

_RUN = pytest.StashKey[str]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> GroupScheduling:
    return GroupScheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    node.config.stash[_RUN] = node.workerinput["testrunuid"]


def pytest_configure() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_keyboard_interrupt() -> None:
    """Stopping the stacks takes some seconds, in which another Ctrl-C would leave processes behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Of an interrupted session with lanes: xdist kills a lane that takes ten seconds to stop its stacks."""
    if exitstatus == pytest.ExitCode.INTERRUPTED and _RUN in session.config.stash:
        end_processes(processes_with("PYTEST_XDIST_TESTRUNUID", session.config.stash[_RUN]), seconds=10)


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`. Existing services are one database, which two lanes cannot share."""
    return 0 if os.environ.get("TEST_AGAINST_SERVICES") else LANES


@pytest.fixture(scope="session")
def supabase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackEnvironment]:
    """Database, Data API and Auth, migrated."""
    with stack_for_tests(tmp_path_factory.mktemp("supabase"), "supabase") as environment:
        yield environment


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackEnvironment]:
    """The whole stack: also the API, the Trigger.dev control plane and the CLI's worker."""
    with stack_for_tests(tmp_path_factory.mktemp("stack"), "all") as environment:
        yield environment


@pytest.fixture(scope="session")
def tenants(supabase: StackEnvironment) -> Tenants:
    """Two orgs that the session shares. A test that changes a user or an org creates its own."""
    with psycopg.connect(supabase.database_url) as connection:
        return create_tenants(connection)
