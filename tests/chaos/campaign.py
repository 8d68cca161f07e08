"""A campaign: many runs under many faults, in an order drawn from a seed."""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import psycopg

from tests.chaos import gathering
from tests.chaos.actors import Customer, Intruder, Watcher
from tests.chaos.cases import BLUEPRINTS, SECRET_NAME, SETS, case_name, records_of, steps_of
from tests.chaos.history import Fault, History, Place
from tests.chaos.parts import Parts, running_parts
from tests.chaos.receiver import ChaosReceiver, chaos_receiver
from tests.support.tenants import Org, create_org
from tests.support.trigger_api import TriggerApi
from tests.support.waiting import eventually

_IN_FLIGHT = 8
_AMBUSH_SECONDS = 5


@dataclass(frozen=True)
class Plan:
    """`each_fault_once`: each fault strikes once, in ambush. Runs are submitted until all have struck.

    `hurries`: the campaign ends leases that nobody renews and calls the reconciler, so that it need not wait
    minutes for either. Otherwise it leaves everything alone.
    """

    seed: int
    runs: int = 200
    records: int = 2_000
    unfinished_at_once: int = 16
    pause_seconds: tuple[float, float] = (4, 20)
    each_fault_once: bool = False
    left_out: frozenset[str] = frozenset()
    record_sets: int = SETS
    hurries: bool = False
    settle_seconds: float = 1_800


def play(plan: Plan, say: Callable[[str], None] = lambda line: None) -> History:
    """Plays the plan on a stack of its own."""
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        luck = random.Random(plan.seed)  # noqa: S311 (to be repeatable)
        with (
            running_parts(Path(folder) / "stack") as parts,
            chaos_receiver(plan.seed + 1) as receiver,
        ):
            return asyncio.run(_play(plan, luck, parts, receiver, say))


async def _play(
    plan: Plan, luck: random.Random, parts: Parts, receiver: ChaosReceiver, say: Callable[[str], None]
) -> History:
    with psycopg.connect(parts.environment.database_url) as connection:
        org = create_org(connection, "chaos")
        connection.execute(
            "update public.orgs set max_runs_in_flight = %s where id = %s", (_IN_FLIGHT, org.id)
        )
    limits = httpx.Limits(max_keepalive_connections=0)  # no connection outlives a part that is killed
    async with httpx.AsyncClient(trust_env=False, limits=limits) as http:
        return await _Campaign(plan, luck, parts, receiver, org, http, say).play()


