"""The caller is looked up once for each statement of a client, and is forgotten with the statement."""

from __future__ import annotations

import json

import pytest

from tests.support.sql_client import Client, Connection, connect, owner, refused, signed_in, with_token
from tests.support.stack import StackEnvironment
from tests.support.tenants import Company, Org, Tenants, create_identity, create_token


@pytest.fixture
def looked_up(connection: Connection) -> Client:
    """The owner; the sequence `private.look_ups` counts look-ups."""
    postgres = owner(connection)
    postgres.change("create sequence private.look_ups")
    postgres.change("grant usage on sequence private.look_ups to authenticated")
    postgres.change("alter function private.look_up_caller() rename to really_look_up_caller")
    postgres.change(
        """
        create function private.look_up_caller() returns private.caller
        language plpgsql volatile security definer set search_path = ''
        as $$
        begin
            perform nextval('private.look_ups');
            return private.really_look_up_caller();
        end;
        $$
        """
    )
    postgres.change("grant execute on function private.look_up_caller() to authenticated")
    return postgres


def look_ups(looked_up: Client) -> int:
    count: int = looked_up.value(
        "select case when is_called then last_value else 0 end from private.look_ups"
    )
    return count


def test_a_statement_looks_its_caller_up_once(
    connection: Connection, looked_up: Client, org: Org, company: Company
) -> None:
    for client in (
        signed_in(connection, org.admin),
        signed_in(connection, company.member),
        with_token(connection, create_token(connection, company.member)),
    ):
        for statement in (
            "select public.list_pipeline_runs()",
            "select count(*) from public.pipeline_runs join public.step_results using (org_id)",
        ):
            before = look_ups(looked_up)
            client.rows(statement)
            assert look_ups(looked_up) == before + 1


def test_each_statement_looks_its_caller_up_anew(
    connection: Connection, looked_up: Client, company: Company
) -> None:
    member = signed_in(connection, company.member)
    for expected in (1, 2, 3):
        member.call("auth_context")
        assert look_ups(looked_up) == expected


def test_a_revoked_token_is_refused_by_the_next_statement_of_the_transaction(
    connection: Connection, postgres: Client, org: Org
) -> None:
    token = create_token(connection, org.admin)
    client = with_token(connection, token)
    assert client.value("select count(*) from public.companies") > 0
    postgres.change("update public.api_tokens set revoked_at = now() where id = %(id)s", {"id": token.id})
    assert client.value("select count(*) from public.companies") == 0
    with refused(401, "api_token_revoked"):
        client.call("auth_context")


def test_statements_without_new_settings_between_them_read_the_rows_too(
    connection: Connection, postgres: Client, company: Company
) -> None:
    """A client that keeps its transaction open would send such statements."""
    with connection.transaction():
        connection.execute(
            "select set_config('request.jwt.claims', %s, true)",
            [signed_in(connection, company.member).claims],
        )
        role = "select private.caller_role()::text"
        assert connection.execute(role).fetchone() == ("member",)
        connection.execute(
            "update public.users set role = 'company_admin' where id = %s", [company.member.id]
        )
        assert connection.execute(role).fetchone() == ("company_admin",)


def test_claims_that_change_within_a_statement_never_mix(connection: Connection, tenants: Tenants) -> None:
    claims = [signed_in(connection, org.admin).claims for org in tenants]
    row = connection.execute(
        """
        select set_config('request.jwt.claims', %(first)s, true), private.caller_org_id()::text,
            set_config('request.jwt.claims', %(second)s, true), private.caller_org_id()::text,
            set_config('request.jwt.claims', '', true), private.caller_org_id()::text,
            set_config('request.jwt.claims', %(first)s, true), private.caller_org_id()::text
        """,
        {"first": claims[0], "second": claims[1]},
    ).fetchone()
    assert row
    assert row[1::2] == (tenants.org.id, tenants.other.id, None, tenants.org.id)


def test_a_rolled_back_part_of_a_statement_leaves_no_caller_behind(
    connection: Connection, tenants: Tenants
) -> None:
    first, second = (signed_in(connection, org.admin).claims for org in tenants)
    connection.execute(
        """
        create function pg_temp.attempt(p_claims text) returns text
        language plpgsql as $$
        declare
            v_within text;
        begin
            begin
                perform set_config('request.jwt.claims', p_claims, true);
                v_within := private.caller_org_id();
                raise exception 'enough';
            exception when raise_exception then
                return v_within || ' ' || private.caller_org_id();
            end;
        end;
        $$
        """
    )
    with connection.transaction():
        connection.execute("select set_config('request.jwt.claims', %s, true)", [first])
        row = connection.execute("select pg_temp.attempt(%s)", [second]).fetchone()
    assert row == (f"{tenants.other.id} {tenants.org.id}",)


def test_a_caller_written_into_the_settings_is_not_believed(connection: Connection, tenants: Tenants) -> None:
    """Neither a caller from an earlier statement nor a forged one belongs to this statement."""
    member, stranger = tenants.org.first.member, tenants.other.admin
    forged = f"({stranger.org_id},{stranger.id},,org_admin,supabase_jwt,,)"
    claims = signed_in(connection, member).claims
    for key in ("", claims, "now", "1764115200.000000" + claims):
        with connection.transaction():
            connection.execute(
                """
                select set_config('role', 'authenticated', true), set_config('request.jwt.claims', %s, true),
                    set_config('private.caller', %s, true), set_config('private.caller_key', %s, true)
                """,
                [claims, forged, key],
            )
            row = connection.execute("select public.auth_context() ->> 'org_id'").fetchone()
            assert row == (member.org_id,)
            connection.execute("reset role")


def test_nothing_is_remembered_beyond_the_transaction(supabase: StackEnvironment, company: Company) -> None:
    """The transaction commits here, unlike in other tests. A pooled connection then serves somebody else."""
    with connect(supabase) as pooled:
        signed_in(pooled, company.member).call("auth_context")
        for name in ("private.caller", "private.caller_key"):
            assert pooled.execute("select current_setting(%s)", [name]).fetchone() == ("",)


def test_a_refusal_is_not_remembered(connection: Connection, org: Org) -> None:
    """A statement may turn an identity into a user."""
    identity = create_identity(connection, org.id)
    connection.execute(
        """
        create function pg_temp.register(p_id uuid, p_org_id uuid) returns text
        language plpgsql as $$
        declare
            v_before text := (private.resolve_caller()).refusal;
        begin
            insert into public.users (identity_id, org_id, email, role)
            values (p_id, p_org_id, 'new@example.com', 'org_admin');
            return v_before || ' ' || (public.auth_context() ->> 'role');
        end;
        $$
        """
    )
    with connection.transaction():
        claims = signed_in(connection, identity).claims
        connection.execute("select set_config('request.jwt.claims', %s, true)", [claims])
        row = connection.execute("select pg_temp.register(%s, %s)", [identity.id, org.id]).fetchone()
    assert row == ("identity_not_registered org_admin",)


def test_a_refused_caller_sees_nothing_however_often_it_is_looked_up(
    connection: Connection, looked_up: Client
) -> None:
    nobody = Client(connection, "authenticated", json.dumps({"role": "authenticated"}))
    assert nobody.value("select count(*) from public.pipeline_runs, public.submissions") == 0
    assert look_ups(looked_up) > 0
