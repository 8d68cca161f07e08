"""The database grants what a hosted Supabase project grants, so migrations meet the same limits."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.stack import StackEnvironment


@pytest.fixture
def postgres(supabase: StackEnvironment) -> Iterator[psycopg.Connection]:
    """A session of the migrating role. It is rolled back at the end."""
    with psycopg.connect(supabase.database_url) as connection:
        yield connection
        connection.rollback()


def test_the_roles_have_hosted_attributes(postgres: psycopg.Connection) -> None:
    rows = postgres.execute(
        """
        select rolname, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolcanlogin, rolinherit
        from pg_roles where rolname !~ '^pg_'
        """
    ).fetchall()
    names = ("superuser", "createrole", "createdb", "bypassrls", "login", "inherit")
    attributes = {row[0]: {name for name, has in zip(names, row[1:], strict=True) if has} for row in rows}
    assert attributes == {
        "supabase_admin": {"superuser", "createrole", "createdb", "bypassrls", "login", "inherit"},
        "postgres": {"createrole", "createdb", "bypassrls", "login", "inherit"},
        "anon": {"inherit"},
        "authenticated": {"inherit"},
        "service_role": {"bypassrls", "inherit"},
        "authenticator": {"login"},
        "supabase_auth_admin": {"createrole", "login"},
    }


def test_the_data_api_may_become_the_three_api_roles_and_nothing_else(postgres: psycopg.Connection) -> None:
    rows = postgres.execute(
        "select roleid::regrole::text from pg_auth_members where member = 'authenticator'::regrole"
    ).fetchall()
    assert {role for (role,) in rows} == {"anon", "authenticated", "service_role"}


def test_migrations_may_put_triggers_and_foreign_keys_on_the_users_of_auth(
    postgres: psycopg.Connection,
) -> None:
    postgres.execute("create table public.probe_users (id uuid references auth.users on delete cascade)")
    postgres.execute(
        "create function public.probe_trigger() returns trigger language plpgsql as 'begin return new; end'"
    )
    postgres.execute(
        "create trigger probe after insert on auth.users for each row execute function public.probe_trigger()"
    )


def test_migrations_may_not_change_the_tables_of_auth(postgres: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        postgres.execute("alter table auth.users add column probe text")


def test_migrations_may_not_become_superuser(postgres: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        postgres.execute("set role supabase_admin")


def test_policies_of_the_api_roles_may_ask_auth_who_is_calling(postgres: psycopg.Connection) -> None:
    sub = "01a2000d-0ac8-73c4-b4f9-638f96a2a02d"
    claims = f'{{"sub": "{sub}", "role": "authenticated"}}'
    postgres.execute("select set_config('request.jwt.claims', %s, true)", [claims])
    postgres.execute("set local role authenticated")
    row = postgres.execute("select auth.uid()::text, auth.role(), auth.jwt() ->> 'sub'").fetchone()
    assert row == (sub, "authenticated", sub)


def test_pgcrypto_lives_in_the_extensions_schema(postgres: psycopg.Connection) -> None:
    row = postgres.execute("select encode(extensions.digest('x', 'sha256'), 'hex')").fetchone()
    assert row is not None
    assert len(row[0]) == 64


def test_text_sorts_as_on_hosted_supabase(postgres: psycopg.Connection) -> None:
    row = postgres.execute(
        "select array_agg(t order by t) from unnest(array['b', 'A', 'a', 'B']) t"
    ).fetchone()
    assert row == (["a", "A", "b", "B"],)


def test_a_schema_change_notifies_the_data_api(supabase: StackEnvironment) -> None:
    with psycopg.connect(supabase.database_url, autocommit=True) as connection:
        connection.execute("listen pgrst")
        connection.execute("create schema probe_notified")
        connection.execute("drop schema probe_notified")
        heard = next(connection.notifies(timeout=10), None)
    assert heard is not None
    assert heard.payload == "reload schema"
