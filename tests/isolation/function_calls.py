"""Calls every exposed function as every caller, with ids of every scope in each argument that takes one.

Besides the expected answer, each call must keep three rules: an id of others gets exactly the answer for an
id that nobody has, no answer holds anything of others, and nothing of others changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

from tests.isolation.attempts import Attempt, Outcome
from tests.isolation.callers import Caller
from tests.isolation.catalogue import Function
from tests.isolation.findings import REFUSED, Report, Trial, is_denied
from tests.isolation.function_rules import FunctionRules, Id, WorkerRules
from tests.isolation.reach import SYMBOLS, Reach, Row
from tests.isolation.table_requests import stays_within, told
from tests.isolation.world import World

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Arguments = dict[str, Any]


def sweep(world: World, function: Function, rules: FunctionRules, *, until_noticed: bool = False) -> Report:
    report = Report()
    for caller in world.callers:
        if until_noticed and report.deviations:
            return report
        _FunctionSweep(world, function, rules, caller, report).run()
        report.mark(function.qualified, caller.code, _symbol(rules, caller))
    return report


def sweep_worker(world: World, function: Function, rules: WorkerRules) -> Report:
    """Only the service credential may call the tasks' functions. Writing for a run takes the claim on it."""
    report = Report()
    ids = {"p_pipeline_run_id": "pipeline_runs", "p_step_result_id": "step_results"}
    words = {str(uuid4()): rules.missing}
    if rules.id:
        waiting = [
            row
            for row in world.rows[ids[rules.id]]
            if row.values["status"] in ("queued", "pending") and row.values.get("position", 1) == 1
        ]
        words[waiting[0].key["id"]] = rules.unclaimed
    for caller in world.callers:
        for id_, word in words.items():
            arguments = dict(rules.arguments) | ({rules.id: id_} if rules.id else {})
            is_service = caller.client.role == "service_role"
            report.judge(
                world.connection,
                [
                    Trial(
                        function.qualified,
                        caller.code,
                        Attempt(caller.client, call(function, arguments)),
                        f"{caller.who}: {function.qualified} does not end as function_rules.py says.",
                        _is(word) if is_service else is_denied,
                    )
                ],
            )
        report.mark(function.qualified, caller.code, "*" if is_service else REFUSED)
    return report


def _symbol(rules: FunctionRules, caller: Caller) -> str:
    if caller.has_no_grants:
        return REFUSED
    first = next(iter(rules.ids.values()), None)
    return SYMBOLS[(first.may if first else rules.may).reach(caller.authority)]


def call(function: Function, arguments: Mapping[str, Any]) -> str:
    """The call as PostgREST makes it: named arguments, cast to the types that the function declares."""
    named = [
        sql.SQL("{} => {}::{}").format(
            sql.Identifier(name),
            sql.Literal(Jsonb(value) if function.arguments[name] == "jsonb" else value),
            sql.SQL(function.arguments[name]),
        )
        for name, value in arguments.items()
    ]
    return (
        sql.SQL("select to_jsonb({}({}))")
        .format(sql.Identifier(function.schema, function.name), sql.SQL(", ").join(named))
        .as_string()
    )


