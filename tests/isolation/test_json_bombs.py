"""Small requests that become large: in every text and JSON argument of every RPC, and in every column.

jsonb keeps 1e131000 in twelve bytes and prints it in 131,000 digits. Each case has a connection of its own,
because the peak memory of a backend never falls.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.isolation.function_rules import FUNCTIONS
from tests.support.pipeline import create_blueprint, create_run, publish_steps
from tests.support.sql_client import Client, Connection, connect, owner, refused, service, signed_in
from tests.support.stack import StackEnvironment
from tests.support.tenants import Tenants, create_tenants, create_token

MAX_MEGABYTES = 200
MAX_SECONDS = 6  # on a busy machine; a bomb that goes off takes minutes

HUGE = "[" + ",".join(["1e131000"] * 6000) + "]"
LONG_ZEROS = "[" + ",".join(["0e-16383"] * 6000) + "]"
TINY = "[" + ",".join(["-1e-16383"] * 6000) + "]"
DOUBLES = "[" + ",".join(["1e308"] * 400_000) + "]"
DEEP = "[" * 5000 + "]" * 5000
BOMBS = {"huge": HUGE, "zeros": LONG_ZEROS, "tiny": TINY, "doubles": DOUBLES, "deep": DEEP}
# Each bomb alone, and where the RPCs look into what they get.
FORMS = {
    "alone": "%s",
    "record": '[{"id": "1", "data": {"x": %s}}]',
    "id": '[{"id": %s, "data": {}}]',
    "verdict": '[{"id": "1", "reason": "bad", "message": "Bad.", "details": {"x": %s}}]',
    "config": '[{"slug": "testing-inline", "config": {"x": %s}}]',
    "slug": '[{"slug": %s}]',
    "retry": '[{"slug": "testing-inline", "retry": {"max_attempts": 2, "backoff": {"factor": 2}, "on": %s}}]',
    "timeout": '[{"slug": "testing-inline", "timeout_seconds": %s}]',
}
TEXTS = {
    "long": "x" * 5_000_000,
    "spaces": " " * 5_000_000 + "x",
    "cursor": base64.urlsafe_b64encode(HUGE.encode()).decode(),
    "short cursor": base64.urlsafe_b64encode(b"[1e131000,1e131000]").decode(),
}
NAMES = {"many": ["x"] * 200_000, "long": ["x" * 1_000_000] * 5}


@pytest.fixture(scope="module")
def bombed(supabase: StackEnvironment) -> Tenants:
    """Tenants of their own: the cases commit nothing, but each has its own connection."""
    with psycopg.connect(supabase.database_url) as connection:
        publish_steps(service(connection))
        return create_tenants(connection)


@contextmanager
def measured(supabase: StackEnvironment) -> Iterator[Connection]:
    """A new backend, whose work is undone. It must stay within memory and time."""
    with connect(supabase) as connection, connection.transaction(force_rollback=True):
        connection.execute("set constraints all immediate")
        connection.execute("set local statement_timeout = '30s'")
        started = time.monotonic()
        yield connection
        seconds = time.monotonic() - started
        status = Path(f"/proc/{connection.info.backend_pid}/status").read_text()
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    assert int(peak) / 1024 < MAX_MEGABYTES, f"the backend had {int(peak) // 1024} MB"
    assert seconds < MAX_SECONDS


def parameters(supabase: StackEnvironment) -> list[tuple[str, str, str]]:
    """Function, parameter and type of everything that a client may send as text or JSON."""
    with connect(supabase) as connection:
        rows = owner(connection).rows(
            """
            select n.nspname || '.' || p.proname as function, a.name, a.type::regtype::text as type
            from pg_proc p
            join pg_namespace n on n.oid = p.pronamespace and n.nspname = 'public'
            cross join lateral unnest(p.proargnames, p.proargtypes::oid[]) a (name, type)
            where has_function_privilege('authenticated', p.oid, 'execute')
                and a.type::regtype::text in (
                    'text', 'text[]', 'json', 'jsonb', 'jsonb[]', 'bytea', 'character varying'
                )
            order by 1, 2
            """
        )
    return [(row["function"], row["name"], row["type"]) for row in rows]


def baseline(connection: Connection, tenants: Tenants, function: str) -> dict[str, Any]:
    """Arguments with which the function gets as far as it can: ids of rows that the admin may use."""
    org = tenants.org
    admin = signed_in(connection, org.admin)
    wanted = owner(connection).rows(
        "select unnest(proargnames) as name, unnest(proargtypes::oid[])::regtype::text as type from pg_proc "
        "where oid = %(f)s::regproc",
        {"f": function},
    )
    ids: dict[str, Any] = {}
    uuids = {row["name"] for row in wanted if row["type"] == "uuid"}
    if uuids & {"p_submission_id", "p_pipeline_run_id", "p_step_result_id"}:
        run = create_run(service(connection), org, org.first)
        ids |= {"p_pipeline_run_id": run.id, "p_step_result_id": run.step_id(1)}
        ids["p_submission_id"] = run.submission["id"]
        if function.endswith(("append_submission_chunk", "finalize_submission")):
            upload = admin.call(
                "open_submission",
                company_id=org.first.id,
                blueprint_id=run.pipeline_run["blueprint_id"],
                source="csv",
            )
            ids["p_submission_id"] = upload["submission"]["id"]
    if "p_blueprint_id" in uuids:
        ids["p_blueprint_id"] = create_blueprint(admin)["id"]
    if "p_api_token_id" in uuids:
        ids["p_api_token_id"] = create_token(connection, org.admin).id
    ids |= {"p_company_id": org.first.id, "p_user_id": org.first.member.id}
    given = dict(FUNCTIONS[function].arguments) if function in FUNCTIONS else {}
    if function.endswith("append_submission_chunk"):
        given["p_chunk_index"] = 0
    return {name: value for name, value in (given | ids).items() if name in {row["name"] for row in wanted}}


def attack(client: Client, function: str, arguments: dict[str, Any]) -> None:
    """Calls the function. Any answer is right, if it comes soon and costs little."""
    sent = {
        name: json.dumps(value) if isinstance(value, dict | list) and not _is_names(value) else value
        for name, value in arguments.items()
    }
    statement = sql.SQL("select octet_length({}({})::text)").format(
        sql.Identifier(*function.split(".")),
        sql.SQL(", ").join(
            sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in sent
        ),
    )
    try:
        client.rows(statement.as_string(client.connection), sent)
    except psycopg.OperationalError:
        raise  # a timeout, or a backend without memory
    except psycopg.Error:
        return


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def test_no_text_or_json_argument_of_any_rpc_is_a_bomb(supabase: StackEnvironment, bombed: Tenants) -> None:
    swept = parameters(supabase)
    assert len({function for function, _, _ in swept}) > 20
    for function, parameter, kind in swept:
        if kind in ("json", "jsonb"):
            bombs: dict[str, Any] = {"huge": HUGE, "zeros": LONG_ZEROS, "deep": DEEP}
        else:
            bombs = NAMES if kind == "text[]" else TEXTS
        with measured(supabase) as connection:
            arguments = baseline(connection, bombed, function)
            client = signed_in(connection, bombed.org.admin)
            for value in bombs.values():
                attack(client, function, arguments | {parameter: value})


@pytest.mark.long
@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("form", FORMS)
def test_a_bomb_anywhere_in_an_argument_is_refused_cheaply(
    supabase: StackEnvironment, bombed: Tenants, bomb: str, form: str
) -> None:
    value = FORMS[form] % BOMBS[bomb]
    with measured(supabase) as connection:
        admin = signed_in(connection, bombed.org.admin)
        for function, parameter in (
            ("public.create_submission", "p_records"),
            ("public.append_submission_chunk", "p_records"),
            ("public.append_submission_chunk", "p_rejected"),
            ("public.create_blueprint", "p_steps"),
        ):
            arguments = baseline(connection, bombed, function)
            attack(admin, function, arguments | {parameter: value})


COLUMNS = {
    "submission_chunks": (
        "insert into public.submission_chunks (submission_id, chunk_index, records) "
        "values (%(upload)s, 0, jsonb_build_array(jsonb_build_object("
        "'id', '1', 'data', jsonb_build_object('x', %(bomb)s::jsonb))))"
    ),
    "rejected_records.details": (
        "insert into public.rejected_records "
        "(submission_id, chunk_index, record_id, reason, message, details) "
        "values (%(upload)s, 0, '1', 'bad', 'Bad.', jsonb_build_object('x', %(bomb)s::jsonb))"
    ),
    "rejected_records.data": (
        "insert into public.rejected_records "
        "(submission_id, chunk_index, record_id, reason, message, data) "
        "values (%(upload)s, 0, '1', 'bad', 'Bad.', jsonb_build_object('x', %(bomb)s::jsonb))"
    ),
    "blueprint_steps.config": (
        "insert into public.blueprint_steps (blueprint_id, position, step_slug, step_version, config) "
        "values (%(blueprint)s, 9, 'testing-inline', '1.0.0', jsonb_build_object('x', %(bomb)s::jsonb))"
    ),
    "blueprint_steps.retry": (
        "insert into public.blueprint_steps (blueprint_id, position, step_slug, step_version, retry) "
        "values (%(blueprint)s, 9, 'testing-inline', '1.0.0', "
        "jsonb_build_object('max_attempts', 2, 'on', %(bomb)s::jsonb))"
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("column", COLUMNS)
def test_a_bomb_in_a_column_is_refused_cheaply(
    supabase: StackEnvironment, bombed: Tenants, column: str, bomb: str
) -> None:
    with measured(supabase) as connection:
        admin = signed_in(connection, bombed.org.admin)
        arguments = baseline(connection, bombed, "public.append_submission_chunk")
        blueprint = create_blueprint(admin)
        with pytest.raises(psycopg.Error) as caught:
            admin.change(
                COLUMNS[column],
                {"upload": arguments["p_submission_id"], "blueprint": blueprint["id"], "bomb": BOMBS[bomb]},
            )
        assert caught.value.sqlstate in ("23514", "PT413", "PT422"), caught.value


def test_a_chunk_with_many_zeros_is_read(supabase: StackEnvironment, bombed: Tenants) -> None:
    """What makes a bomb is the number of digits, not the number of numbers."""
    data = {f"f{number}": 0 for number in range(100)}
    with measured(supabase) as connection:
        arguments = baseline(connection, bombed, "public.append_submission_chunk")
        given = [{"id": str(row), "data": data} for row in range(1, 1001)]
        signed_in(connection, bombed.org.admin).call(
            "append_submission_chunk",
            submission_id=arguments["p_submission_id"],
            chunk_index=0,
            records=given,
        )


def test_the_output_of_a_step_is_bounded_before_it_is_printed(
    supabase: StackEnvironment, bombed: Tenants
) -> None:
    with measured(supabase) as connection:
        run = create_run(service(connection), bombed.org, bombed.org.first)
        run.take()
        run.start(1)
        with refused(422, "invalid_records"):
            service(connection).value(
                "select worker.write_chunk(%(step)s, %(claim)s, 0, %(records)s::jsonb)",
                {
                    "step": run.step_id(1),
                    "claim": run.claim_id,
                    "records": FORMS["record"] % HUGE,
                },
            )
