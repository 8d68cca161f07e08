"""A committed world, and the credentials that its callers send over HTTP.

Nothing is undone over HTTP. So the world is made for one sweep, and requests aim only at rows out of the
caller's reach. The sweep compares all rows of the world after every caller.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from psycopg import sql

from api.auth.api_token import ContextJwtMinter, SigningKey
from api.main import create_app
from api.settings import Settings
from tests.isolation.attempts import every_row
from tests.isolation.callers import Caller
from tests.isolation.findings import Report
from tests.isolation.world import World, create_world
from tests.support.loopback import Answer, loopback_server
from tests.support.served_app import served
from tests.support.sql_client import connect
from tests.support.stack import StackEnvironment
from tests.support.tenants import session_jwt

# One caller of each authority, and one of each kind of refused credential.
CALLERS = (
    "OA",
    "CA",
    "ME",
    "MF",
    "tO",
    "tC",
    "tR",
    "XO",
    "tW",
    "tX",
    "tV",
    "tD",
    "uD",
    "uN",
    "uS",
    "an",
    "sr",
)

READS = re.compile(r"/(list|get|records|export|context)$|rpc/(list|get)_|rpc/auth_context")


@dataclass(frozen=True)
class Answered:
    """An answer, without the parts that differ between any two requests."""

    status: int
    code: str | None
    message: str | None
    details: Any
    body: Any

    @property
    def succeeded(self) -> bool:
        return self.status < 400

    @property
    def word(self) -> str:
        return f"{self.status} {self.code or ''}".strip()


@dataclass(frozen=True)
class HttpWorld:
    world: World
    environment: StackEnvironment
    callers: list[Caller]
    data_api: httpx.Client = field(repr=False)
    api: httpx.Client = field(repr=False)
    minter: ContextJwtMinter = field(repr=False)
    # The query for every row of the world with a fingerprint of its content.
    query: sql.Composed = field(repr=False)
    # Its rows as the last caller left them.
    versions: set[tuple[str | None, ...]] = field(default_factory=set, repr=False)
    # Writing requests that have succeeded since then.
    done: set[str] = field(default_factory=set, repr=False)

    def bearer_of(self, caller: Caller) -> str | None:
        """The bearer that the caller sends to the API, if any."""
        if caller.token:
            return caller.token.secret
        if caller.kind == "key":
            return self.environment.secret_key if caller.client.role == "service_role" else None
        assert caller.user is not None
        if caller.code == "jF":
            forged = replace(self.environment, jwt_secret="another secret, as long as it should be")
            return session_jwt(forged, caller.user)
        return session_jwt(self.environment, caller.user, **caller.claims)

    def ask_data_api(
        self,
        caller: Caller,
        method: str,
        path: str,
        body: object = None,
        **headers: str,
    ) -> Answered:
        bearer = self.minter.mint(caller.token.token_hash) if caller.token else self.bearer_of(caller)
        is_service = caller.client.role == "service_role"
        key = self.environment.secret_key if is_service else self.environment.publishable_key
        sent = {"apikey": key, **({"Authorization": f"Bearer {bearer}"} if bearer else {}), **headers}
        answer = self.data_api.request(method, f"/rest/v1/{path}", json=body, headers=sent)
        if method != "GET":
            self._note(path, answer)
        content = _json(answer)
        error = content if answer.is_error and isinstance(content, dict) else {}
        code = error.get("hint") if str(error.get("code")).startswith("PT") else error.get("code")
        return Answered(answer.status_code, code, error.get("message"), error.get("details"), content)

    def ask_api(self, caller: Caller, path: str, body: dict[str, Any]) -> Answered:
        bearer = self.bearer_of(caller)
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        if path == "/v1/submissions/upload":
            answer = self.api.post(path, data=body, files={"file": ("rows.csv", b"a\n1\n")}, headers=headers)
        else:
            answer = self.api.post(path, json=body, headers=headers)
        self._note(path, answer)
        content = _json(answer)
        error = content["error"] if answer.is_error else {}
        return Answered(
            answer.status_code, error.get("code"), error.get("message"), error.get("details"), content
        )

    def expect_others_unchanged(self, caller: Caller, row: str, report: Report) -> None:
        """Nothing outside the caller's org and company has changed since the previous caller."""
        if not self.done:
            return  # a refused request is one transaction that changed nothing
        self.done.clear()
        now = self.read_versions()
        changed = {
            (table, org_id, company_id)
            for table, org_id, company_id, _, _ in now ^ self.versions
            if _is_others(caller, org_id, company_id)
        }
        self.versions.clear()
        self.versions.update(now)
        report.expect(
            not changed,
            f"{caller.who} changed what is not its own with {row}: rows of "
            f"{sorted({str(c[0]) for c in changed})}.",
            row,
            caller.code,
        )

    def _note(self, path: str, answer: httpx.Response) -> None:
        if answer.is_success and not READS.search(path):
            self.done.add(path)

    def read_versions(self) -> set[tuple[str | None, ...]]:
        rows = self.world.connection.execute(self.query).fetchall()
        return {tuple(part if part is None else str(part) for part in row) for row in rows}


def _is_others(caller: Caller, org_id: str | None, company_id: str | None) -> bool:
    authority = caller.authority
    if authority is None or org_id != authority.org_id:
        return True
    return authority.company_id is not None and company_id not in (None, authority.company_id)


def _json(answer: httpx.Response) -> Any:  # noqa: ANN401
    try:
        return answer.json()
    except ValueError:
        return answer.text


@contextmanager
def http_world(environment: StackEnvironment, owner_columns: dict[str, str | None]) -> Iterator[HttpWorld]:
    with (
        connect(environment) as connection,
        loopback_server() as trigger,
        httpx.Client(base_url=environment.supabase_url, timeout=60, trust_env=False) as data_api,
    ):
        trigger.fallback = lambda _: Answer(503)
        known: dict[str, Any] = {name.lower(): value for name, value in environment.variables.items()}
        settings = Settings(_env_file=None, **known | {"trigger_api_url": trigger.url, "log_level": "ERROR"})
        with (
            served(create_app(settings)) as url,
            httpx.Client(base_url=url, timeout=60, trust_env=False) as api,
        ):
            world = create_world(connection, owner_columns)
            assert world.rows  # read before anything is sent
            callers = [caller for caller in world.callers if caller.code in CALLERS]
            key = SigningKey("HS256", environment.jwt_secret)
            minter = ContextJwtMinter(key, environment.jwt_issuer, environment.jwt_audience)
            query = every_row(connection, world.org_ids, "md5(to_jsonb(t)::text)")
            http = HttpWorld(
                world, environment, [*callers, *_bad_jwts(callers[0])], data_api, api, minter, query
            )
            http.versions.update(http.read_versions())
            yield http


def _bad_jwts(admin: Caller) -> list[Caller]:
    """Two invalid JWTs of the org_admin. Only a check of signature and expiry tells them from a valid one."""
    bad = replace(admin, authority=None)
    expired = {"exp": int(time.time()) - 60}
    return [
        replace(bad, code="jF", who="JWT of the org_admin with a forged signature", refusal="invalid_token"),
        replace(bad, code="jX", who="expired JWT of the org_admin", refusal="token_expired", claims=expired),
    ]