class _FunctionSweep:
    """The calls of one function by one caller."""

    def __init__(
        self, world: World, function: Function, rules: FunctionRules, caller: Caller, report: Report
    ) -> None:
        self.world, self.function, self.rules, self.caller, self.report = (
            world,
            function,
            rules,
            caller,
            report,
        )
        self.fixed = rules.fixed_answer(caller.code, caller.kind)
        self.hidden = hidden_from(world, caller)
        # The caller's own ids for the other arguments, so that only the id under test decides.
        self.own = {name: self._own_id(id_) for name, id_ in rules.ids.items()}

    def run(self) -> None:
        if self.rules.refusals.get(self.caller.code) == "ok":
            return  # its answer and effect are the caller's own, who counts as nobody here
        if self.caller.has_no_grants or self.caller.authority is None or self.fixed:
            self._expect_one_answer()
        elif not self.rules.ids:
            self._try({}, self._word(self.rules.may.reach(self.caller.authority) is not Reach.NONE))
        for name, id_ in self.rules.ids.items():
            if self.caller.authority and not self.fixed:
                self._try_ids(name, id_)
        if self.caller.authority:
            self._try_names()
            self._try_json_bodies()

    def _expect_one_answer(self) -> None:
        caller, rules = self.caller, self.rules
        for ids in self._guesses():
            if caller.has_no_grants:
                self._judge(ids, is_denied)
            elif caller.authority and self.fixed:
                self._try(ids, self.fixed)
            else:
                self._judge(ids, _is_refused(rules.refusals.get(caller.code), caller.refusal))

    def _guesses(self) -> Iterator[dict[str, str]]:
        """Ids that nobody has, then one id of each org in each argument."""
        nobodys = {name: id_.nobodys() for name, id_ in self.rules.ids.items()}
        yield nobodys
        for name, id_ in self.rules.ids.items():
            by_org = {row.org_id: row for row in self._candidates(id_)}
            for row in by_org.values():
                yield nobodys | {name: row.values[id_.column]}

    def _try_ids(self, name: str, id_: Id) -> None:
        """Tries each row of the table, with the caller's own ids in the other arguments."""
        authority = self.caller.authority
        assert authority is not None
        others = {other: own for other, own in self.own.items() if other != name and own}
        is_capable = all(i.may.reach(authority) is not Reach.NONE for i in self.rules.ids.values())
        nobodys = id_.nobodys()
        random = self._judge(others | {name: nobodys}, lambda o: id_.code is None or not o.succeeded)
        if is_capable and id_.code:
            self._expect(random.word == f"404 {id_.code}", f"answers {random.word} for an id that nobody has")
        for row in self._candidates(id_):
            value = row.values[id_.column]
            ids = others | {name: value}
            if not id_.sees.reaches(authority, row):
                outcome = self._judge(ids, lambda o: id_.code is None or not o.succeeded)
                self._expect(
                    told(outcome, value) == told(random, nobodys) and outcome.result == random.result,
                    f"answers {outcome.word} for a row of {id_.table} {self.world.describe(row)}, "
                    f"but {random.word} for an id that nobody has",
                )
            elif id_.code or is_capable:
                self._try(ids, self._word(id_.may.reaches(authority, row)))

    def _try_names(self) -> None:
        """A name that only another org uses must get the answer for a name that nobody uses."""
        authority = self.caller.authority
        assert authority is not None
        ids = {name: own for name, own in self.own.items() if own}
        for argument, places in self.rules.names.items():
            free = self._judge(ids, lambda _: True)
            for table, column in places:
                rows = self.world.rows[table]
                own = {row.values[column] for row in rows if row.org_id == authority.org_id}
                for name in {row.values[column] for row in rows} - own - {None}:
                    outcome = self._judge(ids | {argument: name}, lambda _: True)
                    self._expect(
                        outcome.word == free.word,
                        f"answers {outcome.word} for a name in {table} of another org, "
                        f"but {free.word} for a free one",
                    )

    def _try_json_bodies(self) -> None:
        """Adds ids of others to every object of every JSON argument."""
        for name, type_ in self.function.arguments.items():
            if type_ != "jsonb" or name not in self.rules.arguments:
                continue
            for org_id, company_id in self.world.scopes:
                injected = {
                    "org_id": org_id,
                    "company_id": company_id,
                    "created_by": next(o.admin.id for o in self.world.tenants if o.id == org_id),
                    **{
                        key: next(row.key["id"] for row in self.world.rows[table] if row.org_id == org_id)
                        for key, table in (
                            ("blueprint_id", "blueprints"),
                            ("submission_id", "submissions"),
                            ("pipeline_run_id", "pipeline_runs"),
                        )
                    },
                }
                body = {name: _inject(self.rules.arguments[name], injected)}
                self._judge({k: v for k, v in self.own.items() if v} | body, lambda _: True)

    def _own_id(self, id_: Id) -> str | None:
        authority = self.caller.authority
        rows = [row for row in self._candidates(id_) if id_.sees.reaches(authority, row)]
        rows.sort(key=lambda row: not id_.may.reaches(authority, row))
        return rows[0].values[id_.column] if rows else None

    def _candidates(self, id_: Id) -> list[Row]:
        return [
            row
            for row in self.world.samples(id_.table)
            if all(row.values[column] in allowed for column, allowed in id_.where.items())
        ]

    def _word(self, may: bool) -> str:
        return "ok" if may else "403 forbidden"

    def _try(self, arguments: Arguments, word: str) -> None:
        self._judge(arguments, lambda outcome: outcome.word == word, f" Expected: {word}.")

    def _judge(
        self, arguments: Arguments, is_as_expected: Callable[[Outcome], bool], more: str = ""
    ) -> Outcome:
        statement = call(self.function, dict(self.rules.arguments) | arguments)
        (outcome,) = self.report.judge(
            self.world.connection,
            [
                Trial(
                    self.function.qualified,
                    self.caller.code,
                    Attempt(self.caller.client, statement, watch=self.function.is_volatile),
                    f"{self.caller.who}: {self.function.qualified} {self._describe(arguments)}.{more}",
                    is_as_expected,
                )
            ],
        )
        stray = (self.hidden & words_in(outcome)) - words_of(arguments)
        self._expect(not stray, f"shows what belongs to others: {len(stray)} ids or markers")
        self._expect(stays_within(outcome, self.caller), "changes what belongs to others")
        return outcome

    def _describe(self, arguments: Arguments) -> str:
        return f"with {', '.join(arguments)}" if arguments else "without arguments"

    def _expect(self, is_as_expected: bool, what: str) -> None:
        sentence = f"{self.caller.who}: {self.function.qualified} {what}."
        self.report.expect(is_as_expected, sentence, self.function.qualified, self.caller.code)


