"""A platform that takes starts one by one outlasts their requests; the API still starts each run once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.end_to_end.samples import CLEAN, companies
from tests.support.product import Product
from tests.support.stack import StackEnvironment, stack_for_tests
from tests.support.tenants import User, create_org
from tests.support.trigger_api import TriggerApi

pytestmark = pytest.mark.long

_ANSWER_SECONDS = 0.25
# An org has at most ten runs in flight.
_ORGS, _RUNS_OF_ORG = 3, 10


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackEnvironment]:
    if os.environ.get("TEST_AGAINST_SERVICES"):
        pytest.skip("a platform that exists already cannot be told to be slow")
    directory = tmp_path_factory.mktemp("slow")
    settings = {"TRIGGER_ANSWER_SECONDS": str(_ANSWER_SECONDS)}
    with stack_for_tests(directory, "all", settings=settings) as environment:
        yield environment


async def test_every_run_of_a_burst_is_started_once_by_the_api(
    stack: StackEnvironment, as_user: Callable[[User], Product], trigger: TriggerApi
) -> None:
    with psycopg.connect(stack.database_url) as connection:
        orgs = [create_org(connection) for _ in range(_ORGS)]
    admins = [as_user(org.admin) for org in orgs]
    blueprints = [await admin.blueprint(CLEAN) for admin in admins]

    submitting = [
        (admin, admin.submit(org.first.id, blueprint_id, companies(1)))
        for org, admin, blueprint_id in zip(orgs, admins, blueprints, strict=True)
        for _ in range(_RUNS_OF_ORG)
    ]
    accepted = await asyncio.gather(*(submission for _, submission in submitting))
    at_once = sum(submission["dispatched"] for submission in accepted)
    print(f"{at_once} of {len(accepted)} runs were dispatched when their request was answered")
    assert 0 < at_once < len(accepted)

    for (admin, _), submission in zip(submitting, accepted, strict=True):
        run_id = submission["pipeline_run"]["id"]
        run = await admin.succeeded(run_id, seconds=120)
        assert run["dispatched"]
        started = [run["taskIdentifier"] for run in await trigger.runs_of(run_id)]
        assert started == ["run-pipeline"]
    for admin in admins:
        assert [
            entry for entry in await admin.every("audit/list", {}) if entry["action"] == "reconciled"
        ] == []
