"""Sends the cases to an API with a real database, and collects the wrong answers."""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from api.main import create_app
from api.settings import Settings
from local import product
from local.settings import TRIGGER_FOLDER
from tests.fuzz.callers import Caller, create_callers, pick_caller
from tests.fuzz.cases import Case, Endpoint, Json, load
from tests.fuzz.checks import Checks, Exchange, Problem
from tests.fuzz.dressing import Dresser
from tests.fuzz.world import Belongings, World, create_world
from tests.support.loopback import Answer, loopback_server
from tests.support.served_app import served
from tests.support.sql_client import connect, owner
from tests.support.stack import StackEnvironment

_TIMEOUT_SECONDS = 60
NO_ANSWER = 599  # in place of a status
# A created thing of this name can be named by later requests in this field.
_FIELDS = {
    "companies": "company_id",
    "blueprints": "blueprint_id",
    "invitations": "invitation_id",
    "api-tokens": "api_token_id",
    "pipeline_run": "pipeline_run_id",
    "submission": "submission_id",
}
# A caller with a company must not see these ids of other companies.
_OF_ONE_COMPANY = ("submission_id", "pipeline_run_id", "step_result_id")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Finding:
    """One kind of wrong answer at one endpoint, with the first request that got it."""

    endpoint: str
    problem: Problem
    caller: str
    request: str
    answer: str
    raised: str | None


@dataclass
class Results:
    """`answers` counts (endpoint, kind of caller, status)."""

    answers: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    findings: dict[tuple[str, Problem], Finding] = field(default_factory=dict)
    times_found: Counter[tuple[str, Problem]] = field(default_factory=Counter)

    @property
    def cases(self) -> int:
        return self.answers.total()


class _Raised(logging.Handler):
    """Keeps the traceback of the last exception that the API logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.last = "".join(traceback.format_exception(record.exc_info[1]))[-1500:]


def play(stack: StackEnvironment, cases: int, seed: int, say: Say = lambda line: None) -> Results:
    luck = random.Random(seed)  # noqa: S311
    publish = product.publish_registry(stack.variables, folder=TRIGGER_FOLDER)
    subprocess.run(
        publish.arguments,
        cwd=publish.cwd,
        env={**os.environ, **publish.environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with connect(stack) as connection, _api(stack) as url, requests.Session() as session:
        session.trust_env = False
        world = create_world(connection)
        callers = create_callers(world, stack)
        document = session.get(f"{url}/openapi.json", timeout=_TIMEOUT_SECONDS).json()
        steps = owner(connection).rows("select slug, version, config_schema from public.steps")
        endpoints = load(document, steps)
        planned = _plan(endpoints, cases, seed)
        luck.shuffle(planned)
        say(f"{len(planned)} cases of {len(endpoints)} endpoints.")
        return _Campaign(world, callers, url, session, luck, say).send(planned)


def _plan(endpoints: list[Endpoint], cases: int, seed: int) -> list[Case]:
    share = cases / sum(endpoint.weight for endpoint in endpoints)
    return [
        case
        for endpoint in endpoints
        for case in endpoint.cases(max(4, round(share * endpoint.weight)), seed)
    ]


class _Campaign:
    def __init__(
        self,
        world: World,
        callers: list[Caller],
        url: str,
        session: requests.Session,
        luck: random.Random,
        say: Say,
    ) -> None:
        self._callers = callers
        self._url = url
        self._session = session
        self._luck = luck
        self._say = say
        self._of_others = {
            world.own.org.id: set(world.ids_of_other_org()),
            world.other.org.id: set(world.ids_of_own_org()),
        }
        self._checks = Checks(self._is_hidden)
        self._dresser = Dresser(luck)
        self.results = Results()

    def send(self, cases: list[Case]) -> Results:
        raised = _Raised()
        logger = logging.getLogger("api.errors")
        logger.addHandler(raised)
        try:
            for number, case in enumerate(cases, start=1):
                raised.last = None
                self._send(case, raised)
                if number % 1000 == 0:
                    self._say(f"{number} sent, {len(self.results.findings)} kinds of wrong answers")
        finally:
            logger.removeHandler(raised)
        return self.results

    def _send(self, case: Case, raised: _Raised) -> None:
        caller = pick_caller(self._callers, case.path, self._luck)
        dressed = self._dresser.dress(case, caller)
        try:
            response = dressed.call(base_url=self._url, session=self._session, timeout=_TIMEOUT_SECONDS)
        except requests.RequestException as error:
            self.results.answers[dressed.path, caller.kind, NO_ANSWER] += 1
            problem = Problem("no answer", type(error).__name__)
            self._note(dressed, caller, problem, repr(dressed.body), str(error), raised.last)
            return
        exchange = Exchange(dressed, caller, response)
        self.results.answers[exchange.endpoint, caller.kind, exchange.status] += 1
        for problem in self._checks.problems(exchange):
            self._note(dressed, caller, problem, exchange.sent, exchange.text, raised.last)
        if response.status_code in (200, 202):
            self._learn(exchange)

    def _note(
        self, case: Case, caller: Caller, problem: Problem, sent: str, answer: str, raised: str | None
    ) -> None:
        key = case.path, problem
        self.results.times_found[key] += 1
        finding = Finding(case.path, problem, caller.kind, sent[:1500], answer[:500], raised)
        self.results.findings.setdefault(key, finding)

    def _learn(self, exchange: Exchange) -> None:
        """Later requests can name the created thing and the next page."""
        try:
            answer = json.loads(exchange.text)
        except ValueError:
            return  # an export
        belongings = exchange.caller.belongings
        if isinstance(answer, dict) and (cursor := answer.get("next_cursor")):
            belongings.learn_cursor(exchange.endpoint, cursor)
        made = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(made, dict) or exchange.endpoint.rpartition("/")[2] in ("get", "context", "accept"):
            return
        noun = exchange.endpoint.split("/")[2]
        for name, item in {noun: made, **made}.items():
            if name in _FIELDS and isinstance(item, dict) and "id" in item:
                self._hide_from_strangers(belongings, item)
                belongings.learn(_place(name, item), _FIELDS[name], item["id"])

    def _hide_from_strangers(self, belongings: Belongings, item: Json) -> None:
        for org_id, ids in self._of_others.items():
            if org_id != belongings.org.id:
                ids.add(item["id"])

    def _is_hidden(self, caller: Caller, found: str) -> bool:
        if found in self._of_others[caller.belongings.org.id]:
            return True
        if caller.company_id is None:
            return False
        elsewhere = [
            ids
            for company_id, ids in caller.belongings.places.items()
            if company_id not in (None, caller.company_id)
        ]
        return any(found in ids.get(name, ()) for ids in elsewhere for name in _OF_ONE_COMPANY)


def _place(name: str, item: Json) -> str | None:
    """The company that the thing belongs to. A company belongs to itself."""
    return str(item["id"]) if name == "companies" else item.get("company_id")


@contextmanager
def _api(stack: StackEnvironment) -> Iterator[str]:
    known: dict[str, Any] = {name.lower(): value for name, value in stack.variables.items()}
    with loopback_server() as trigger:
        trigger.fallback = lambda _: Answer(404, {"error": "Not found"})
        trigger.routes["/api/v1/tasks/run-pipeline/trigger"] = lambda _: Answer(
            200, {"id": "run_abc", "isCached": False}
        )
        known |= {"trigger_api_url": trigger.url, "log_level": "ERROR", "max_upload_bytes": "2000000"}
        with served(create_app(Settings(_env_file=None, **known))) as url:
            yield url
