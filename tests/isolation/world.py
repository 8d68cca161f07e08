"""Two orgs with two companies each, every kind of caller, and rows in every table for every scope.

Every row carries the marker of its scope, so that a stray answer shows whose it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from uuid import uuid4

from tests.isolation import attempts
from tests.isolation.callers import Caller, create_callers
from tests.isolation.catalogue import Table, exposed_tables, rows_of
from tests.isolation.reach import Row
from tests.support.pipeline import Run, create_blueprint, publish_steps, verdict
from tests.support.sql_client import Client, Connection, owner, service, signed_in
from tests.support.tenants import Company, Org, Tenants, User, create_identity, create_tenants, create_token

Scope = tuple[str, str | None]


@dataclass(frozen=True)
class World:
    connection: Connection
    tenants: Tenants
    callers: list[Caller]
    owner_columns: dict[str, str | None]
    marker: str

    @cached_property
    def tables(self) -> list[Table]:
        return exposed_tables(self.connection)

    @cached_property
    def rows(self) -> dict[str, list[Row]]:
        return {
            table.name: rows_of(self.connection, table, self.owner_columns.get(table.name), self.org_ids)
            for table in self.tables
        }

    def samples(self, table: str) -> list[Row]:
        """One row of each kind: rows alike in scope, owner and state behave alike."""
        states = (
            "submission_id",
            "status",
            "role",
            "step_result_id",
            "accepted_at",
            "revoked_at",
            "deactivated_at",
        )
        kinds = {
            (row.scope, row.owner_id, *(str(row.values.get(state)) for state in states)): row
            for row in self.rows[table]
        }
        return list(kinds.values())

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)

    @property
    def org_ids(self) -> list[str]:
        return [org.id for org in self.tenants]

    @property
    def scopes(self) -> list[Scope]:
        """Every company, and every org as a whole."""
        return [
            (org.id, company_id) for org in self.tenants for company_id in (None, org.first.id, org.second.id)
        ]

    def marker_of(self, scope: Scope) -> str:
        return f"{self.marker}-{self.scopes.index(scope)}"

    def describe(self, row: Row) -> str:
        """A row's scope and owner, in words that are the same in every world."""
        people = {user.id: user.email.partition("-")[0] for org in self.tenants for user in org.users}
        names = {company.id: company.name for org in self.tenants for company in (org.first, org.second)}
        orgs = {org.id: org.name for org in self.tenants}
        place = names.get(row.company_id or "") or f"{orgs.get(row.org_id or '', 'no org')} as a whole"
        return f"of {place}" + (f", owned by {people.get(row.owner_id, 'another')}" if row.owner_id else "")

    @property
    def valid_callers(self) -> list[Caller]:
        return [caller for caller in self.callers if caller.authority]


@contextmanager
def passing_world(connection: Connection, owner_columns: dict[str, str | None]) -> Iterator[World]:
    """A world for the sweeps in SQL. It is gone when the block ends."""
    with connection.transaction(force_rollback=True):
        # A request checks these constraints when it commits; here none commits.
        connection.execute("set constraints all immediate")
        world = create_world(connection, owner_columns)
        attempts.prepare(connection, world.org_ids)
        yield world


def create_world(connection: Connection, owner_columns: dict[str, str | None]) -> World:
    publish_steps(service(connection))
    tenants = create_tenants(connection)
    world = World(
        connection=connection,
        tenants=tenants,
        callers=create_callers(connection, tenants),
        owner_columns=owner_columns,
        marker=f"marker-{uuid4().hex[:12]}",
    )
    for org in tenants:
        _populate(world, org)
    return world


