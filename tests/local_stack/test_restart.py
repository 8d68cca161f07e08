"""A killed part is started again in its place, and finds its data."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest

from local.errors import StackError
from local.settings import SupabaseService, read_settings
from local.stack import Stack
from local.supabase_server import data_api_answers
from tests.support.stack import free_port_base


def postgres_pid(directory: Path) -> int:
    return int((directory / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])


def test_the_supabase_server_takes_over_a_database_that_outlived_it_and_starts_one_that_did_not(
    tmp_path: Path,
) -> None:
    stack = Stack(
        read_settings(directory=tmp_path, port_base=free_port_base(), scope="supabase", environment={})
    )
    variables = stack.start()
    try:
        (server,) = stack.processes
        supabase = SupabaseService(
            variables["SUPABASE_URL"],
            variables["SUPABASE_PUBLISHABLE_KEY"],
            variables["SUPABASE_SECRET_KEY"],
            variables["SUPABASE_JWT_SECRET"],
            variables["DATABASE_URL"],
        )
        with pytest.raises(StackError, match="runs"):
            stack.restart("supabase")
        with psycopg.connect(supabase.database_url) as connection:
            connection.execute("create table public.kept (id int)")
            connection.commit()
            database = postgres_pid(tmp_path)

            os.kill(server.identity.pid, signal.SIGKILL)
            with pytest.raises(StackError, match="SIGKILL"):
                server.wait_until(lambda: False, seconds=10)
            server.wait_until(lambda: server.has_ended, seconds=10)
            server = stack.restart("supabase")
            server.wait_until(lambda: data_api_answers(supabase), seconds=60)
            assert postgres_pid(tmp_path) == database
            # The session has outlived the server.
            connection.execute("insert into public.kept values (1)")

        os.kill(database, signal.SIGKILL)
        with pytest.raises(StackError, match="stopped"):
            server.wait_until(lambda: False, seconds=30)
        server = stack.restart("supabase")
        server.wait_until(lambda: data_api_answers(supabase), seconds=60)
        with psycopg.connect(supabase.database_url) as connection:
            assert connection.execute("select id from public.kept").fetchall() == [(1,)]
        database = postgres_pid(tmp_path)
    finally:
        stack.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(database, 0)
