"""The last use of a token: the look-up of the caller notes it, but at most once in five minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.sql_client import Client, Connection, refused, signed_in, with_token
from tests.support.tenants import Org, Token, create_token

# A write changes xmin, a lock changes xmax.
VERSION = "select xmin::text, xmax::text, ctid::text from public.api_tokens where id = %(id)s"


def last_used(postgres: Client, token: Token) -> Any:  # noqa: ANN401 (a time or null)
    return postgres.value("select last_used_at from public.api_tokens where id = %(id)s", {"id": token.id})


def make_last_used(connection: Connection, postgres: Client, org: Org, ago: str) -> Token:
    """A token whose last use is this long ago."""
    token = create_token(connection, org.admin)
    postgres.change(
        "update public.api_tokens set last_used_at = now() - %(ago)s::interval where id = %(id)s",
        {"id": token.id, "ago": ago},
    )
    return token


def test_the_first_use_is_noted_and_listed(connection: Connection, postgres: Client, org: Org) -> None:
    token = create_token(connection, org.admin)
    admin = signed_in(connection, org.admin)

    def listed() -> Any:  # noqa: ANN401 (a time or null)
        items = admin.call("list_api_tokens", limit=200)["items"]
        return next(item["last_used_at"] for item in items if item["id"] == token.id)

    assert listed() is None
    with_token(connection, token).call("auth_context")
    assert listed()
    assert postgres.value(
        "select last_used_at = now() from public.api_tokens where id = %(id)s", {"id": token.id}
    )


def test_many_uses_are_one_write(connection: Connection, postgres: Client, org: Org) -> None:
    token = create_token(connection, org.admin)
    client = with_token(connection, token)
    client.call("auth_context")
    before = postgres.rows(VERSION, {"id": token.id})
    for _ in range(200):
        client.call("auth_context")
    assert postgres.rows(VERSION, {"id": token.id}) == before


@pytest.mark.parametrize(("ago", "noted"), [("5 minutes", False), ("5 minutes 1 second", True)])
def test_a_use_is_noted_again_after_five_minutes(
    connection: Connection, postgres: Client, org: Org, ago: str, noted: bool
) -> None:
    token = make_last_used(connection, postgres, org, ago)
    before = last_used(postgres, token)
    with_token(connection, token).call("auth_context")
    assert (last_used(postgres, token) > before) is noted


def test_the_last_use_never_moves_back(connection: Connection, postgres: Client, org: Org) -> None:
    token = make_last_used(connection, postgres, org, "1 hour")
    for value in ("null", "now() - interval '2 hours'"):
        with refused(409, "immutable"):
            postgres.change(
                f"update public.api_tokens set last_used_at = {value} where id = %(id)s", {"id": token.id}
            )


def test_only_the_token_that_was_shown_is_used(connection: Connection, postgres: Client, org: Org) -> None:
    token = create_token(connection, org.admin)
    signed_in(connection, org.admin).call("auth_context")
    with_token(connection, create_token(connection, org.admin)).call("auth_context")
    assert last_used(postgres, token) is None


def test_a_refused_call_is_no_use(connection: Connection, postgres: Client, org: Org) -> None:
    now = datetime.now(UTC)
    expired = create_token(connection, org.admin, expires_at=now - timedelta(hours=1))
    revoked = create_token(connection, org.admin, revoked_at=now)
    of_deactivated = create_token(connection, org.first.member)
    postgres.change(
        "update public.users set deactivated_at = now() where id = %(id)s", {"id": org.first.member.id}
    )
    for token, status, code in (
        (expired, 401, "api_token_expired"),
        (revoked, 401, "api_token_revoked"),
        (of_deactivated, 403, "user_deactivated"),
    ):
        with refused(status, code):
            with_token(connection, token).call("auth_context")
        assert last_used(postgres, token) is None


def test_a_read_only_transaction_answers_and_notes_nothing(
    connection: Connection, postgres: Client, org: Org
) -> None:
    token = create_token(connection, org.admin)
    with connection.transaction(force_rollback=True):
        connection.execute("set transaction read only")
        assert with_token(connection, token).call("auth_context")["role"] == "org_admin"
    assert last_used(postgres, token) is None