def _populate(world: World, org: Org) -> None:
    marker = world.marker_of((org.id, None))
    admin = signed_in(world.connection, org.admin)
    create_token(world.connection, org.admin)
    for company in (org.first, org.second):
        create_token(world.connection, org.admin, role="member", company_id=company.id)
    # One name that both orgs have, and one that only this org has.
    admin.call("set_secret", name="signing", value=marker)
    admin.call("set_secret", name=f"only_of_{'a' if org is world.tenants.org else 'b'}", value=marker)
    admin.call("create_invitation", email="admin@example.com", role="org_admin", full_name=marker)
    owner(world.connection).change(
        """
        insert into public.invitations (org_id, email, role, invited_by, created_at, expires_at)
        values (%(org)s, %(email)s, 'org_admin', %(admin)s, '2020-01-01', '2020-01-02')
        """,
        {"org": org.id, "email": f"late-{org.slug}@example.com", "admin": org.admin.id},
    )
    admin.call("create_blueprint", name=f"Spare {marker}", steps=[{"slug": "testing-inline"}])
    blueprint = create_blueprint(admin, name=f"Used {marker}")
    for company in (org.first, org.second):
        _populate_company(world, company, blueprint["id"])


def _populate_company(world: World, company: Company, blueprint_id: str) -> None:
    """A finished run, a failed run and its retries; for two members each a queued run and an open upload."""
    marker = world.marker_of((company.org_id, company.id))
    company_admin = signed_in(world.connection, company.company_admin)
    for user in company.users:
        create_token(world.connection, user)
    for role in ("member", "company_admin"):
        company_admin.call(
            "create_invitation", email=f"{role}-{uuid4().hex}@example.com", role=role, full_name=marker
        )
    newcomer = create_identity(world.connection, company.org_id)
    company_admin.call("create_invitation", email=newcomer.email, role="member", full_name=marker)
    signed_in(world.connection, newcomer).call("accept_invitation")
    finished = _submit(world, company, company.member, blueprint_id)
    finished.take()
    finished.start(1)
    kept = [{"id": "1", "data": {"name": marker}}]
    finished.write(1, kept, rejected=[verdict(2)], dropped=[verdict(3, message=marker)])
    finished.on_step("finish_step", 1)
    finished.pass_through(2)
    finished.on_run("finish_pipeline_run")
    failed = _submit(world, company, company.member, blueprint_id)
    failed.take()
    failed.start(1)
    failed.write(1, kept, rejected=[verdict(2)], dropped=[verdict(3, message=marker)])
    failed.on_step("fail_step", 1, error={"code": "broken", "message": marker})
    _retry(world, company, blueprint_id)
    for user in (company.member, company.other_member):
        _submit(world, company, user, blueprint_id)
        _open_upload(signed_in(world.connection, user), company.id, blueprint_id, marker)


def _retry(world: World, company: Company, blueprint_id: str) -> None:
    """A run that was cancelled in its second step, its retry, and a retry of its rejected records."""
    member = signed_in(world.connection, company.member)
    cancelled = _submit(world, company, company.member, blueprint_id)
    cancelled.take()
    cancelled.start(1)
    kept = [{"id": str(number), "data": {}} for number in (1, 3)]
    cancelled.write(1, kept, rejected=[verdict(2)])
    cancelled.on_step("finish_step", 1)
    cancelled.start(2)
    member.call("cancel_pipeline_run", pipeline_run_id=cancelled.id)
    member.call("retry_rejected_records", pipeline_run_id=cancelled.id)
    member.call("retry_pipeline_run", pipeline_run_id=cancelled.id)


def _submit(world: World, company: Company, user: User, blueprint_id: str) -> Run:
    marker = world.marker_of((company.org_id, company.id))
    submitted = signed_in(world.connection, user).call(
        "create_submission",
        company_id=company.id,
        blueprint_id=blueprint_id,
        records=[{"name": marker, "n": number} for number in range(1, 4)],
        name=marker,
    )
    return Run(service(world.connection), submitted["pipeline_run"], submitted["submission"])


def _open_upload(client: Client, company_id: str, blueprint_id: str, marker: str) -> None:
    upload = client.call(
        "open_submission", company_id=company_id, blueprint_id=blueprint_id, source="csv", name=marker
    )
    client.call(
        "append_submission_chunk",
        submission_id=upload["submission"]["id"],
        chunk_index=0,
        records=[{"id": "1", "data": {"name": marker}}],
        rejected=[verdict(2, "malformed_row", message=marker)],
    )
