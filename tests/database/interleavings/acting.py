"""The sessions that act, their actions, and the rules for the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.database.interleavings import rules
from tests.database.interleavings.workers import Call, Claimed
from tests.support.pipeline import Json
from tests.support.sql_client import Client, Connection, Row, owner, service, signed_in
from tests.support.tenants import User

_CONCLUDING = {"cancel_pipeline_run", "finish_pipeline_run", "fail_pipeline_run"}


class Session(Client):
    """A client that keeps its role for the whole connection, so that a call is one message and not five."""

    @contextmanager
    def _acting(self) -> Iterator[psycopg.Cursor[Row]]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            yield cursor


@dataclass(frozen=True)
class Seat:
    """A connection for each role that acts. Two seats can act at once."""

    operator: Client
    worker: Client
    member: Client

    @classmethod
    def take(cls, connections: Sequence[Connection], member: User) -> Seat:
        sessions = []
        roles = (owner(connections[0]), service(connections[1]), signed_in(connections[2], member))
        for client in roles:
            session = Session(client.connection, client.role, client.claims)
            session.connection.execute(
                "select set_config('role', %s, false), set_config('request.jwt.claims', %s, false)",
                (client.role, client.claims),
            )
            sessions.append(session)
        return cls(*sessions)

    def leave(self) -> None:
        for client in (self.operator, self.worker, self.member):
            client.connection.execute("reset role")
            client.connection.execute("reset request.jwt.claims")


@dataclass(frozen=True)
class Action:
    """`call` is set for a call of the worker schema."""

    name: str
    who: str
    do: Callable[[Client], Any]
    call: Call | None = None
    answered: Callable[[Any], None] = lambda answer: None
    refused: Callable[[Exception], None] = lambda error: None


@dataclass(frozen=True)
class Standing:
    """The claim of each run, the Trigger.dev run with a live lease on it, and the runs that have ended."""

    claims: dict[str, str | None]
    alive_by: dict[str, str]
    finished: frozenset[str]

    @classmethod
    def of(cls, seen: rules.Look) -> Standing:
        return cls(
            {run_id: run["claim_id"] for run_id, run in seen.runs.items()},
            # A lease lasts a minute or has been ended, so the time between two looks does not matter.
            {
                run_id: run["trigger_run_id"]
                for run_id, run in seen.runs.items()
                if run["status"] == "running" and run["lease_expires_at"] > seen.now
            },
            frozenset(run_id for run_id, run in seen.runs.items() if run["finished_at"]),
        )

    def after(self, action: Action, answer: Any) -> Standing:  # noqa: ANN401
        """The standing after this answer."""
        if action.call is None and not isinstance(answer, dict):
            return replace(self, alive_by={})  # leases have run out, perhaps all
        if isinstance(answer, Exception) or not isinstance(answer, dict):
            return self
        if action.call and answer.get("outcome") == "claimed":
            run_id = action.call.pipeline_run_id
            return replace(
                self,
                claims={**self.claims, run_id: answer["claim_id"]},
                alive_by={**self.alive_by, run_id: action.call.arguments["trigger_run_id"]},
            )
        function = action.call.function if action.call else action.name.partition(" ")[0]
        run_id = action.call.pipeline_run_id if action.call else answer.get("id", "")
        ended = function in _CONCLUDING or (function == "fail_step" and not answer["continues"])
        return replace(self, finished=self.finished | {run_id}) if ended else self


def broken_answer(
    action: Action,
    answer: Any,  # noqa: ANN401
    standing: Standing,
    promises: Mapping[str, str],
    known: Sequence[Claimed],
) -> Iterator[str]:
    """The rules that the answer breaks. `known` are the earlier claims."""
    call = action.call
    if isinstance(answer, psycopg.Error):
        code = answer.diag.message_hint
        promised = promises.get(call.function if call else action.name.partition(" ")[0], "")
        if not str(answer.sqlstate).startswith("PT") or code is None or code not in promised:
            yield f"{action.name} was refused with {answer.sqlstate} {code}, which no comment names: {answer}"
    elif call is not None and call.function == "claim_pipeline_run":
        yield from _broken_claim(call, answer, standing, known)
    elif call is not None and call.claim_id is not None:
        run_id = call.pipeline_run_id
        if run_id in standing.finished:
            yield f"{action.name} passed although the run had ended"
        elif standing.claims.get(run_id) != call.claim_id:
            yield f"{action.name} passed although the claim was lost"


def _broken_claim(call: Call, answer: Json, standing: Standing, known: Sequence[Claimed]) -> Iterator[str]:
    if answer["outcome"] != "claimed":
        return
    if any(claimed.claim_id == answer["claim_id"] for claimed in known):
        yield f"{call} answered with a claim that was given before"
    holder = standing.alive_by.get(call.pipeline_run_id)
    if holder not in (None, call.arguments["trigger_run_id"]):
        yield f"{call} took over a run that {holder} works on"
    if call.pipeline_run_id in standing.finished:
        yield f"{call} claimed a run that had ended"


def promised_refusals(postgres: Client) -> dict[str, str]:
    """The refusals that the comment of each function names."""
    rows = postgres.rows(
        """
        select p.proname::text as name, obj_description(p.oid, 'pg_proc') as said
        from pg_proc p
        where p.pronamespace in ('worker'::regnamespace, 'public'::regnamespace, 'ops'::regnamespace)
        """
    )
    return {row["name"]: (row["said"] or "").partition("Raises ")[2] for row in rows}
