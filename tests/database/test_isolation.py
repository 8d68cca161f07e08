"""Org and company isolation, swept over every tenant table that the catalogue knows.

Nobody outside may read, add, change or delete a row of a target tenant, whatever the verb answers: an error,
or silence without effect.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from tests.database.catalogue import Table, columns_granted, other_values
from tests.database.client import Client, Connection, anonymous, signed_in, with_token
from tests.database.pipeline import Run
from tests.database.populated import Target, populate
from tests.tenants import Org, Tenants, create_identity, create_token


@pytest.fixture
def populated(worker: Client, org: Org) -> Run:
    return populate(worker, org)


def foreigners(connection: Connection, tenants: Tenants) -> Iterator[Client]:
    for user in (tenants.other.admin, tenants.other.first.company_admin, tenants.other.first.member):
        yield signed_in(connection, user)
    yield with_token(connection, create_token(connection, tenants.other.admin))
    yield signed_in(connection, create_identity(connection, tenants.org.id))
    yield anonymous(connection)


def neighbours(connection: Connection, org: Org) -> Iterator[Client]:
    """People of the same org who belong to the other company."""
    yield signed_in(connection, org.second.company_admin)
    yield signed_in(connection, org.second.member)
    yield with_token(
        connection, create_token(connection, org.admin, role="company_admin", company_id=org.second.id)
    )


def attack(client: Client, target: Target) -> None:
    """Tries every verb on every column that `authenticated` holds. Asserts that nothing of the target shows,
    and that nothing of it has changed in the end."""
    before = target.fingerprint()
    for table in target.tables():
        readable = columns_granted(target.connection, table.name, "select")
        columns = sql.SQL(", ").join(map(sql.Identifier, readable))
        select = sql.SQL("select {} from {} where {}").format(columns, table.identifier, target.where(table))
        assert attempt(client, select) == 0, f"{table.name} can be read"
        # Without a condition, policies for select do not stand in the way of an update or delete.
        for column in columns_granted(target.connection, table.name, "update"):
            for value in other_values(target.connection, table.name, column):
                update = sql.SQL("update {} set {} = {}")
                attempt(client, update.format(table.identifier, sql.Identifier(column), sql.Literal(value)))
        attempt(client, sql.SQL("delete from {}").format(table.identifier))
        for row in before[table.name]:
            writable = columns_granted(target.connection, table.name, "insert") or list(row)
            attempt(client, copy_of(table, row, writable))
    assert target.fingerprint() == before, "rows were changed"


def attempt(client: Client, statement: sql.Composed) -> int:
    """How many rows the statement returned or touched; none when it was refused for what it wants."""
    try:
        return client.change(statement.as_string())
    except psycopg.Error as error:
        if error.sqlstate is None or not error.sqlstate.startswith(("42501", "PT", "23")):
            raise
        return 0


def copy_of(table: Table, row: dict[str, object], columns: list[str]) -> sql.Composed:
    """An insert of the same row, as far as clients may say what is in it."""
    statement = (
        "insert into {} ({}) overriding system value select {} from jsonb_populate_record(null::{}, {}) r"
    )
    return sql.SQL(statement).format(
        table.identifier,
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(sql.Identifier("r", column) for column in columns),
        table.identifier,
        sql.Literal(psycopg.types.json.Jsonb(row)),
    )


def test_the_sweep_has_something_to_find_in_every_table(
    connection: Connection, populated: Run, org: Org
) -> None:
    for target in (Target(connection, org.id), Target(connection, org.id, org.first.id)):
        empty = [name for name, rows in target.fingerprint().items() if not rows]
        assert empty == [], "populate() puts nothing in these tables"


def test_the_rightful_admin_sees_every_row_that_the_sweep_looks_for(
    connection: Connection, populated: Run, org: Org
) -> None:
    target = Target(connection, org.id)
    admin = signed_in(connection, org.admin)
    for table in target.tables():
        count = sql.SQL("select count(*) from {} where {}").format(table.identifier, target.where(table))
        assert admin.value(count.as_string()) == len(target.rows(table)), table.name


def test_nobody_outside_the_org_reads_or_changes_any_row(
    connection: Connection, populated: Run, tenants: Tenants
) -> None:
    for client in foreigners(connection, tenants):
        attack(client, Target(connection, tenants.org.id))


def test_nobody_of_another_company_reads_or_changes_any_row(
    connection: Connection, populated: Run, org: Org
) -> None:
    for client in neighbours(connection, org):
        attack(client, Target(connection, org.id, org.first.id))


@pytest.mark.parametrize(
    "hole",
    [
        "create policy hole on public.submissions for select to authenticated using (true)",
        "grant delete on public.secrets to authenticated;"
        "create policy hole on public.secrets for delete to authenticated using (true)",
        "create policy hole on public.blueprints for update to authenticated using (true)",
        "alter table public.api_tokens disable row level security",
        "grant insert (org_id) on public.companies to authenticated;"
        "create policy hole on public.companies for insert to authenticated with check (true)",
    ],
)
def test_the_sweep_fails_when_there_is_a_hole(
    connection: Connection, postgres: Client, populated: Run, tenants: Tenants, hole: str
) -> None:
    postgres.change(hole)
    with pytest.raises(AssertionError):
        attack(signed_in(connection, tenants.other.admin), Target(connection, tenants.org.id))


def test_no_rpc_finds_anything_of_another_org_or_company(
    connection: Connection, populated: Run, tenants: Tenants
) -> None:
    outsiders = [
        signed_in(connection, tenants.other.admin),
        *(signed_in(connection, user) for user in tenants.org.second.users),
    ]
    run, submission = populated.id, populated.submission["id"]
    company, step_result = tenants.org.first.id, populated.step_id(1)
    user = tenants.org.first.member.id
    admin = signed_in(connection, tenants.org.admin)
    invitation = admin.call("list_invitations")["items"][0]["id"]
    calls = {
        "company_not_found": [
            ("get_company", {"company_id": company}),
            ("create_invitation", {"email": "x@example.com", "role": "member", "company_id": company}),
        ],
        "user_not_found": [
            ("get_user", {"user_id": user}),
            ("update_user", {"user_id": user, "full_name": "x"}),
            ("deactivate_user", {"user_id": user}),
            ("reactivate_user", {"user_id": user}),
        ],
        "invitation_not_found": [
            ("revoke_invitation", {"invitation_id": invitation}),
            ("resend_invitation", {"invitation_id": invitation}),
            ("mark_invitation_sent", {"invitation_id": invitation}),
        ],
        "submission_not_found": [
            ("get_submission", {"submission_id": submission}),
            ("create_pipeline_run", {"submission_id": submission}),
            ("finalize_submission", {"submission_id": submission}),
            ("append_submission_chunk", {"submission_id": submission, "chunk_index": 0, "records": []}),
        ],
        "pipeline_run_not_found": [
            ("get_pipeline_run", {"pipeline_run_id": run}),
            ("cancel_pipeline_run", {"pipeline_run_id": run}),
            ("mark_pipeline_run_dispatched", {"pipeline_run_id": run, "trigger_run_id": "run_mine"}),
            ("list_pipeline_run_records", {"pipeline_run_id": run}),
            ("list_pipeline_run_fields", {"pipeline_run_id": run}),
            ("list_step_results", {"pipeline_run_id": run}),
        ],
        "step_result_not_found": [
            ("get_step_result", {"step_result_id": step_result}),
            ("list_step_result_records", {"step_result_id": step_result}),
        ],
    }
    for outsider in outsiders:
        for code, attempts in calls.items():
            for function, arguments in attempts:
                assert_not_found(outsider, code, function, arguments)
        for listing in ("list_submissions", "list_pipeline_runs", "list_users"):
            assert outsider.call(listing, company_id=company)["items"] == []


def assert_not_found(client: Client, code: str, function: str, arguments: dict[str, object]) -> None:
    with pytest.raises(psycopg.Error) as caught:
        client.call(function, **arguments)
    assert (caught.value.sqlstate, caught.value.diag.message_hint) == ("PT404", code), function


def test_blueprints_of_another_org_do_not_exist(
    connection: Connection, populated: Run, tenants: Tenants
) -> None:
    blueprint = populated.pipeline_run["blueprint_id"]
    admin = signed_in(connection, tenants.other.admin)
    assert_not_found(admin, "blueprint_not_found", "get_blueprint", {"blueprint_id": blueprint})
    assert_not_found(
        admin, "blueprint_not_found", "update_blueprint", {"blueprint_id": blueprint, "name": "x"}
    )
    arguments = {"company_id": tenants.other.first.id, "blueprint_id": blueprint, "records": [{"name": "x"}]}
    assert_not_found(admin, "blueprint_not_found", "create_submission", arguments)
