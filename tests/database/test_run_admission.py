"""Admission of runs: which queued run may start next within the limits, and how it starts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests.database.operations import actions, operate
from tests.database.overlap import overlap
from tests.database.test_reconcile import set_times
from tests.support.pipeline import INLINE, OUTSIDE, create_blueprint, create_run, publish_steps, submit
from tests.support.sql_client import Client, Connection, connect, owner, refused, service, signed_in
from tests.support.stack import StackEnvironment
from tests.support.tenants import Company, Org, create_org

IN_FLIGHT = "admitted_at is not null and finished_at is null"


@dataclass(frozen=True)
class Queue:
    """An org with a limit of runs in flight, and a received submission for each of its companies."""

    postgres: Client
    org: Org
    submissions: dict[str, str]  # by company

    def add(self, company: Company, count: int = 1) -> list[str]:
        """Queues runs and returns them in the order of their turns: they are of one moment, so by id."""
        rows = self.postgres.rows(
            """
            insert into public.pipeline_runs (submission_id, created_by)
            select %(submission)s, %(user)s from generate_series(1, %(count)s)
            returning id::text
            """,
            {"submission": self.submissions[company.id], "user": self.org.admin.id, "count": count},
        )
        return sorted(row["id"] for row in rows)

    def admitted(self) -> list[str]:
        """Runs in flight, the first admitted first."""
        rows = self.postgres.rows(
            f"select id::text from public.pipeline_runs where org_id = %(org)s and {IN_FLIGHT} "
            "order by admitted_at",
            {"org": self.org.id},
        )
        return [row["id"] for row in rows]

    def in_flight(self, company: Company) -> int:
        statement = f"select count(*) from public.pipeline_runs where company_id = %(id)s and {IN_FLIGHT}"
        return int(self.postgres.value(statement, {"id": company.id}))

    def end(self, run_id: str, status: str = "cancelled") -> None:
        error = "'{}'::jsonb" if status == "failed" else "null"
        assert self.postgres.change(
            f"update public.pipeline_runs set status = '{status}', error = {error} where id = %(id)s",
            {"id": run_id},
        )


def create_queue(worker: Client, limit: int, name: str = "queue") -> Queue:
    connection = worker.connection
    org = create_org(connection, name)
    postgres = owner(connection)
    set_limit(postgres, org, limit)
    blueprint = create_blueprint(signed_in(connection, org.admin), {"slug": INLINE})
    submissions = {}
    for company in (org.first, org.second):
        made = submit(signed_in(connection, company.member), company.id, blueprint["id"])
        submissions[company.id] = made["submission"]["id"]
        postgres.change(
            "update public.pipeline_runs set status = 'cancelled' where id = %(id)s",
            {"id": made["pipeline_run"]["id"]},
        )
    return Queue(postgres, org, submissions)


def set_limit(postgres: Client, org: Org, limit: int) -> None:
    postgres.change(
        "update public.orgs set max_runs_in_flight = %(n)s where id = %(id)s", {"n": limit, "id": org.id}
    )


def limit_all(postgres: Client, limit: int) -> None:
    """Limits all orgs together to this many runs beyond those in flight."""
    postgres.change(
        f"update private.run_limits set max_runs_in_flight = %(n)s + "
        f"(select count(*) from public.pipeline_runs where {IN_FLIGHT})",
        {"n": limit},
    )


def waits(postgres: Client, run_id: str) -> bool:
    statement = "select admitted_at is null from public.pipeline_runs where id = %(id)s"
    return bool(postgres.value(statement, {"id": run_id}))


def test_an_org_has_no_more_runs_in_flight_than_its_limit(worker: Client) -> None:
    queue = create_queue(worker, limit=3)
    runs = queue.add(queue.org.first, 5)
    assert queue.admitted() == runs[:3]
    queue.end(runs[1])
    assert queue.admitted() == [runs[0], runs[2], runs[3]]


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_place_is_free_however_the_run_ended(worker: Client, status: str) -> None:
    queue = create_queue(worker, limit=1)
    first, second = queue.add(queue.org.first, 2)
    queue.end(first, status)
    assert queue.admitted() == [second]


def test_a_run_that_succeeds_leaves_its_place(worker: Client, org: Org, company: Company) -> None:
    set_limit(owner(worker.connection), org, 1)
    run = create_run(worker, org, company, {"slug": INLINE})
    waiting = create_run(worker, org, company, {"slug": INLINE})
    assert waiting.take() == {"outcome": "not_admitted"}
    run.succeed()
    assert waiting.take("run_second")["outcome"] == "claimed"


def test_a_waiting_run_that_is_cancelled_takes_no_place(worker: Client) -> None:
    queue = create_queue(worker, limit=1)
    runs = queue.add(queue.org.first, 3)
    queue.end(runs[1])
    assert queue.admitted() == [runs[0]]
    queue.end(runs[0])
    assert queue.admitted() == [runs[2]]


def test_companies_of_an_org_take_turns(worker: Client) -> None:
    queue = create_queue(worker, limit=2)
    many = queue.add(queue.org.first, 20)
    few = queue.add(queue.org.second, 2)
    assert queue.admitted() == many[:2]
    queue.end(many[0])
    assert queue.admitted() == [many[1], few[0]]
    queue.end(many[1])
    assert queue.admitted() == [few[0], many[2]]
    queue.end(many[2])
    assert queue.admitted() == [few[0], many[3]]
    queue.end(few[0])
    assert queue.admitted() == [many[3], few[1]]


def test_companies_take_turns_under_a_limit_of_one(worker: Client) -> None:
    queue = create_queue(worker, limit=1)
    many = queue.add(queue.org.first, 5)
    (single,) = queue.add(queue.org.second)
    queue.end(many[0])
    assert queue.admitted() == [single]


def test_a_thousand_queued_runs_delay_another_org_only_until_the_next_place_is_free(worker: Client) -> None:
    busy, quiet = create_queue(worker, limit=10, name="busy"), create_queue(worker, limit=10, name="quiet")
    limit_all(busy.postgres, 5)
    busy.add(busy.org.first, 600)
    busy.add(busy.org.second, 400)
    assert len(busy.admitted()) == 5
    (single,) = quiet.add(quiet.org.first)
    assert waits(quiet.postgres, single)
    busy.end(busy.admitted()[0])
    assert quiet.admitted() == [single]
    assert (busy.in_flight(busy.org.first), busy.in_flight(busy.org.second)) == (4, 0)
    quiet.end(single)
    assert (busy.in_flight(busy.org.first), busy.in_flight(busy.org.second)) == (4, 1)


def test_orgs_take_turns_under_a_limit_of_one(worker: Client) -> None:
    busy, quiet = create_queue(worker, limit=10, name="busy"), create_queue(worker, limit=10, name="quiet")
    limit_all(busy.postgres, 1)
    runs = busy.add(busy.org.first, 5)
    (single,) = quiet.add(quiet.org.first)
    busy.end(runs[0])
    assert (busy.admitted(), quiet.admitted()) == ([], [single])


@pytest.mark.parametrize("seed", range(5))
def test_no_order_exceeds_a_limit_or_skips_a_turn(worker: Client, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (to be repeatable)
    queues = [create_queue(worker, chance.randint(1, 4), f"org{number}") for number in range(3)]
    limits = {queue.org.id: limit_of(queue) for queue in queues}
    most = chance.randint(1, 6)
    limit_all(queues[0].postgres, most)
    ends = 0
    while True:
        if ends < 60 and chance.random() < 0.5:
            queue = chance.choice(queues)
            queue.add(chance.choice([queue.org.first, queue.org.second]), chance.randint(1, 4))
        alive = [(queue, run_id) for queue in queues for run_id in queue.admitted()]
        if not alive:
            assert standing(queues) == []
            if ends >= 60:
                break
            continue
        queue, run_id = chance.choice(alive)
        # The run that ends leaves its place first, so it does not count.
        waiting = standing(queues, without=run_id)
        queue.end(run_id)
        ends += 1
        after = [run for queue in queues for run in queue.admitted()]
        assert len(after) <= most
        assert all(len(queue.admitted()) <= limits[queue.org.id] for queue in queues)
        admitted = set(after) - {run for _, run in alive}
        may_go = [row for row in waiting if row["of_org"] < limits[row["org_id"]]]
        assert len(admitted) == min(1, len(may_go))
        if admitted:
            next_run = "select company_id::text from public.pipeline_runs where id = %(id)s"
            company_id = queue.postgres.value(next_run, {"id": admitted.pop()})
            assert company_id == min(may_go, key=lambda row: row["turn"])["company_id"]


def standing(queues: list[Queue], without: str | None = None) -> list[dict[str, Any]]:
    """The companies with a waiting run, each with the values that decide the next turn."""
    rows = queues[0].postgres.rows(
        """
        with runs as (
            select r.* from public.pipeline_runs r
            where r.org_id::text = any (%(orgs)s) and r.finished_at is null
                and r.id is distinct from %(without)s::uuid
        ), turns as (
            select o.id as org_id, c.id as company_id,
                count(r.*) filter (where r.admitted_at is not null) as of_company,
                count(r.*) filter (where r.admitted_at is null) as waiting,
                coalesce(max(t.admitted_at), '-infinity') as last_of_company
            from public.orgs o
            join public.companies c on c.org_id = o.id
            left join runs r on r.company_id = c.id
            left join private.run_turns t on t.company_id = c.id
            where o.id::text = any (%(orgs)s)
            group by o.id, c.id
        )
        select org_id::text, company_id::text, waiting, of_company,
            (sum(of_company) over (partition by org_id))::int as of_org,
            rank() over (order by last_of_company) as last_of_company,
            rank() over (order by max_of_org) as last_of_org
        from (select t.*, max(last_of_company) over (partition by org_id) as max_of_org from turns t) t
        """,
        {"orgs": [queue.org.id for queue in queues], "without": without},
    )
    for row in rows:
        row["turn"] = (
            row["of_org"], row["last_of_org"], row["of_company"], row["last_of_company"], row["company_id"]
        )  # fmt: skip
    return [row for row in rows if row["waiting"]]


def limit_of(queue: Queue) -> int:
    statement = "select max_runs_in_flight from public.orgs where id = %(id)s"
    return int(queue.postgres.value(statement, {"id": queue.org.id}))


def test_only_an_admitted_run_is_dispatched_and_claimed(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    set_limit(owner(connection), org, 1)
    first, waiting = (create_run(worker, org, company, {"slug": INLINE}) for _ in range(2))
    assert [run.pipeline_run["admitted"] for run in (first, waiting)] == [True, False]
    member = signed_in(connection, company.member)
    for client, function in ((member, "mark_pipeline_run_dispatched"),):
        shown = client.call(function, pipeline_run_id=waiting.id, trigger_run_id="run_early")
        assert (shown["dispatched"], shown["trigger_run_id"]) == (False, None)
    marked = worker.call(
        "worker.mark_pipeline_run_dispatched", pipeline_run_id=waiting.id, trigger_run_id="run_early"
    )
    assert marked == {"marked": False}
    assert waiting.take() == {"outcome": "not_admitted"}
    assert worker.call("worker.take_starts", limit=100)["starts"] == []


def test_a_clients_note_on_a_waiting_run_does_not_keep_it_from_starting(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    set_limit(owner(connection), org, 1)
    first, waiting = (create_run(worker, org, company, {"slug": INLINE}) for _ in range(2))
    signed_in(connection, company.member).change(
        "update public.pipeline_runs set trigger_run_id = 'run_forged' where id = %(id)s", {"id": waiting.id}
    )
    set_times(waiting, created_at="1 minute")
    owner(connection).change(
        "update public.pipeline_runs set status = 'cancelled' where id = %(id)s", {"id": first.id}
    )
    starts = worker.call("worker.take_starts", limit=100)["starts"]
    assert [start["pipeline_run_id"] for start in starts] == [waiting.id]


def test_nobody_admits_by_hand_and_nothing_takes_an_admission_back(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE})
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        signed_in(connection, org.admin).change("update public.pipeline_runs set admitted_at = now()")
    with refused(409, "immutable"):
        owner(connection).change(
            "update public.pipeline_runs set admitted_at = null where id = %(id)s", {"id": run.id}
        )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        signed_in(connection, org.admin).rows("select private.admit_pipeline_runs()")


def test_the_start_of_an_admitted_run_is_given_out_once(worker: Client) -> None:
    queue = create_queue(worker, limit=2)
    runs = queue.add(queue.org.first, 4)
    made_earlier = "update public.pipeline_runs set start_taken_at = null where id = any (%(ids)s::uuid[])"
    queue.end(runs[0])
    queue.end(runs[1])
    # The test makes it look as if another transaction than the creating one had admitted them.
    queue.postgres.change(made_earlier, {"ids": runs[2:]})
    starts = [worker.call("worker.take_starts", limit=1)["starts"] for _ in range(3)]
    assert [[start["pipeline_run_id"] for start in one] for one in starts] == [[runs[2]], [runs[3]], []]
    assert starts[0][0]["idempotency_key"] == runs[2]


def test_a_higher_limit_admits_at_once_and_a_lower_one_takes_nothing_back(worker: Client) -> None:
    queue = create_queue(worker, limit=1)
    runs = queue.add(queue.org.first, 5)
    dry = operate(queue.postgres, "set_org_limits", org_slug=queue.org.slug, max_runs_in_flight=3)
    assert (actions(dry), queue.admitted()) == (["would set", "would admit"], runs[:1])
    for limit, admitted in ((3, runs[:3]), (2, runs[:3])):
        operate(
            queue.postgres, "set_org_limits", org_slug=queue.org.slug, max_runs_in_flight=limit, dry_run=False
        )
        assert queue.admitted() == admitted
    queue.end(runs[0])
    assert queue.admitted() == runs[1:3]
    queue.end(runs[1])
    assert queue.admitted() == runs[2:4]


@pytest.mark.parametrize("limit", [0, -1, 101, None])
def test_a_limit_is_between_one_and_a_hundred(postgres: Client, org: Org, limit: int | None) -> None:
    with refused(422, "invalid_request"):
        operate(postgres, "set_org_limits", org_slug=org.slug, max_runs_in_flight=limit, dry_run=False)


def test_a_waiting_run_is_not_stuck_and_says_what_it_waits_for(worker: Client) -> None:
    queue = create_queue(worker, limit=1)
    waiting = queue.add(queue.org.first, 2)[1]
    (row,) = queue.postgres.rows(
        "select problem, what_happens from ops.unfinished_runs where pipeline_run_id = %(id)s",
        {"id": waiting},
    )
    assert row["problem"] is None
    assert "ops.set_org_limits" in row["what_happens"]


def test_the_reconciler_admits_runs_that_were_left_waiting(worker: Client) -> None:
    queue = create_queue(worker, limit=1)
    runs = queue.add(queue.org.first, 2)
    set_limit(queue.postgres, queue.org, 2)
    assert queue.admitted() == runs[:1]
    assert worker.call("worker.reconcile_pipeline_runs", limit=100)["admitted"] >= 1
    assert queue.admitted() == runs
    assert worker.call("worker.reconcile_pipeline_runs", limit=100)["admitted"] == 0


@pytest.fixture
def committed(supabase: StackEnvironment) -> Iterator[Queue]:
    """A queue that is committed. It leaves no step and no unfinished run."""
    with connect(supabase) as connection:
        publish_steps(service(connection))
        queue = create_queue(service(connection), limit=2, name="at-once")
        yield queue
        unfinished = {"id": queue.org.id}
        queue.postgres.change(
            "update public.pipeline_runs set status = 'cancelled' "
            "where org_id = %(id)s and finished_at is null",
            unfinished,
        )
        queue.postgres.change("delete from public.blueprint_steps where org_id = %(id)s", unfinished)
        slugs = {"a": INLINE, "b": OUTSIDE}
        queue.postgres.change("delete from public.steps where slug in (%(a)s, %(b)s)", slugs)


def test_two_runs_created_at_once_do_not_exceed_the_limit(
    first: Connection, second: Connection, committed: Queue
) -> None:
    taken = committed.add(committed.org.first)

    def create(connection: Connection) -> Any:  # noqa: ANN401
        return signed_in(connection, committed.org.admin).call(
            "create_pipeline_run", submission_id=committed.submissions[committed.org.second.id]
        )

    other = committed.submissions[committed.org.first.id]

    def create_another(connection: Connection) -> Any:  # noqa: ANN401
        return signed_in(connection, committed.org.admin).call("create_pipeline_run", submission_id=other)

    made, late = overlap(first, lambda: create(first), second, lambda: create_another(second))
    assert (made["admitted"], late.result()["admitted"]) == (True, False)
    assert committed.admitted() == [*taken, made["id"]]


def test_a_place_that_is_given_up_while_another_run_is_created_is_not_lost(
    first: Connection, second: Connection, committed: Queue
) -> None:
    held = committed.add(committed.org.first, 2)

    def end() -> None:
        owner(first).change(
            "update public.pipeline_runs set status = 'cancelled' where id = %(id)s", {"id": held[0]}
        )
        first.execute("set constraints all immediate")

    _, late = overlap(
        first,
        end,
        second,
        lambda: signed_in(second, committed.org.admin).call(
            "create_pipeline_run", submission_id=committed.submissions[committed.org.second.id]
        ),
    )
    assert late.result()["admitted"] is True


def test_many_runs_that_end_on_two_connections_do_not_deadlock(
    first: Connection, second: Connection, committed: Queue
) -> None:
    set_limit(committed.postgres, committed.org, 4)
    runs = committed.add(committed.org.first, 12)
    cancel = "update public.pipeline_runs set status = 'cancelled' where id = any (%(ids)s::uuid[])"

    def end(connection: Connection, ids: list[str]) -> None:
        owner(connection).change(cancel, {"ids": ids})

    with first.transaction():
        end(first, runs[:2])
        # The deferred trigger has not run yet: the other connection takes the lock without waiting.
        end(second, runs[2:4])
        assert len(committed.admitted()) == 4
    assert committed.admitted() == runs[4:8]


def test_claiming_a_waiting_run_does_not_keep_it_from_its_turn(
    first: Connection, second: Connection, committed: Queue
) -> None:
    set_limit(committed.postgres, committed.org, 1)
    taken, waiting = committed.add(committed.org.first, 2)
    with first.transaction():
        answer = service(first).call(
            "worker.claim_pipeline_run", pipeline_run_id=waiting, trigger_run_id="run_early"
        )
        owner(second).change(
            "update public.pipeline_runs set status = 'cancelled' where id = %(id)s", {"id": taken}
        )
    assert answer == {"outcome": "not_admitted"}
    assert committed.admitted() == [waiting]


def test_cancelling_waiting_runs_does_not_hold_up_admission(
    first: Connection, second: Connection, committed: Queue
) -> None:
    runs = committed.add(committed.org.first, 5)
    lock = "select pg_try_advisory_lock_shared(hashtextextended('private.admit_pipeline_runs', 0))"
    unlock = lock.replace("try_advisory_lock", "advisory_unlock")

    def admission_is_held_by(ended: list[str]) -> bool:
        with first.transaction():
            owner(first).change(
                "update public.pipeline_runs set status = 'cancelled' where id = any (%(ids)s::uuid[])",
                {"ids": ended},
            )
            first.execute("set constraints all immediate")
            is_free = owner(second).value(lock)
            if is_free:
                owner(second).value(unlock)
        return not is_free

    assert not admission_is_held_by(runs[2:4])
    assert admission_is_held_by(runs[:1])
    assert committed.admitted() == [runs[1], runs[4]]


def test_nothing_is_admitted_under_an_older_snapshot(first: Connection, committed: Queue) -> None:
    statement = (
        "insert into public.pipeline_runs (submission_id, created_by) values (%s, %s) returning id::text"
    )
    arguments = (committed.submissions[committed.org.first.id], committed.org.admin.id)
    with first.transaction():
        first.execute("set transaction isolation level repeatable read")
        row = first.execute(statement, arguments).fetchone()
    assert row is not None
    assert waits(committed.postgres, row[0])
    assert committed.postgres.value("select private.admit_pipeline_runs()") >= 1
    assert not waits(committed.postgres, row[0])