class _Campaign:
    def __init__(
        self,
        plan: Plan,
        luck: random.Random,
        parts: Parts,
        receiver: ChaosReceiver,
        org: Org,
        http: httpx.AsyncClient,
        say: Callable[[str], None],
    ) -> None:
        self._plan, self._luck, self._parts, self._receiver, self._org = plan, luck, parts, receiver, org
        self._say = say
        self._customer = Customer(http, parts.environment, org.admin)
        self._intruder = Intruder(http, parts.environment, org)
        self._trigger = TriggerApi(http, parts.environment)
        self._watcher = Watcher(parts.environment, org)
        self._blueprints: dict[str, str] = {}
        self._accepted: dict[str, str] = {}
        self._cancelled: set[str] = set()
        self._faults: list[Fault] = []
        self._submitted = asyncio.Event()
        self._has_struck_all = False
        self._caught: int | None = None
        """The port of the task that the receiver keeps waiting."""

    async def play(self) -> History:
        await self._customer.call("secrets/set", {"name": SECRET_NAME, "value": self._receiver.secret})
        for name in BLUEPRINTS:
            body = {"name": name, "steps": steps_of(name, self._receiver.url)}
            self._blueprints[name] = (await self._customer.call("blueprints/create", body))["id"]
        watching = asyncio.create_task(self._watcher.watch())
        try:
            undisturbed = await self._undisturbed()
            self._say(f"{len(undisturbed)} runs ended undisturbed; {self._plan.runs} with faults follow.")
            self._receiver.is_calm = False
            await asyncio.gather(self._submit_all(), self._strike())
            await self._parts.revive()
            await self._settle()
        finally:
            watching.cancel()
        return gathering.gather(
            self._parts.environment.database_url,
            self._org,
            accepted=self._accepted,
            statuses=self._watcher.statuses,
            cancelled=self._cancelled,
            deliveries=self._receiver.deliveries,
            undisturbed=undisturbed,
            faults=self._faults,
            surprises=self._customer.surprises,
        )

    async def _undisturbed(self) -> dict[str, dict[Place, str]]:
        """The chunks that a run of each case writes without faults."""
        cases: dict[str, str] = {}
        for blueprint in BLUEPRINTS:
            for record_set in range(self._plan.record_sets):
                cases[await self._submit(blueprint, record_set, "undisturbed")] = case_name(
                    blueprint, record_set
                )
        await self._watcher.room_for(1)
        assert {seen[-1] for seen in self._watcher.statuses.values()} == {"succeeded"}
        found = gathering.contents(self._parts.environment.database_url, list(cases))
        return {case: found[run_id] for run_id, case in cases.items()}

    async def _submit(self, blueprint: str, record_set: int, key: str) -> str:
        accepted = await self._customer.call(
            "submissions/create",
            {
                "company_id": (self._org.first, self._org.second)[record_set % 2].id,
                "blueprint_id": self._blueprints[blueprint],
                "records": records_of(record_set, self._plan.records),
            },
            key=f"{key} {blueprint} {record_set}",
        )
        run_id = str(accepted["pipeline_run"]["id"])
        self._accepted[run_id] = case_name(blueprint, record_set)
        return run_id

    async def _submit_all(self) -> None:
        # Separate from `self._luck`, so that the timing of faults does not change which runs are submitted.
        luck = random.Random(self._plan.seed + 2)  # noqa: S311 (to be repeatable)
        for number in itertools.count():
            if number >= self._plan.runs and (self._has_struck_all or not self._plan.each_fault_once):
                break
            await self._watcher.room_for(self._plan.unfinished_at_once)
            await self._submit(luck.choice(BLUEPRINTS), luck.randrange(self._plan.record_sets), f"{number}")
            if number % 20 == 19:
                self._say(f"{number + 1} runs submitted, {len(self._watcher.unfinished)} unfinished")
        self._submitted.set()

    async def _strike(self) -> None:
        """Strikes until all runs are submitted and few are unfinished, or until each fault has struck."""
        kinds = self._kinds()
        weights = {name: weight for name, (weight, _) in kinds.items() if name not in self._plan.left_out}
        for kind in self._in_some_order(weights):
            await asyncio.sleep(self._luck.uniform(*self._plan.pause_seconds))
            waits = self._plan.each_fault_once or self._luck.random() < 0.6
            async with self._receiver.ambush(_AMBUSH_SECONDS) if waits else no_ambush() as port:
                self._caught = port
                at = datetime.now(UTC)
                is_part = await kinds[kind][1]()
            if is_part:
                await asyncio.sleep(self._luck.uniform(0, 3))
                await self._parts.revive()
            self._faults.append(Fault(kind, at, datetime.now(UTC) if is_part else None))
            if self._plan.hurries:
                await self._hurry()
        self._has_struck_all = True

    def _in_some_order(self, weights: Mapping[str, int]) -> Iterator[str]:
        if self._plan.each_fault_once:
            yield from self._luck.sample(list(weights), len(weights))
            return
        while True:
            for kind in self._luck.sample(
                list(weights), sum(weights.values()), counts=list(weights.values())
            ):
                if self._submitted.is_set() and len(self._watcher.unfinished) <= 2:
                    return
                yield kind

    def _kinds(self) -> dict[str, tuple[int, Callable[[], Awaitable[bool]]]]:
        """The weight and the action of each fault. An action returns whether a part of the stack is down."""
        parts = self._parts

        async def kill(*names: str, with_children: bool = True) -> bool:
            for name in names:
                await parts.kill(name, with_children=with_children)  # type: ignore[arg-type]
            return True

        async def kill_postgres() -> bool:
            await parts.kill_postgres()
            return True

        return {
            "task process killed": (6, lambda: self._kill_tasks(1)),
            "all task processes killed": (1, lambda: self._kill_tasks(100)),
            "CLI killed with its tasks": (1, lambda: kill("trigger-worker")),
            "CLI killed, its tasks orphaned": (1, lambda: kill("trigger-worker", with_children=False)),
            "control plane killed": (1, lambda: kill("trigger-platform", "trigger-worker")),
            "Data API killed": (2, lambda: kill("supabase", with_children=False)),
            "PostgreSQL killed": (2, kill_postgres),
            "API killed": (2, lambda: kill("api")),
            "Data API and CLI killed": (1, lambda: kill("supabase", "trigger-worker", with_children=False)),
            "run cancelled": (4, self._cancel),
            "dispatches repeated": (4, self._repeat_dispatches),
            "two workers raced": (4, self._race),
        }

    async def _kill_tasks(self, count: int) -> bool:
        """Kills the task that the receiver keeps waiting, if one is wanted: most others are idle."""
        processes = self._parts.task_processes()
        chosen = self._luck.sample(processes, min(count, len(processes)))
        caught = self._parts.connected_from(self._caught) if self._caught else None
        for process in [caught] if caught is not None and count == 1 else chosen:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return False

    async def _cancel(self) -> bool:
        if self._watcher.unfinished:
            run_id = self._luck.choice(self._watcher.unfinished)
            answer = await self._customer.call(
                "pipeline-runs/cancel", {"pipeline_run_id": run_id}, refused=409
            )
            if answer is not None:
                self._cancelled.add(run_id)
        return False

    async def _repeat_dispatches(self) -> bool:
        await self._intruder.start_again(list(self._watcher.statuses)[-30:], self._luck)
        return False

    async def _race(self) -> bool:
        if self._watcher.unfinished:
            await self._intruder.race(self._luck.choice(self._watcher.unfinished))
        return False

    async def _settle(self) -> None:
        """Waits until every run has ended by itself."""

        async def unfinished() -> list[str]:
            if self._plan.hurries:
                await self._hurry()
            return self._watcher.unfinished

        with suppress(AssertionError):  # the oracle reports the runs that have not ended
            await eventually(unfinished, lambda runs: not runs, seconds=self._plan.settle_seconds)
        with suppress(psycopg.OperationalError):
            self._watcher.look()

    async def _hurry(self) -> None:
        with suppress(psycopg.OperationalError):
            await asyncio.to_thread(gathering.bring_forward, self._parts.environment.database_url, self._org)
        with suppress(httpx.TransportError, AssertionError):
            await self._trigger.reconcile()


@asynccontextmanager
async def no_ambush() -> AsyncIterator[None]:
    """The fault strikes at once, whether or not a delivery is under way."""
    yield
