"""Runs statements as PostgREST does for a request: with the request's role and claims, but without HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.support.stack import StackEnvironment
from tests.support.tenants import Token, User

Connection = psycopg.Connection[Any]
Row = dict[str, Any]

_PERMISSION_DENIED = "42501"  # no grant allows it, or no policy does


def connect(environment: StackEnvironment) -> Connection:
    """Connects as postgres. A lock that is never released fails the test that waits for it."""
    return psycopg.connect(environment.database_url, autocommit=True, options="-c lock_timeout=10s")


@dataclass(frozen=True)
class Client:
    """Acts on a connection with a role and claims. Each statement is a transaction or a savepoint."""

    connection: Connection
    role: str
    claims: str = ""

    def rows(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        with self._acting() as cursor:
            return cursor.execute(statement.encode(), parameters).fetchall()

    def value(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        (row,) = self.rows(statement, parameters)
        (value,) = row.values()
        return value

    def change(self, statement: str, parameters: Mapping[str, Any] | None = None) -> int:
        """Runs a writing statement and returns how many rows it touched."""
        with self._acting() as cursor:
            return cursor.execute(statement.encode(), parameters).rowcount

    def call(self, function: str, **arguments: Any) -> Any:  # noqa: ANN401
        """Calls an RPC with named arguments, objects and lists of objects as jsonb."""
        schema, _, name = function.rpartition(".")
        named = [
            sql.SQL("{} => {}").format(sql.Identifier(f"p_{key}"), sql.Placeholder(key)) for key in arguments
        ]
        statement = sql.SQL("select {}({}) as result").format(
            sql.Identifier(schema or "public", name), sql.SQL(", ").join(named)
        )
        with self._acting() as cursor:
            row = cursor.execute(statement, {key: _argument(key, value) for key, value in arguments.items()})
            return row.fetchall()[0]["result"]

    @contextmanager
    def _acting(self) -> Iterator[psycopg.Cursor[Row]]:
        with self.connection.transaction(), self.connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)",
                (self.role, self.claims),
            )
            yield cursor
            cursor.execute(
                "select set_config('role', 'none', true), set_config('request.jwt.claims', '', true)"
            )


def owner(connection: Connection) -> Client:
    """postgres: to arrange rows and to see all of them, never to test a policy."""
    return Client(connection, "postgres")


def anonymous(connection: Connection) -> Client:
    return Client(connection, "anon", json.dumps({"role": "anon"}))


def service(connection: Connection) -> Client:
    return Client(connection, "service_role", json.dumps({"role": "service_role"}))


def signed_in(connection: Connection, user: User, **claims: Any) -> Client:  # noqa: ANN401
    """Acts with a user's session: its claims are those of Supabase Auth."""
    session = {"sub": user.id, "role": "authenticated", "aud": "authenticated", "email": user.email}
    return Client(connection, "authenticated", json.dumps(session | claims))


def with_token(connection: Connection, token: Token) -> Client:
    """Acts with an API token: its claims are those of the API's context JWT."""
    claims = {"role": "authenticated", "aud": "authenticated", "api_token_hash": token.token_hash}
    return Client(connection, "authenticated", json.dumps(claims))


def set_headers(connection: Connection, headers: Mapping[str, str] | None) -> None:
    """Sets the headers of the request, as PostgREST does. None stands for SQL by hand."""
    # A pooled session reads '' where none was set.
    value = json.dumps(headers) if headers is not None else ""
    connection.execute("select set_config('request.headers', %s, true)", (value,))


@contextmanager
def refused(status: int, code: str, details: Mapping[str, Any] | None = None) -> Iterator[None]:
    """The block must raise this error, as SQL raises it for PostgREST, with at least these details."""
    with pytest.raises(psycopg.Error) as caught:
        yield
    error = caught.value
    assert (error.sqlstate, error.diag.message_hint) == (f"PT{status}", code), error
    if details:
        given = json.loads(error.diag.message_detail or "{}")
        assert given | details == given, given


@contextmanager
def denied() -> Iterator[None]:
    """The block must fail because no grant allows it, or because no policy lets the new row pass."""
    with pytest.raises(psycopg.Error) as caught:
        yield
    assert caught.value.sqlstate == _PERMISSION_DENIED, caught.value


@contextmanager
def violates(constraint: type[psycopg.Error]) -> Iterator[None]:
    """The block must break a constraint of this kind."""
    with pytest.raises(constraint):
        yield


# The arguments of type text[].
_ARRAYS = {"fields", "slugs", "versions"}


def _argument(name: str, value: Any) -> Any:  # noqa: ANN401
    is_json = isinstance(value, dict) or (isinstance(value, list) and name not in _ARRAYS)
    return Jsonb(value) if is_json else value
