"""Who may read the audit log, and how the list is filtered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.database.audit import entries, last_id, told
from tests.database.populated import populate
from tests.support.pipeline import Run
from tests.support.sql_client import (
    Client,
    Connection,
    anonymous,
    denied,
    owner,
    refused,
    service,
    signed_in,
    with_token,
)
from tests.support.tenants import Org, Tenants, create_org, create_token, create_user


def test_org_admins_read_all_of_their_own_org_and_nothing_else(
    connection: Connection, postgres: Client, worker: Client, tenants: Tenants
) -> None:
    for org in tenants:
        populate(worker, org)
    for org in tenants:
        whole = [entry["id"] for entry in entries(postgres, org.id)]
        token = with_token(connection, create_token(connection, org.admin))
        whole.append(last_id(postgres))
        for admin in (signed_in(connection, org.admin), token):
            assert [row["id"] for row in admin.rows("select id from public.audit_log order by id")] == whole
        listed = signed_in(connection, org.admin).call("list_audit_log", limit=200)["items"]
        assert [item["id"] for item in listed] == whole[: -len(listed) - 1 : -1]


def test_nobody_else_reads_the_log(connection: Connection, worker: Client, org: Org) -> None:
    populate(worker, org)
    narrowed = [
        create_token(connection, org.admin, role="company_admin", company_id=org.first.id),
        create_token(connection, org.admin, role="member", company_id=org.first.id),
    ]
    people = [signed_in(connection, user) for user in (*org.first.users, *org.second.users)]
    for client in (*people, *(with_token(connection, token) for token in narrowed)):
        assert client.rows("select * from public.audit_log") == []
        with refused(403, "forbidden"):
            client.call("list_audit_log")
    for client in (anonymous(connection), service(connection)):
        with denied():
            client.rows("select * from public.audit_log")
        with denied():
            client.call("list_audit_log")


def test_an_admin_who_is_no_longer_one_reads_nothing(connection: Connection, postgres: Client) -> None:
    org = create_org(connection)
    revoked = create_token(connection, org.admin)
    session, token = signed_in(connection, org.admin), with_token(connection, revoked)
    endings = {
        "update public.api_tokens set revoked_at = now()": (token, 401, "api_token_revoked"),
        "update public.users set role = 'member', company_id = %(company)s": (session, 403, "forbidden"),
        "update public.users set deactivated_at = now()": (session, 403, "user_deactivated"),
        "update public.orgs set disabled_at = now()": (session, 403, "org_disabled"),
    }
    for change, (client, status, code) in endings.items():
        assert client.rows("select from public.audit_log")
        where = "id" if "orgs" in change else "org_id"
        with connection.transaction(force_rollback=True):
            # The last org_admin cannot leave, so there is another one.
            create_user(connection, org.id, "org_admin")
            postgres.change(
                f"{change} where {where} = %(org)s and id in (%(org)s, %(user)s, %(token)s)",
                {"org": org.id, "company": org.first.id, "user": org.admin.id, "token": revoked.id},
            )
            assert client.rows("select from public.audit_log") == []
            with refused(status, code):
                client.call("list_audit_log")


@pytest.fixture
def told_run(connection: Connection, worker: Client) -> tuple[Org, Run]:
    org = create_org(connection)
    return org, populate(worker, org)


def listed(client: Client, **arguments: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    items: list[dict[str, Any]] = client.call("list_audit_log", limit=200, **arguments)["items"]
    return items


def test_the_list_is_filtered_by_entity_and_actor(connection: Connection, told_run: tuple[Org, Run]) -> None:
    org, run = told_run
    admin = signed_in(connection, org.admin)
    of_run = listed(admin, entity="pipeline_runs", entity_id=run.id)
    assert [item["after"].get("status") for item in of_run] == ["succeeded", "running", "queued"]
    assert {(item["entity"], item["entity_id"], item["company_id"]) for item in of_run} == {
        ("pipeline_runs", run.id, org.first.id)
    }
    of_member = listed(admin, actor_user_id=org.first.member.id)
    assert {item["actor"]["user_id"] for item in of_member} == {org.first.member.id}
    assert {item["entity"] for item in of_member} == {"submissions", "pipeline_runs"}
    assert listed(admin, entity="no_such_table") == []
    assert len(listed(admin)) > len(of_run) + len(of_member)


def test_the_list_is_filtered_by_time(connection: Connection, told_run: tuple[Org, Run]) -> None:
    org, _ = told_run
    admin = signed_in(connection, org.admin)
    # A test is one transaction, so all of its entries have the same time.
    moment = owner(connection).value("select now()")
    later = moment + timedelta(microseconds=1)
    assert len(listed(admin, since=moment)) == len(listed(admin)) > 0
    assert listed(admin, since=later) == []
    assert listed(admin, until=moment) == []
    assert len(listed(admin, since=moment, until=later)) == len(listed(admin))


def test_an_entry_shows_all_of_its_fields(connection: Connection, told_run: tuple[Org, Run]) -> None:
    org, _ = told_run
    (item,) = listed(signed_in(connection, org.admin), entity="orgs")
    assert set(item) == {
        "id", "org_id", "company_id", "occurred_at", "actor", "action", "entity", "entity_id", "before",
        "after", "request_id",
    }  # fmt: skip
    assert set(item["actor"]) == {"type", "user_id", "api_token_id", "name"}
    assert told([item]) == [("orgs", "created")]


@pytest.mark.parametrize("entity", [None, "companies"])
def test_the_entries_of_one_thing_are_found_among_many(
    connection: Connection, postgres: Client, org: Org, entity: str | None
) -> None:
    admin = signed_in(connection, org.admin)
    company = admin.call("create_company", name="Needle")
    postgres.change(
        "insert into public.audit_log (org_id, actor_type, actor_name, action, entity, entity_id) "
        "select %(id)s, 'worker', 'worker', 'updated', 'companies', n from generate_series(1, 3000) n",
        {"id": org.id},
    )
    postgres.change("analyze public.audit_log")
    read = "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relname = 'audit_log'"
    before = postgres.value(read)
    (entry,) = admin.call("list_audit_log", entity=entity, entity_id=company["id"])["items"]
    assert entry["action"] == "created"
    assert postgres.value(read) - before < 100
