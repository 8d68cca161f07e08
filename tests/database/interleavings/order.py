"""One random order of what workers, clients, operators, the reconciler and accidents do to an org's runs.

Everything is drawn from one seed. Connections commit. Two actions at once overlap as transactions do: the
second begins before the first has committed. Then the first commits, or is lost with its connection.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.database.interleavings import actions, rules
from tests.database.interleavings.acting import Action, Seat, Standing, broken_answer
from tests.database.interleavings.trigger_dev import TriggerDev, TriggerRun
from tests.database.interleavings.workers import Call, Claimed, Work, intrusion, work
from tests.support.pipeline import Json
from tests.support.sql_client import Client, Connection
from tests.support.tenants import Org

_ROUNDS_TO_SETTLE = 12


class RuleBrokenError(AssertionError):
    """A rule is broken. The message names the rule and the actions before it."""


class ConnectionLostError(Exception):
    """The answer to a call was lost."""


@dataclass
class Actor:
    """A worker at work: its next call, and its Trigger.dev run."""

    work: Work
    trigger_run: TriggerRun
    next: Call

    @property
    def name(self) -> str:
        return self.trigger_run.id


@dataclass
class Order:
    seed: int
    observer: Client
    seats: tuple[Seat, Seat]
    org: Org
    blueprint_ids: list[str]
    promises: dict[str, str]
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.luck = random.Random(self.seed)  # noqa: S311 (to be repeatable)
        self.trigger = TriggerDev(f"{self.seed:x}x")
        self.actors: list[Actor] = []
        self.known: list[Claimed] = []
        self.fails = self.luck.choice([0.0, 0.0, 0.1])
        self.since = self.observer.value("select now()")
        self.seen = self._look()

    def play(self, actions: int) -> None:
        """Plays the actions, then lets every run end. Raises RuleBrokenError."""
        for _ in range(self.luck.randint(1, 3)):
            self._alone(self._submit())
        for _ in range(actions):
            if self.luck.random() < 0.35:
                self._at_once(self._draw(), self._draw())
            else:
                self._alone(self._draw())
        self._settle()

    def _draw(self) -> Action:
        """Mostly a worker's next call; now and then an accident."""
        usual: list[tuple[float, Callable[[], Action]]] = [
            (6, self._work),
            (1.2, self._intrude),
            (1.0, self._reconcile),
            (0.8, self._duplicate),
            (0.6, self._lose_heartbeat),
            (0.5, self._kill),
            (0.3, self._cancel),
            (0.3, self._retry),
            (0.6, self._submit),
            (0.3, self._let_time_pass),
            (0.3, self._requeue),
            (0.1, self._forget),
        ]
        draw = self.luck.choices([make for _, make in usual], [weight for weight, _ in usual])[0]
        return draw()

    def _look(self) -> rules.Look:
        return rules.look(self.observer, self.org.id, self.since)

    def _alone(self, action: Action) -> None:
        standing = Standing.of(self.seen)
        lost = action.call is not None and self.luck.random() < 0.1
        answer = self._do(action, self.luck.choice(self.seats))
        self._check(action, answer, standing)
        if lost and not isinstance(answer, Exception):
            self.log.append("… and again, because the answer was lost")
            answer = self._do(action, self.luck.choice(self.seats))
            self._check(action, answer, Standing.of(self.seen))
        self._pass_on(action, answer)

    def _at_once(self, first: Action, second: Action) -> None:
        one, other = (
            getattr(seat, action.who) for seat, action in zip(self.seats, (first, second), strict=True)
        )
        is_lost = self.luck.random() < 0.25
        before = Standing.of(self.seen)
        self.log.append(f"at once, the first {'lost' if is_lost else 'committed'}:")
        try:
            with ThreadPoolExecutor(1) as pool:
                with one.connection.transaction(force_rollback=is_lost):
                    answer = self._do(first, self.seats[0], in_transaction=True)
                    future = pool.submit(self._do, second, self.seats[1])
                    self._until_it_waits(other.connection, future)
                late = future.result(timeout=30)
        except psycopg.Error as error:
            raise self._broken([f"the commit failed: {error}"]) from error
        after = before if is_lost else before.after(first, answer)
        self._check(first, answer, before, look=False)
        self._check(second, late, after)
        self._pass_on(first, ConnectionLostError() if is_lost else answer)
        self._pass_on(second, late)

    def _do(self, action: Action, seat: Seat, *, in_transaction: bool = False) -> Any:  # noqa: ANN401
        """Returns the answer or the error."""
        client: Client = getattr(seat, action.who)
        try:
            # A refusal undoes only its own statement.
            with client.connection.transaction() if in_transaction else nullcontext():
                answer = action.do(client)
        except psycopg.Error as error:
            answer = error
        shown = answer.diag.message_hint or answer.sqlstate if isinstance(answer, psycopg.Error) else "done"
        self.log.append(f"{action.name}: {shown}")
        return answer

    def _until_it_waits(self, other: Connection, future: Future[Any]) -> None:
        waits = "select wait_event_type = 'Lock' from pg_stat_activity where pid = %(pid)s"
        deadline = time.monotonic() + 10
        while not future.done() and self.observer.value(waits, {"pid": other.info.backend_pid}) is not True:
            if time.monotonic() > deadline:
                raise self._broken(["the second neither waited nor ended"])

    def _check(self, action: Action, answer: Any, standing: Standing, *, look: bool = True) -> None:  # noqa: ANN401
        broken = list(broken_answer(action, answer, standing, self.promises, self.known))
        if look:
            now = self._look()
            broken += [*rules.broken_between(self.seen, now), *rules.broken_now(now)]
            self.seen = now
        if broken:
            raise self._broken(broken)

    def _pass_on(self, action: Action, answer: Any) -> None:  # noqa: ANN401
        if isinstance(answer, Exception):
            action.refused(answer)
        else:
            action.answered(answer)

    def _broken(self, rules_broken: list[str]) -> RuleBrokenError:
        history = "\n".join(f"  {line}" for line in self.log[-40:])
        return RuleBrokenError(f"seed {self.seed}: " + "; ".join(rules_broken) + f"\nafter\n{history}")

    def _nothing(self) -> Action:
        return Action("nothing", "operator", lambda client: None)

    def _client(self, function: str, pipeline_run_id: str) -> Action:
        return Action(
            f"{function} {pipeline_run_id[:8]}",
            "member",
            lambda member: member.call(function, pipeline_run_id=pipeline_run_id),
            answered=self._started_by_the_api,
        )

    def _submit(self) -> Action:
        blueprint_id = self.luck.choice(self.blueprint_ids)
        sizes = [self.luck.randint(2, 4) for _ in range(self.luck.randint(1, 3))]
        return actions.submit(
            self.org.first.id,
            blueprint_id,
            sizes,
            answered=lambda made: self._started_by_the_api(made["pipeline_run"]),
        )

    def _started_by_the_api(self, run: Json) -> None:
        """The API starts the run that it created, unless it dies first."""
        if not run["admitted"] or run["status"] != "queued" or self.luck.random() < 0.2:
            return
        started = self.trigger.start(run["id"], run["id"])
        if self.luck.random() < 0.8:
            self.seats[0].member.call(
                "mark_pipeline_run_dispatched", pipeline_run_id=run["id"], trigger_run_id=started.id
            )
        if self.luck.random() < 0.9:
            self._employ(started)
        else:
            started.alive = False

    def _employ(self, trigger_run: TriggerRun) -> None:
        if trigger_run.alive and not any(actor.trigger_run is trigger_run for actor in self.actors):
            self._set_to_work(trigger_run)

    def _set_to_work(self, trigger_run: TriggerRun) -> None:
        program = work(trigger_run.pipeline_run_id, trigger_run.id, self.luck, self.known, fails=self.fails)
        self.actors.append(Actor(program, trigger_run, next(program)))

    def _work(self) -> Action:
        if not self.actors:
            return actions.nothing()
        return self._next_of(self.luck.choice(self.actors))

    def _next_of(self, actor: Actor) -> Action:
        call = actor.next

        def answered(answer: Json) -> None:
            if actor in self.actors and actor.next is call:
                try:
                    actor.next = actor.work.send(answer)
                except StopIteration:
                    self._end(actor)

        def refused(error: Exception) -> None:
            if isinstance(error, ConnectionLostError) and self.luck.random() < 0.5:
                return  # the actor tries once more
            self._end(actor)

        return Action(f"{actor.name} {call}", "worker", _as_worker(call), call, answered, refused)

    def _end(self, actor: Actor) -> None:
        if actor in self.actors:
            self.actors.remove(actor)
        actor.trigger_run.alive = any(other.trigger_run is actor.trigger_run for other in self.actors)

    def _intrude(self) -> Action:
        if not self.known:
            return actions.nothing()
        call = intrusion(self.luck.choice(self.known), self.luck)
        return Action(f"intruder {call}", "worker", _as_worker(call), call)

    def _duplicate(self) -> Action:
        """Starts a run under another key, perhaps before its turn, or puts a second worker on a start."""
        run_id = self.luck.choice(list(self.seen.runs))
        of_run = [run for run in self.trigger.runs.values() if run.pipeline_run_id == run_id]
        if of_run and self.luck.random() < 0.5:
            run = self.luck.choice(of_run)
        else:
            run = self.trigger.start(run_id, f"{run_id}:by hand:{len(of_run)}")
        run.alive = True
        self._set_to_work(run)
        return actions.nothing()

    def _kill(self) -> Action:
        if self.actors:
            actor = self.luck.choice(self.actors)
            self.log.append(f"{actor.name} is killed")
            self._end(actor)
        return actions.nothing()

    def _forget(self) -> Action:
        """Trigger.dev forgets everything. Its tasks end with it, or work on as orphans."""
        self.log.append("Trigger.dev forgets everything")
        self.trigger.forget_all()
        if self.luck.random() < 0.5:
            self.actors.clear()
        return actions.nothing()

    def _cancel(self) -> Action:
        return actions.of_a_client("cancel_pipeline_run", self._some_run(), self._started_by_the_api)

    def _retry(self) -> Action:
        return actions.of_a_client("retry_pipeline_run", self._some_run(), self._started_by_the_api)

    def _requeue(self) -> Action:
        return actions.requeue(self._some_run())

    def _lose_heartbeat(self) -> Action:
        return actions.lose_heartbeat(self._some_run())

    def _let_time_pass(self) -> Action:
        return actions.let_time_pass(self.org.id)

    def _some_run(self) -> str:
        return self.luck.choice(list(self.seen.runs))

    def _reconcile(self) -> Action:
        return Action(
            "reconcile_pipeline_runs",
            "worker",
            lambda worker: worker.call("worker.reconcile_pipeline_runs"),
            answered=self._act_on,
        )

    def _act_on(self, answer: Json) -> None:
        """Does what the task reconcile-runs does with the answer."""
        worker = self.seats[0].worker
        # The answer may have missed an action that ran at the same time.
        once = worker.call("worker.reconcile_pipeline_runs")
        before = self._look()
        twice = worker.call("worker.reconcile_pipeline_runs")
        if before.rows != self._look().rows:
            raise self._broken(["a second reconcile changed something"])
        more = [start for start in twice["starts"] if start not in once["starts"]]
        if any(start["pipeline_run_id"] in self.seen.runs for start in more):
            raise self._broken([f"a second reconcile gave out {more}"])
        starts = [
            start
            for start in [*answer["starts"], *once["starts"]]
            if start["pipeline_run_id"] in self.seen.runs
        ]
        for suspect in answer["suspects"]:
            run_id = suspect["pipeline_run_id"]
            finding = self.trigger.finding(suspect["trigger_run_id"], suspect["ended"])
            if run_id not in self.seen.runs or finding is None:
                continue
            if finding == "quiet" and self.trigger.stop_all(run_id):
                finding = "stopped"
                self.actors = [actor for actor in self.actors if actor.trigger_run.pipeline_run_id != run_id]
            arguments = {"pipeline_run_id": run_id, "trigger_run_id": suspect["trigger_run_id"]}
            repaired = worker.call("worker.repair_pipeline_run", **arguments, finding=finding)
            repeated = worker.call("worker.repair_pipeline_run", **arguments, finding=finding)
            self.log.append(f"{run_id[:8]} {finding}: {repaired['repair']}")
            if repaired["repair"] is not None and repeated["repair"] is not None:
                raise self._broken([f"{finding} was repaired twice"])
            starts += [repaired["start"]] if repaired["start"] else []
        self.seen = self._look()
        for start in starts:
            # Workers go on while the reconciler asks Trigger.dev.
            if self.actors and self.luck.random() < 0.2:
                self._alone(self._work())
            self._start(worker, start)
        self.seen = self._look()

    def _start(self, worker: Client, start: Json | None) -> None:
        while start is not None:
            run_id = start["pipeline_run_id"]
            trigger_run = self.trigger.start(run_id, start["idempotency_key"])
            if trigger_run.alive:
                worker.call(
                    "worker.mark_pipeline_run_dispatched",
                    pipeline_run_id=run_id,
                    trigger_run_id=trigger_run.id,
                )
                self._employ(trigger_run)
                return
            arguments = {"pipeline_run_id": run_id, "idempotency_key": start["idempotency_key"]}
            start = worker.call("worker.replace_start", **arguments)["start"]

    def _settle(self) -> None:
        """Without accidents, the reconciler and the workers bring every run to its end."""
        self.fails = 0.0
        self.log.append("from here on nothing goes wrong")
        for _ in range(_ROUNDS_TO_SETTLE):
            while self.actors:
                self._alone(self._next_of(self.actors[0]))
            if all(run["status"] in rules.FINAL_RUN for run in self.seen.runs.values()):
                break
            self._alone(self._let_time_pass())
            self._alone(self._reconcile())
        unfinished = {
            run_id: run["status"] for run_id, run in self.seen.runs.items() if not run["finished_at"]
        }
        if unfinished:
            raise self._broken([f"{unfinished} do not end by themselves"])
        if broken := list(rules.broken_contents(self.observer, self.org.id, self.since)):
            raise self._broken(broken)


def _as_worker(call: Call) -> Callable[[Client], Any]:
    return lambda worker: worker.call(f"worker.{call.function}", **call.named_arguments)
