"""Two orgs with things of every kind and state, so that requests can name existing ids."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.support.pipeline import INLINE, Json, Run, create_blueprint, publish_steps, verdict
from tests.support.sql_client import Client, Connection, owner, service, signed_in
from tests.support.tenants import Company, Org, Tenants, User, create_tenants, create_token, create_user

# For each field. The seeded ids are of every kind and state, and must not be outnumbered.
_MOST_LEARNED = 20
# For each company and final state. Some requests use a run up.
_RUNS_OF_A_KIND = 4

SECRETS = ["signing", "webhook_key"]

Ids = dict[str, list[str]]


@dataclass
class Belongings:
    """The ids of one org, by company (None: the whole org) and by the request field that names them.

    No user or token of a caller is among them, so a request may revoke everything that it finds here.
    """

    org: Org
    marker: str
    places: dict[str | None, Ids] = field(default_factory=dict)
    cursors: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _learned: dict[tuple[str | None, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def note(self, company_id: str | None, name: str, value: str) -> None:
        self.places.setdefault(company_id, {}).setdefault(name, []).append(value)

    def learn(self, company_id: str | None, name: str, value: str) -> None:
        """As `note`, for ids that requests create. The oldest are forgotten."""
        learned = self._learned[company_id, name]
        self.note(company_id, name, value)
        learned.append(value)
        if len(learned) > _MOST_LEARNED:
            self.places[company_id][name].remove(learned.pop(0))

    def learn_cursor(self, path: str, cursor: str) -> None:
        self.cursors[path] = [*self.cursors[path], cursor][-_MOST_LEARNED:]

    def values(self, name: str, company_id: str | None) -> list[str]:
        """The ids for a field. A caller without a company gets those of every company."""
        wanted = list(self.places) if company_id is None else [company_id, None]
        return [value for place in wanted for value in self.places.get(place, {}).get(name, [])]


@dataclass(frozen=True)
class World:
    connection: Connection = field(repr=False)
    own: Belongings
    other: Belongings

    def ids_of_other_org(self) -> frozenset[str]:
        return ids_of_org(self.connection, self.other.org) - ids_of_org(self.connection, self.own.org)

    def ids_of_own_org(self) -> frozenset[str]:
        return ids_of_org(self.connection, self.own.org) - ids_of_org(self.connection, self.other.org)


def ids_of_org(connection: Connection, org: Org) -> frozenset[str]:
    """Every UUID in every row of the org."""
    reader = owner(connection)
    columns = reader.rows(
        """
        select c.table_name, c.column_name
        from information_schema.columns as c
        join information_schema.columns as o
            on o.table_schema = c.table_schema and o.table_name = c.table_name and o.column_name = 'org_id'
        join information_schema.tables as t
            on t.table_schema = c.table_schema and t.table_name = c.table_name
        where c.table_schema = 'public' and c.data_type = 'uuid' and t.table_type = 'BASE TABLE'
        """
    )
    every = " union ".join(
        f'select "{column["column_name"]}"::text as id from public."{column["table_name"]}" '
        "where org_id = %(org_id)s"
        for column in columns
    )
    return frozenset(row["id"] for row in reader.rows(every, {"org_id": org.id}) if row["id"])


def create_world(connection: Connection) -> World:
    publish_steps(service(connection))
    tenants: Tenants = create_tenants(connection)
    own, other = (_fill(connection, org) for org in tenants)
    return World(connection, own, other)


def _fill(connection: Connection, org: Org) -> Belongings:
    belongings = Belongings(org, marker=f"marker-{uuid4().hex[:12]}")
    admin = signed_in(connection, org.admin)
    blueprints = [
        create_blueprint(admin, {"slug": INLINE}, {"slug": INLINE}, name=f"{number} {belongings.marker}")
        for number in range(3)
    ]
    for blueprint in blueprints:
        belongings.note(None, "blueprint_id", blueprint["id"])
    for name in SECRETS:
        admin.call("set_secret", name=name, value=belongings.marker)
    for number in range(_RUNS_OF_A_KIND):
        belongings.note(None, "api_token_id", create_token(connection, org.admin).id)
        invitation = admin.call(
            "create_invitation", email=f"{number}-{uuid4().hex}@example.com", role="org_admin"
        )
        belongings.note(None, "invitation_id", invitation["id"])
    for company in (org.first, org.second):
        _fill_company(connection, company, blueprints[0]["id"], belongings)
    return belongings


def _fill_company(
    connection: Connection, company: Company, blueprint_id: str, belongings: Belongings
) -> None:
    def note(name: str, value: str) -> None:
        belongings.note(company.id, name, value)

    note("company_id", company.id)
    company_admin = signed_in(connection, company.company_admin)
    spare = [company.other_member]
    spare += [
        create_user(connection, company.org_id, role, company.id) for role in ("company_admin", "member")
    ]
    for user in spare:
        note("user_id", user.id)
        note("actor_user_id", user.id)
        note("api_token_id", create_token(connection, user).id)
        invitation = company_admin.call(
            "create_invitation", email=f"{uuid4().hex}@example.com", role="member"
        )
        note("invitation_id", invitation["id"])
    note("actor_user_id", company.member.id)
    for end in (_leave_queued, _leave_running, _succeed, _succeed, _fail, _cancel):
        for _ in range(_RUNS_OF_A_KIND):
            run = _submit(connection, company.member, company, blueprint_id, belongings.marker)
            end(run, signed_in(connection, company.member))
            note("pipeline_run_id", run.id)
            note("submission_id", run.submission["id"])
            for result in run.pipeline_run["steps"]:
                note("step_result_id", result["id"])
    note("submission_id", _open_upload(connection, company, blueprint_id))


def _submit(connection: Connection, user: User, company: Company, blueprint_id: str, marker: str) -> Run:
    submitted = signed_in(connection, user).call(
        "create_submission",
        company_id=company.id,
        blueprint_id=blueprint_id,
        records=[{"name": marker, "n": number} for number in range(1, 6)],
        name=marker,
    )
    return Run(service(connection), submitted["pipeline_run"], submitted["submission"])


def _leave_queued(run: Run, member: Client) -> None:
    """No worker ever claims it."""


def _leave_running(run: Run, member: Client) -> None:
    run.take()
    run.start(1)


def _do_first_step(run: Run) -> None:
    run.take()
    run.start(1)
    kept: list[Json] = [{"id": str(number), "data": {"n": number}} for number in (1, 4, 5)]
    run.write(1, kept, rejected=[verdict(2)], dropped=[verdict(3)])
    run.on_step("finish_step", 1)


def _succeed(run: Run, member: Client) -> None:
    _do_first_step(run)
    run.pass_through(2)
    run.on_run("finish_pipeline_run")


def _fail(run: Run, member: Client) -> None:
    _do_first_step(run)
    run.start(2)
    run.on_step("fail_step", 2, error={"code": "broken", "message": "It is broken."})


def _cancel(run: Run, member: Client) -> None:
    _do_first_step(run)
    member.call("cancel_pipeline_run", pipeline_run_id=run.id)


def _open_upload(connection: Connection, company: Company, blueprint_id: str) -> str:
    member = signed_in(connection, company.member)
    upload: dict[str, Any] = member.call(
        "open_submission", company_id=company.id, blueprint_id=blueprint_id, source="csv"
    )
    return str(upload["submission"]["id"])