def _is_refused(word: str | None, code: str | None) -> Callable[[Outcome], bool]:
    """Expects `word`, or the stable code of the refused credential if no word is given."""
    return lambda outcome: outcome.word == word if word else outcome.hint == code


def _is(word: str) -> Callable[[Outcome], bool]:
    return lambda outcome: outcome.word == word


def hidden_from(world: World, caller: Caller) -> set[str]:
    """Ids and markers that no answer to the caller may hold.

    Users of the caller's org are left out: rows that the whole org sees name them as creators.
    """
    authority = caller.authority
    hidden = set()
    for table, rows in world.rows.items():
        for row in rows:
            is_own_org = authority is not None and row.org_id == authority.org_id
            is_bound_elsewhere = (
                authority is not None
                and authority.company_id is not None
                and row.company_id not in (None, authority.company_id)
            )
            if row.org_id and (not is_own_org or (is_bound_elsewhere and table != "users")):
                hidden |= {value for value in row.key.values() if UUID.fullmatch(str(value))}
    for scope in world.scopes:
        org_id, company_id = scope
        if (
            authority is None
            or org_id != authority.org_id
            or (authority.company_id and company_id not in (None, authority.company_id))
        ):
            hidden.add(world.marker_of(scope))
    return hidden


def words_in(outcome: Outcome) -> set[str]:
    return words_of([outcome.result, outcome.message, outcome.detail])


def words_of(value: Any) -> set[str]:  # noqa: ANN401 (JSON)
    text = json.dumps(value)
    return set(UUID.findall(text)) | set(re.findall(r"marker-[0-9a-f]{12}-\d", text))


def _inject(value: Any, injected: Arguments) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(value, list):
        return [_inject(item, injected) for item in value]
    if isinstance(value, dict):
        return {key: _inject(item, injected) for key, item in value.items()} | injected
    return value
