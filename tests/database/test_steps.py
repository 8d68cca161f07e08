"""The step registry: the tasks publish it, everybody reads it, and a version never changes what it does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.pipeline import step
from tests.support.sql_client import Client, Connection, denied, refused, signed_in
from tests.support.tenants import Org


def publish(worker: Client, *steps: dict[str, Any]) -> dict[str, int]:
    answer: dict[str, int] = worker.call("worker.publish_steps", steps=list(steps))
    return answer


def test_publishing_counts_new_versions_and_repeating_it_changes_nothing(worker: Client) -> None:
    steps = [step("testing-new"), step("testing-new", "1.1.0")]
    assert publish(worker, *steps) == {"published": 2, "unchanged": 0}
    assert publish(worker, *steps) == {"published": 0, "unchanged": 2}


def test_a_published_version_may_be_redescribed(connection: Connection, worker: Client, org: Org) -> None:
    publish(worker, step("testing-new"))
    changed = step("testing-new", title="Clearer", description="Better.")
    assert publish(worker, changed) == {"published": 1, "unchanged": 0}
    read = signed_in(connection, org.first.member).call("get_step", slug="testing-new")
    assert (read["title"], read["description"]) == ("Clearer", "Better.")


@pytest.mark.parametrize(
    "change",
    [
        {"execution_mode": "task"},
        {"task_id": "another-task"},
        {"config_schema": {}},
        {"input_schema": {}},
        {"output_schema": {}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_published_version_keeps_doing_what_it_does(worker: Client, change: dict[str, Any]) -> None:
    publish(worker, step("testing-new"))
    with refused(409, "step_version_conflict"):
        publish(worker, step("testing-new", **change))


def test_the_latest_version_is_the_highest_number(connection: Connection, worker: Client, org: Org) -> None:
    publish(worker, *(step("testing-new", version) for version in ("1.9.0", "1.10.0", "1.2.3")))
    member = signed_in(connection, org.first.member)
    assert member.call("get_step", slug="testing-new")["version"] == "1.10.0"
    assert member.call("get_step", slug="testing-new", version="1.2.3")["version"] == "1.2.3"
    listed = member.call("list_steps", limit=200)["items"]
    assert [item["version"] for item in listed if item["slug"] == "testing-new"] == ["1.10.0"]


@pytest.mark.parametrize("arguments", [{"slug": "no-such"}, {"slug": "testing-inline", "version": "9.9.9"}])
def test_a_step_that_is_not_published_is_not_found(
    connection: Connection, worker: Client, org: Org, arguments: dict[str, str]
) -> None:
    with refused(404, "step_not_found"):
        signed_in(connection, org.first.member).call("get_step", **arguments)


def test_clients_write_no_steps(connection: Connection, worker: Client, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    with denied():
        publish(admin, step("testing-mine"))
    for statement in (
        "update public.steps set task_id = 'mine'",
        "delete from public.steps",
        "insert into public.steps select * from public.steps",
    ):
        with denied():
            admin.change(statement)
