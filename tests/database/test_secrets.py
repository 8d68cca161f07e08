"""Secrets: an org_admin sets them, and only a running step that names one reads it."""

from __future__ import annotations

import pytest
from psycopg import errors

from tests.support.pipeline import INLINE, OUTSIDE, create_run
from tests.support.sql_client import Client, Connection, denied, refused, signed_in, violates, with_token
from tests.support.tenants import Company, Org, Tenants, create_token

SIGNED = {"slug": OUTSIDE, "config": {"secret_name": "signing"}}


def set_secret(client: Client, name: str = "signing", value: str = "topsecret") -> None:
    client.call("set_secret", name=name, value=value)


def test_an_org_admin_sets_replaces_lists_and_deletes(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    set_secret(admin)
    set_secret(admin, value="changed")
    (listed,) = admin.call("list_secrets")["items"]
    assert set(listed) == {"name", "created_at", "updated_at"}
    assert admin.call("delete_secret", name="signing") == {"name": "signing"}
    assert admin.call("list_secrets")["items"] == []
    with refused(404, "secret_not_found"):
        admin.call("delete_secret", name="signing")


def test_nobody_else_sets_lists_or_deletes_a_secret(connection: Connection, org: Org) -> None:
    narrowed = create_token(connection, org.admin, role="company_admin", company_id=org.first.id)
    others = [signed_in(connection, user) for user in org.first.users]
    for client in (*others, with_token(connection, narrowed)):
        with refused(403, "forbidden"):
            set_secret(client)
        with refused(403, "forbidden"):
            client.call("list_secrets")
        with refused(403, "forbidden"):
            client.call("delete_secret", name="signing")
        with denied():
            client.change("insert into public.secrets (name, value) values ('mine', 'x')")
        assert client.change("update public.secrets set value = 'x'") == 0


def test_a_value_is_never_readable_by_clients(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    set_secret(admin)
    for statement in (
        "select value from public.secrets",
        "select * from public.secrets",
        "select to_jsonb(s) from public.secrets s",
        "select name from public.secrets where value like 't%%'",
        "select name from public.secrets order by value",
        "update public.secrets set value = value || 'x'",
        "update public.secrets set value = 'x' returning value",
        "delete from public.secrets where value = 'topsecret'",
        "insert into public.secrets (name, value) values ('signing', 'x') "
        "on conflict (org_id, name) do update set value = 'y' where secrets.value = 'topsecret'",
        "insert into public.secrets (name, value) select 'copy', value from public.secrets",
    ):
        with denied():
            admin.change(statement)


def test_the_error_of_a_refused_value_does_not_quote_it(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    with pytest.raises(errors.CheckViolation) as caught:
        set_secret(admin, name="Not A Name", value="topsecret")
    assert "topsecret" not in f"{caught.value} {caught.value.diag.message_detail}"
    with violates(errors.CheckViolation):
        set_secret(admin, value="")


def test_a_running_step_reads_the_secret_that_its_config_names(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    admin = signed_in(connection, org.admin)
    set_secret(admin)
    set_secret(admin, name="another", value="not named")
    run = create_run(worker, org, company, SIGNED, {"slug": INLINE})
    run.take()

    def read(position: int, name: str) -> str:
        answer = worker.call("worker.read_secret", step_result_id=run.step_id(position), name=name)
        return str(answer["value"])

    with refused(404, "secret_not_found"):
        read(1, "signing")  # not running yet
    run.start(1)
    assert read(1, "signing") == "topsecret"
    with refused(404, "secret_not_found"):
        read(1, "another")
    with refused(404, "secret_not_found"):
        read(2, "signing")
    admin.call("delete_secret", name="signing")
    with refused(404, "secret_not_found"):
        read(1, "signing")


def test_a_step_reads_no_secret_of_another_org(
    connection: Connection, worker: Client, tenants: Tenants
) -> None:
    set_secret(signed_in(connection, tenants.other.admin))
    run = create_run(worker, tenants.org, tenants.org.first, SIGNED)
    run.take()
    run.start(1)
    with refused(404, "secret_not_found"):
        worker.call("worker.read_secret", step_result_id=run.step_id(1), name="signing")


def test_clients_cannot_call_read_secret(connection: Connection, org: Org) -> None:
    with denied():
        signed_in(connection, org.admin).call("worker.read_secret", step_result_id=org.id, name="signing")
