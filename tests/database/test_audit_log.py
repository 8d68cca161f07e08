"""The audit log names who acted, and nobody takes an entry back."""

from __future__ import annotations

import pytest
from psycopg import errors

from tests.database.audit import actor, entries, last_id
from tests.database.populated import populate
from tests.support.pipeline import create_run
from tests.support.sql_client import (
    Client,
    Connection,
    anonymous,
    denied,
    refused,
    service,
    set_headers,
    signed_in,
    violates,
    with_token,
)
from tests.support.tenants import Company, Org, Tenants, create_company, create_org, create_token


def create_named(client: Client, name: str = "Named") -> None:
    client.call("create_company", name=name)


def test_a_session_is_named_by_its_user(connection: Connection, postgres: Client, org: Org) -> None:
    before = last_id(postgres)
    create_named(signed_in(connection, org.admin, user_metadata={"email": "forged@example.com"}))
    (entry,) = entries(postgres, org.id, after_id=before)
    assert actor(entry) == ("user", org.admin.id, None, org.admin.email)


def test_an_api_token_is_named_with_the_user_behind_it(
    connection: Connection, postgres: Client, org: Org
) -> None:
    token = create_token(connection, org.admin)
    before = last_id(postgres)
    create_named(with_token(connection, token))
    (entry,) = entries(postgres, org.id, after_id=before)
    assert actor(entry) == ("api_token", org.admin.id, token.id, "integration")


def test_a_token_that_revokes_itself_is_still_named(
    connection: Connection, postgres: Client, org: Org
) -> None:
    token = create_token(connection, org.admin)
    before = last_id(postgres)
    itself = with_token(connection, token)
    statement = "update public.api_tokens set revoked_at = now() where id = %(id)s"
    assert itself.change(statement, {"id": token.id}) == 1
    (entry,) = entries(postgres, org.id, after_id=before)
    assert (actor(entry)[2], entry["action"], set(entry["after"])) == (token.id, "updated", {"revoked_at"})


def test_an_operator_is_named_by_its_login(connection: Connection, postgres: Client, org: Org) -> None:
    before = last_id(postgres)
    create_company(connection, org.id, "By hand")
    companies = entries(postgres, org.id, "companies", after_id=before)
    assert [actor(entry) for entry in companies] == [("operator", None, None, "postgres")]


def test_a_worker_is_named_by_the_trigger_run_that_shows_its_claim(
    postgres: Client, worker: Client, org: Org, company: Company
) -> None:
    run = create_run(worker, org, company)
    before = last_id(postgres)
    run.take("run_first")
    # This is another request than the claim: the settings of that transaction are gone.
    postgres.value("select set_config('private.trigger_run_id', '', true)")
    run.on_run("fail_pipeline_run", error={"code": "internal_error", "message": "No."})
    found = entries(postgres, org.id, after_id=before)
    assert [actor(entry) for entry in found] == [("worker", None, None, "run_first")] * 2


def test_a_worker_that_has_shown_no_claim_is_just_a_worker(
    postgres: Client, worker: Client, org: Org, company: Company
) -> None:
    run = create_run(worker, org, company)
    before = last_id(postgres)
    postgres.connection.execute("alter table public.pipeline_runs disable trigger pipeline_runs_guard")
    postgres.change(
        "update public.pipeline_runs "
        "set status = 'running', claim_id = gen_random_uuid(), restart_count = 5, "
        "lease_expires_at = now() - interval '1 hour', dispatched_at = now() - interval '2 hours' "
        "where id = %(id)s",
        {"id": run.id},
    )
    postgres.connection.execute("alter table public.pipeline_runs enable trigger pipeline_runs_guard")
    assert worker.call("worker.reconcile_pipeline_runs", limit=None)["failed"] >= 1
    entry = entries(postgres, org.id, "pipeline_runs", after_id=before)[-1]
    assert (actor(entry), entry["after"]["status"]) == (("worker", None, None, "worker"), "failed")


