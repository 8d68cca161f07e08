"""A tenant with rows in every table, and a fingerprint that shows whether any of them changed."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from tests.database.catalogue import Table, tenant_tables
from tests.support.pipeline import Run, create_run, records, verdict
from tests.support.sql_client import Client, Connection, owner, signed_in
from tests.support.tenants import Org, create_token


@dataclass(frozen=True)
class Target:
    """The rows that an attacker is after: those of one company, or of a whole org, in every table."""

    connection: Connection
    org_id: str
    company_id: str | None = None

    def tables(self) -> list[Table]:
        tables = tenant_tables(self.connection)
        return [table for table in tables if self.company_id is None or table.company_column]

    def where(self, table: Table) -> sql.Composed:
        """The condition that selects the target's rows."""
        if self.company_id is None:
            return sql.SQL("{} = {}").format(sql.Identifier(table.org_column), sql.Literal(self.org_id))
        assert table.company_column
        return sql.SQL("{} = {}").format(sql.Identifier(table.company_column), sql.Literal(self.company_id))

    def rows(self, table: Table) -> list[dict[str, object]]:
        statement = sql.SQL("select to_jsonb(t) as row from {} t where {} order by to_jsonb(t)::text").format(
            table.identifier, self.where(table)
        )
        return [row["row"] for row in owner(self.connection).rows(statement.as_string())]

    def fingerprint(self) -> dict[str, list[dict[str, object]]]:
        return {table.name: self.rows(table) for table in self.tables()}


def populate(worker: Client, org: Org) -> Run:
    """Creates a finished run with rejects and drops, an open upload, tokens, invitations and a secret."""
    connection = worker.connection
    create_token(connection, org.admin)
    create_token(connection, org.first.company_admin)
    admin = signed_in(connection, org.admin)
    admin.call("set_secret", name="signing", value="topsecret")
    admin.call("create_invitation", email="grace@example.com", role="org_admin")
    admin.call("create_invitation", email="alan@example.com", role="member", company_id=org.first.id)
    run = create_run(worker, org, org.first)
    run.take()
    run.start(1)
    run.write(1, records(1), rejected=[verdict(2)], dropped=[verdict(3)])
    run.on_step("finish_step", 1)
    run.pass_through(2)
    run.on_run("finish_pipeline_run")
    member = signed_in(connection, org.first.member)
    upload = member.call(
        "open_submission",
        company_id=org.first.id,
        blueprint_id=run.pipeline_run["blueprint_id"],
        source="csv",
    )
    member.call(
        "append_submission_chunk",
        submission_id=upload["submission"]["id"],
        chunk_index=0,
        records=records(1),
        rejected=[verdict(2, "malformed_row")],
    )
    create_run(worker, org, org.first)
    return run
