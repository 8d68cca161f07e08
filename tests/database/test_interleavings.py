"""The rules hold in every order of what workers, clients, operators, the reconciler and accidents do.

Each order is drawn from a seed, and a failure names it. INTERLEAVING_SEED=… repeats that order alone;
INTERLEAVINGS=… sets how many orders are tried.
"""

from __future__ import annotations

import json
import os
import random
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.database.interleavings.acting import Seat, promised_refusals
from tests.database.interleavings.order import Order, RuleBrokenError
from tests.support.pipeline import INLINE, OUTSIDE, create_blueprint, publish_steps
from tests.support.sql_client import Connection, connect, owner, service, signed_in
from tests.support.stack import StackEnvironment
from tests.support.tenants import create_org

ORDERS = int(os.environ.get("INTERLEAVINGS", "40"))
MORE_ORDERS = 110
# For each fence a seed whose order breaks a rule without it. For some fences few orders do.
SEEDS_OF_FENCES = Path(__file__).parent / "interleavings" / "fence_seeds.json"
MOST_ORDERS_OF_A_FENCE = 1_000
ACTIONS = 25
SEED = os.environ.get("INTERLEAVING_SEED")
BLUEPRINTS = (
    ({"slug": INLINE}, {"slug": OUTSIDE}),
    ({"slug": INLINE, "continue_on_error": True}, {"slug": INLINE}, {"slug": OUTSIDE}),
    (
        {"slug": INLINE},
        {"slug": INLINE, "run_if": "run.record_count > 100"},
        {"slug": INLINE, "concurrency": 3},
    ),
)


@pytest.fixture(scope="module")
def connections(supabase: StackEnvironment) -> Iterator[list[Connection]]:
    with ExitStack() as opened:
        yield [opened.enter_context(connect(supabase)) for _ in range(7)]


@pytest.fixture(scope="module", autouse=True)
def published(connections: list[Connection]) -> Iterator[None]:
    """Removes its steps at the end, or a full stack would offer them."""
    publish_steps(service(connections[0]))
    yield
    postgres = owner(connections[0])
    postgres.change(
        "delete from public.blueprint_steps where step_slug in (%(a)s, %(b)s)", {"a": INLINE, "b": OUTSIDE}
    )
    postgres.change("delete from public.steps where slug in (%(a)s, %(b)s)", {"a": INLINE, "b": OUTSIDE})


@pytest.fixture
def order(connections: list[Connection]) -> Iterator[Callable[[int], Order]]:
    """Makes orders, all in one org with room for two runs. Each order leaves its runs finished."""
    org = create_org(connections[0], "orders")
    postgres = owner(connections[0])
    postgres.change("update public.orgs set max_runs_in_flight = 2 where id = %(id)s", {"id": org.id})
    admin = signed_in(connections[0], org.admin)
    blueprints = [str(create_blueprint(admin, *steps)["id"]) for steps in BLUEPRINTS]
    promises = promised_refusals(postgres)
    seats = tuple(Seat.take(some, org.first.member) for some in (connections[1:4], connections[4:7]))
    yield lambda seed: Order(seed, postgres, (seats[0], seats[1]), org, blueprints, promises)
    for seat in seats:
        seat.leave()
    unfinished = (
        "update public.pipeline_runs set status = 'cancelled' where org_id = %(id)s and finished_at is null"
    )
    postgres.change(unfinished, {"id": org.id})


def noticing_seed(order: Callable[[int], Order], seeds: Iterable[int]) -> int | None:
    """The first of the seeds whose order breaks a rule."""
    for seed in seeds:
        try:
            order(seed).play(ACTIONS)
        except RuleBrokenError:
            return seed
    return None


def drawn_seeds(count: int) -> list[int]:
    if SEED is not None:
        return [int(SEED)]
    first = random.SystemRandom().randrange(1_000_000)
    return list(range(first, first + count))


@pytest.mark.parametrize("count", [ORDERS, pytest.param(MORE_ORDERS, marks=pytest.mark.long)])
def test_the_rules_hold_in_every_order(order: Callable[[int], Order], count: int) -> None:
    for seed in drawn_seeds(count):
        order(seed).play(ACTIONS)


