"""Calls an RPC as PostgREST does, for bodies that the stand-in of the Data API would change.

PostgREST passes the body to Postgres unchanged. The stand-in parses it in JavaScript, where 1e131000 is
infinite and becomes null.
"""

from __future__ import annotations

import json
from typing import Any

import jwt
import psycopg
from psycopg import sql

_STATEMENT_TIMEOUT = "8s"  # as local/supabase/roles.sql sets it for authenticated


async def call_rpc(database_url: str, bearer: str, name: str, body: bytes) -> Any:  # noqa: ANN401 (JSON)
    """The result of `public.<name>`; raises psycopg.Error."""
    claims = jwt.decode(bearer, options={"verify_signature": False})
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        types = await connection.execute(
            """
            select unnest(p.proargnames), format_type(unnest(p.proargtypes::oid[]), null)
            from pg_proc as p where p.pronamespace = 'public'::regnamespace and p.proname = %s
            """,
            (name,),
        )
        # Only the names are read here, so Python may change the numbers.
        sent = json.loads(body)
        known = {argument: kind for argument, kind in await types.fetchall() if argument in sent}
        await connection.execute(
            "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', %s, true), "
            "set_config('statement_timeout', %s, true)",
            (json.dumps(claims), _STATEMENT_TIMEOUT),
        )
        answer = await connection.execute(_statement(name, known), (body.decode(),))
        row = await answer.fetchone()
        return row[0] if row else None


def _statement(name: str, arguments: dict[str, str]) -> sql.Composed:
    named = sql.SQL(", ").join(
        sql.SQL("{0} => body.{0}").format(sql.Identifier(argument)) for argument in arguments
    )
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(argument), sql.SQL(kind))
        for argument, kind in arguments.items()
    )
    return sql.SQL("select public.{}({}) from json_to_record(%s::json) as body({})").format(
        sql.Identifier(name), named, columns
    )
