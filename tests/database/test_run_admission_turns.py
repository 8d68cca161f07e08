"""Turns: many free places go to the same companies as they would one by one, at the cost of one look."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.database.test_run_admission import (
    IN_FLIGHT,
    Queue,
    create_queue,
    limit_all,
    limit_of,
    set_limit,
    standing,
)
from tests.support.pipeline import INLINE, create_blueprint, submit
from tests.support.sql_client import Client, owner, signed_in
from tests.support.tenants import Org, create_org


@pytest.mark.parametrize("seed", range(8))
def test_many_places_go_to_the_same_companies_as_one_by_one(worker: Client, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (to be repeatable)
    queues = [create_queue(worker, chance.randint(1, 6), f"org{number}") for number in range(4)]
    postgres = queues[0].postgres
    admitted = 0
    for _ in range(6):
        with nobody_admitting(postgres):
            for queue in chance.sample(queues, 3):
                for company in (queue.org.first, queue.org.second):
                    queue.add(company, chance.choice([0, 1, 2, 6]))
                set_limit(postgres, queue.org, chance.randint(1, 6))
            in_flight = [(queue, run_id) for queue in queues for run_id in queue.admitted()]
            for queue, run_id in chance.sample(in_flight, len(in_flight) // 2):
                queue.end(run_id)
        room = chance.choice([1, 2, 5, 9, 30])
        limit_all(postgres, room)
        expected = list(one_by_one(queues, room))
        assert admit(postgres) == expected
        admitted += len(expected)
    assert admitted > 20


@contextmanager
def nobody_admitting(postgres: Client) -> Iterator[None]:
    """Runs that are created in the block wait, and runs that end in it leave their places free."""
    triggers = ("pipeline_runs_admit", "pipeline_runs_admit_next")
    for trigger in triggers:
        postgres.change(f"alter table public.pipeline_runs disable trigger {trigger}")
    yield
    for trigger in triggers:
        postgres.change(f"alter table public.pipeline_runs enable trigger {trigger}")


def one_by_one(queues: list[Queue], room: int) -> Iterator[str]:
    """The companies whose runs the rule admits, place by place."""
    limits = {queue.org.id: limit_of(queue) for queue in queues}
    waiting = standing(queues)
    for place in range(room):
        may_go = [row for row in waiting if row["waiting"] and row["of_org"] < limits[row["org_id"]]]
        if not may_go:
            return
        chosen = min(may_go, key=turn)
        yield chosen["company_id"]
        chosen.update(
            waiting=chosen["waiting"] - 1,
            of_company=chosen["of_company"] + 1,
            last_of_company=1_000_000 + place,
        )
        for row in waiting:
            if row["org_id"] == chosen["org_id"]:
                row.update(of_org=row["of_org"] + 1, last_of_org=1_000_000 + place)


def turn(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["of_org"], row["last_of_org"], row["of_company"], row["last_of_company"], row["company_id"]
    )  # fmt: skip


def admit(postgres: Client) -> list[str]:
    """Admits runs by one call. Returns their companies in the order of admission."""
    since = postgres.value("select clock_timestamp()")
    count = postgres.value("select private.admit_pipeline_runs()")
    rows = postgres.rows(
        "select company_id::text from public.pipeline_runs where admitted_at > %(since)s "
        "order by admitted_at",
        {"since": since},
    )
    assert len(rows) == count
    return [row["company_id"] for row in rows]


def test_a_look_costs_in_proportion_to_the_waiting_companies_not_to_their_square(worker: Client) -> None:
    postgres = owner(worker.connection)
    org = create_org(worker.connection, "wide")
    set_limit(postgres, org, 100)
    wait_in_companies(worker, org, 30)
    few = rows_read(postgres, places=1)
    wait_in_companies(worker, org, 90)
    assert rows_read(postgres, places=1) < 8 * few


def test_many_places_cost_one_look(worker: Client) -> None:
    postgres = owner(worker.connection)
    org = create_org(worker.connection, "wide")
    set_limit(postgres, org, 100)
    wait_in_companies(worker, org, 60)
    one = rows_read(postgres, places=1)
    assert rows_read(postgres, places=20) < 4 * one


def test_many_runs_that_end_at_once_cost_one_look(worker: Client) -> None:
    postgres = owner(worker.connection)
    org = create_org(worker.connection, "wide")
    set_limit(postgres, org, 100)
    wait_in_companies(worker, org, 60)
    limit_all(postgres, 30)
    assert postgres.value("select private.admit_pipeline_runs()") == 30

    def end(count: int) -> int:
        before = rows_read_so_far(postgres)
        assert end_some(postgres, org, count) == count
        return rows_read_so_far(postgres) - before

    one = end(1)
    assert end(20) < 6 * one
    in_flight = "select count(*) from public.pipeline_runs where org_id = %(id)s and " + IN_FLIGHT
    assert postgres.value(in_flight, {"id": org.id}) == 30


def end_some(postgres: Client, org: Org, count: int) -> int:
    """Ends this many runs in flight of the org, by one statement."""
    return postgres.change(
        f"update public.pipeline_runs set status = 'cancelled' where id in (select id "
        f"from public.pipeline_runs where org_id = %(id)s and {IN_FLIGHT} order by id limit %(count)s)",
        {"id": org.id, "count": count},
    )


def wait_in_companies(worker: Client, org: Org, count: int) -> None:
    """Adds this many companies, each with two waiting runs and an earlier turn."""
    admin = signed_in(worker.connection, org.admin)
    blueprint = create_blueprint(admin, {"slug": INLINE})
    postgres = owner(worker.connection)
    with nobody_admitting(postgres):
        for number in range(count):
            company = admin.call("create_company", name=f"Company {number}")
            made = submit(admin, company["id"], blueprint["id"], 1)
            admin.call("create_pipeline_run", submission_id=made["submission"]["id"])
    postgres.change(
        "insert into private.run_turns select c.org_id, c.id, now() from public.companies c "
        "where c.org_id = %(id)s on conflict do nothing",
        {"id": org.id},
    )


def rows_read(postgres: Client, places: int) -> int:
    """The rows that the database reads to give away this many places."""
    limit_all(postgres, places)
    before = rows_read_so_far(postgres)
    assert postgres.value("select private.admit_pipeline_runs()") == places
    return rows_read_so_far(postgres) - before


def rows_read_so_far(postgres: Client) -> int:
    """The rows that this transaction has read."""
    statement = (
        "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) from pg_stat_xact_user_tables "
        "where relname in ('pipeline_runs', 'run_turns')"
    )
    return int(postgres.value(statement))
