"""A client that writes straight into a table, past the RPCs, must not spoil the lists that others read.

The API reads lists into typed models: one value that a model cannot hold would close the list to everybody.
"""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import errors

from api.auth.api_token import generate_api_token
from tests.support.pipeline import create_blueprint
from tests.support.sql_client import Client, Connection, denied, refused, signed_in, violates
from tests.support.tenants import Company, Org


@pytest.fixture
def upload(connection: Connection, worker: Client, member: Client, org: Org, company: Company) -> str:
    blueprint = create_blueprint(signed_in(connection, org.admin))
    opened = member.call("open_submission", company_id=company.id, blueprint_id=blueprint["id"], source="csv")
    return str(opened["submission"]["id"])


@pytest.mark.parametrize(
    "fields", [["a", None], [["a", "b"], ["c", "d"]], ["x"] * 2_001, ["x" * 256], ["x" * 255] * 258]
)
def test_fields_are_a_list_of_names(member: Client, upload: str, fields: list[Any]) -> None:
    with violates(errors.CheckViolation):
        member.change("update public.submissions set fields = %(fields)s", {"fields": fields})


def test_fields_may_be_none_or_many(member: Client, upload: str) -> None:
    for fields in ([], ["x"] * 2_000, ["x" * 255] * 257):
        assert member.change("update public.submissions set fields = %(fields)s", {"fields": fields}) == 1


@pytest.mark.parametrize("expiry", ["infinity", "-infinity", "10000-01-01", "1999-01-01", "0044-03-15 BC"])
def test_a_tokens_expiry_is_a_time_that_clients_can_read(
    connection: Connection, company: Company, expiry: str
) -> None:
    generated = generate_api_token()
    with violates(errors.CheckViolation):
        signed_in(connection, company.company_admin).change(
            "insert into public.api_tokens (company_id, name, token_hash, prefix, role, expires_at) "
            "values (%(company)s, 'x', %(hash)s, %(prefix)s, 'member', %(expiry)s)",
            {
                "company": company.id,
                "hash": generated.token_hash,
                "prefix": generated.prefix,
                "expiry": expiry,
            },
        )


@pytest.mark.parametrize(
    "change",
    [
        {"details": "[]"},
        {"details": '"text"'},
        {"data": "[]"},
        {"data": "null"},
        {"reason": "Not A Code"},
        {"message": "x" * 10_001},
        {"record_id": ""},
        {"record_id": "x" * 101},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_reject_has_the_form_that_lists_show(member: Client, upload: str, change: dict[str, str]) -> None:
    given = {"record_id": "1", "reason": "bad", "message": "Bad.", "details": "{}", "data": "{}"} | change
    statement = """
        insert into public.rejected_records
            (submission_id, chunk_index, record_id, reason, message, details, data)
        values (%(id)s, 0, %(record_id)s, %(reason)s, %(message)s, %(details)s, %(data)s)
    """
    with violates(errors.CheckViolation):
        member.change(statement, {"id": upload, **given})


@pytest.mark.parametrize(
    "statement",
    [
        "insert into public.secrets (name, value) values ('a', 'b') "
        "on conflict (org_id, name) do update set name = 'c'",
        "insert into public.companies (name) values ('a') "
        "on conflict (org_id, external_id) do update set name = 'b'",
        "insert into public.submissions (id, company_id) values (gen_random_uuid(), gen_random_uuid())",
        "insert into public.pipeline_runs (id, submission_id) values (gen_random_uuid(), gen_random_uuid())",
        "insert into public.blueprints (org_id, name) values (gen_random_uuid(), 'x')",
        "insert into public.blueprint_steps (org_id, position) values (gen_random_uuid(), 1)",
        "insert into public.rejected_records (step_result_id, reason) values (gen_random_uuid(), 'x')",
        "insert into public.rejected_records (org_id, submission_id) values (gen_random_uuid(), null)",
        "insert into public.submission_chunks (submission_id, record_count) values (gen_random_uuid(), 9)",
        "insert into public.api_tokens (user_id, name) values (gen_random_uuid(), 'x')",
        "insert into public.users (id, role) values (gen_random_uuid(), 'org_admin')",
        "truncate public.submissions",
        "lock table public.submissions",
        "create table public.mine (id int)",
        "create function public.mine() returns int language sql as 'select 1'",
        "create policy mine on public.submissions using (true)",
        "alter table public.submissions disable row level security",
        "select * from private.idempotency_keys",
    ],
)
def test_even_an_org_admin_writes_no_further_than_its_columns(
    connection: Connection, org: Org, statement: str
) -> None:
    with denied():
        signed_in(connection, org.admin).change(statement)


def test_a_chunk_of_an_absent_submission_is_not_found(connection: Connection, org: Org) -> None:
    insert = "insert into public.submission_chunks (submission_id, chunk_index, records) values "
    with refused(404, "submission_not_found"):
        signed_in(connection, org.admin).change(insert + "(gen_random_uuid(), 0, '[]')")