@pytest.mark.parametrize("role_claim", ["service_role", "postgres", "supabase_auth_admin"])
def test_no_claim_turns_a_user_into_another_actor(
    connection: Connection, postgres: Client, org: Org, role_claim: str
) -> None:
    before = last_id(postgres)
    create_named(signed_in(connection, org.admin, role=role_claim, email="forged@example.com"))
    (entry,) = entries(postgres, org.id, after_id=before)
    assert actor(entry) == ("user", org.admin.id, None, org.admin.email)


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({"x-request-id": "0b6ad1d2c8c44f7f"}, "0b6ad1d2c8c44f7f"),
        ({"x-request-id": "A.b_c-9" * 9}, "A.b_c-9" * 9),
        ({"x-request-id": "x" * 65}, None),
        ({"x-request-id": "x" * 7}, None),
        ({"x-request-id": "two lines\nof a log"}, None),
        ({"x-request-id": "x" * 8 + "\n"}, None),
        ({"x-request-id": ""}, None),
        ({"accept": "*/*"}, None),
        (None, None),
    ],
)
def test_a_request_id_is_kept_if_it_is_valid(
    connection: Connection, postgres: Client, org: Org, headers: dict[str, str] | None, kept: str | None
) -> None:
    before = last_id(postgres)
    set_headers(connection, headers)
    create_named(signed_in(connection, org.admin))
    assert [entry["request_id"] for entry in entries(postgres, org.id, after_id=before)] == [kept]


STATEMENTS = [
    "update public.audit_log set actor_name = 'somebody else'",
    "update public.audit_log set after = null where id = (select max(id) from public.audit_log)",
    "delete from public.audit_log",
    "truncate public.audit_log",
    "truncate public.orgs cascade",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_nobody_takes_an_entry_back_not_even_an_operator(
    connection: Connection, postgres: Client, org: Org, statement: str
) -> None:
    before = entries(postgres, org.id)
    assert before
    with refused(409, "immutable"):
        postgres.change(statement)
    for client in (signed_in(connection, org.admin), service(connection), anonymous(connection)):
        with denied():
            client.change(statement)
    assert entries(postgres, org.id) == before


def test_the_log_stays_append_only_while_other_triggers_are_off(postgres: Client) -> None:
    enabled = postgres.value(
        "select array_agg(tgenabled::text) from pg_trigger "
        "where tgname in ('audit_log_append_only', 'audit_log_retained')"
    )
    assert enabled == ["A", "A"]


def test_the_reconciler_deletes_entries_after_the_days_that_operators_set(
    postgres: Client, worker: Client, tenants: Tenants
) -> None:
    org = tenants.other
    postgres.change(
        "insert into private.org_limits (org_id, name, value) values (%(org)s, 'audit_log_days', 40)",
        {"org": org.id},
    )
    for action, days in (("old", 41), ("kept", 39)):
        postgres.change(
            "insert into public.audit_log (org_id, actor_type, action, entity, occurred_at) "
            "values (%(org)s, 'operator', %(action)s, 'orgs', now() - make_interval(days => %(days)s))",
            {"org": org.id, "action": action, "days": days},
        )
    worker.call("worker.reconcile_pipeline_runs")
    kept = {entry["action"] for entry in entries(postgres, org.id)}
    assert "kept" in kept
    assert "old" not in kept


def test_entries_are_kept_for_thirty_days_at_least(postgres: Client, org: Org) -> None:
    with violates(errors.CheckViolation):
        postgres.change(
            "insert into private.org_limits (org_id, name, value) values (%(org)s, 'audit_log_days', 29)",
            {"org": org.id},
        )


def test_no_client_writes_an_entry(connection: Connection, postgres: Client, org: Org) -> None:
    before = entries(postgres, org.id)
    statement = (
        "insert into public.audit_log (org_id, actor_type, action, entity) "
        f"values ('{org.id}', 'operator', 'created', 'companies')"
    )
    write = (
        "select private.write_audit("
        f"'{org.id}', null, 'created', 'companies', null, null::jsonb, null::jsonb)"
    )
    for client in (signed_in(connection, org.admin), service(connection), anonymous(connection)):
        for attempted in (statement, write):
            with denied():
                client.change(attempted)
    assert entries(postgres, org.id) == before


def test_no_entry_holds_a_hash_a_secret_or_a_claim(
    connection: Connection, postgres: Client, worker: Client
) -> None:
    org = create_org(connection)
    run = populate(worker, org)
    admin = signed_in(connection, org.admin)
    for value in ("hunter2-first", "hunter2-second"):
        admin.call("set_secret", name="crm", value=value)
    admin.call("delete_secret", name="crm")
    token = create_token(connection, org.admin)
    admin.call("revoke_api_token", api_token_id=token.id)
    postgres.change("delete from public.api_tokens where id = %(id)s", {"id": token.id})
    hashes = postgres.rows("select token_hash from public.api_tokens")
    secret_values = ["hunter2", "topsecret", token.secret, token.token_hash, run.claim_id]
    everything = "\n".join(
        row["text"] for row in postgres.rows("select to_jsonb(a)::text as text from public.audit_log a")
    )
    assert token.id in everything
    for value in (*secret_values, *(row["token_hash"] for row in hashes)):
        assert value not in everything