# Each fence: its function, its text, and the text that takes it down.
FENCES = {
    "an older claim writes": (
        "private.lock_claimed_run(uuid,uuid)",
        "v_run.claim_id is distinct from p_claim_id or v_run.claim_id is null",
        "false",
    ),
    "a run that is alive is taken over": (
        "worker.claim_pipeline_run(uuid,text,int)",
        "return jsonb_build_object('outcome', 'claimed_elsewhere');",
        "null;",
    ),
    "a claim does not lock": (
        "worker.claim_pipeline_run(uuid,text,int)",
        "for no key update",
        "",
    ),
    "a run need not be admitted": (
        "worker.claim_pipeline_run(uuid,text,int)",
        "(r.admitted_at is not null or r.finished_at is not null)",
        "true",
    ),
    "the limit is passed by one": (
        "private.next_turns(integer,uuid[])",
        "o.max_runs_in_flight",
        "(o.max_runs_in_flight + 1)",
    ),
    "two admit at once": (
        "private.admit_pipeline_runs()",
        "perform pg_advisory_xact_lock(hashtextextended('private.admit_pipeline_runs', 0));",
        "",
    ),
    "pending steps outlive their run": (
        "private.settle_step_results()",
        "where pipeline_run_id = new.id and status = 'pending'",
        "where false",
    ),
    "a step is not fenced in its turn": (
        "private.require_turn(public.step_results)",
        "sr.position < p_step_result.position",
        "false",
    ),
    "a chunk is counted twice": (
        "private.count_step_result_chunk()",
        "chunks_written + 1",
        "chunks_written + 2",
    ),
    "a lost run is not started again": (
        "private.is_lost(public.pipeline_runs)",
        "p_run.lease_expires_at < now()",
        "false",
    ),
    "a run that nobody was told of is never lost": (
        "private.guard_pipeline_run()",
        "new.dispatched_at := coalesce(new.dispatched_at, now());",
        "",
    ),
    "a repair is made twice": (
        "worker.repair_pipeline_run(uuid,text,text)",
        "private.is_suspect(v_run) is not true",
        "false",
    ),
    "a takeover keeps the old claim": (
        "worker.claim_pipeline_run(uuid,text,int)",
        "claim_id = gen_random_uuid()",
        "claim_id = coalesce(claim_id, gen_random_uuid())",
    ),
}


@contextmanager
def taken_down(connection: Connection, fence: str) -> Iterator[None]:
    function, condition, weaker = FENCES[fence]
    definition = owner(connection).value("select pg_get_functiondef(%(f)s::regprocedure)", {"f": function})
    assert condition in definition
    connection.execute(definition.replace(condition, weaker).encode())
    try:
        yield
    finally:
        connection.execute(definition.encode())


@pytest.mark.parametrize("fence", FENCES)
def test_a_fence_that_is_down_is_noticed(
    connections: list[Connection], order: Callable[[int], Order], fence: str
) -> None:
    """The kept seed's order breaks a rule. If it no longer does, another seed is searched for."""
    kept = json.loads(SEEDS_OF_FENCES.read_text())[fence]
    with taken_down(connections[0], fence):
        found = noticing_seed(order, [kept, *range(MOST_ORDERS_OF_A_FENCE)])
    assert found is not None
    if found != kept:
        moved = f"Seed {kept} no longer notices that {fence!r}, but {found} does: {SEEDS_OF_FENCES.name}."
        warnings.warn(pytest.PytestWarning(moved), stacklevel=1)


@pytest.mark.long
@pytest.mark.parametrize("fence", FENCES)
def test_a_search_notices_a_fence_that_is_down(
    connections: list[Connection], order: Callable[[int], Order], fence: str
) -> None:
    """Orders break a rule without a hint, so they would also find an unknown gap."""
    with taken_down(connections[0], fence):
        assert noticing_seed(order, range(MOST_ORDERS_OF_A_FENCE)) is not None


def test_every_fence_has_a_seed() -> None:
    assert json.loads(SEEDS_OF_FENCES.read_text()).keys() == FENCES.keys()
