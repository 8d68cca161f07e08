"""The demo's org with two companies and three people, created once and then reused.

As in production, an operator creates the org and invites its admin in SQL as role postgres, the admin invites
the others, and each becomes a user by signing up. Passwords are derived from the stack's secret key, so they
are neither stored nor constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from supabase import AuthError, Client, PostgrestAPIError, create_client

from local.demo_people import ADMIN, EVERYBODY, Person
from local.derived_secrets import demo_password
from local.errors import DemoError

_LOG = "supabase"
_ORG_NAME = "Demo Data Services"
ORG_SLUG = "demo"


_COMPANIES = {"northwind": "Northwind Traders", "southwind": "Southwind Supplies"}


@dataclass(frozen=True)
class SeededOrg:
    org_id: str
    company_ids: Mapping[str, str]


def seed(environment: Mapping[str, str]) -> SeededOrg:
    """Creates what is missing of the demo's org, companies and people, and returns their ids."""
    try:
        # Each call commits: Auth must see an invitation when the person signs up.
        with psycopg.connect(environment["DATABASE_URL"], connect_timeout=10, autocommit=True) as database:
            org_id = _org(database)
            _join(database, environment, ADMIN)
            company_ids = {key: _company(database, org_id, key, name) for key, name in _COMPANIES.items()}
            for person in EVERYBODY:
                if person.company and not _is_user(database, person):
                    _invite(environment, person, company_ids[person.company])
                    _join(database, environment, person)
    except psycopg.Error as error:
        raise DemoError(f"The demo's org could not be written: {error}", log=_LOG) from error
    return SeededOrg(org_id, company_ids)


def sign_in(environment: Mapping[str, str], person: Person) -> str:
    """Signs in at Auth with e-mail and password, and returns the session's access token."""
    _, access_token = _session(environment, person)
    return access_token


def _session(environment: Mapping[str, str], person: Person) -> tuple[Client, str]:
    """A client with the person's session, and its access token."""
    client = _client(environment)
    try:
        answer = client.auth.sign_in_with_password(
            {"email": person.email, "password": demo_password(environment, person.email)}
        )
    except AuthError as error:
        raise DemoError(f"{person.email} could not sign in: {error.message}.", log=_LOG) from error
    if answer.session is None:
        raise DemoError(f"{person.email} signed in without getting a session.", log=_LOG)
    return client, answer.session.access_token


def _org(database: psycopg.Connection) -> str:
    by_slug = "select id::text from public.orgs where slug = %s"
    known = _found(database, by_slug, ORG_SLUG)
    if known is None:
        database.execute(
            "select * from ops.create_org(%s, %s, %s, %s, dry_run => false)",
            [_ORG_NAME, ORG_SLUG, ADMIN.email, ADMIN.full_name],
        )
    elif not _is_user(database, ADMIN):
        database.execute(
            "select * from ops.invite_admin(%s, %s, %s, dry_run => false)",
            [ORG_SLUG, ADMIN.email, ADMIN.full_name],
        )
    return known or _made(_found(database, by_slug, ORG_SLUG))


def _company(database: psycopg.Connection, org_id: str, external_id: str, name: str) -> str:
    by_key = "select id::text from public.companies where org_id = %s and external_id = %s"
    known = _found(database, by_key, org_id, external_id)
    if known is None:
        database.execute(
            "select * from ops.add_company(%s, %s, %s, dry_run => false)", [ORG_SLUG, name, external_id]
        )
    return known or _made(_found(database, by_key, org_id, external_id))


def _invite(environment: Mapping[str, str], person: Person, company_id: str) -> None:
    """Invites as the admin, at the Data API: the demo has no mailbox for the API's e-mail."""
    admin, _ = _session(environment, ADMIN)
    invitation = {
        "p_email": person.email,
        "p_role": person.role,
        "p_company_id": company_id,
        "p_full_name": person.full_name,
    }
    try:
        admin.rpc("create_invitation", invitation).execute()
    except PostgrestAPIError as error:
        if error.hint != "conflict":  # an interrupted demo has invited the person
            raise DemoError(f"{person.email} could not be invited: {error.message}", log=_LOG) from error


def _join(database: psycopg.Connection, environment: Mapping[str, str], person: Person) -> None:
    """Signs the person up, if an interrupted demo has not, and accepts the invitation."""
    if _is_user(database, person):
        return
    try:
        if not _found(
            database, "select id::text from auth.users where lower(email) = lower(%s)", person.email
        ):
            _client(environment).auth.sign_up(
                {"email": person.email, "password": demo_password(environment, person.email)}
            )
        client, _ = _session(environment, person)
        client.rpc("accept_invitation", {}).execute()
    except AuthError as error:
        raise DemoError(f"{person.email} could not be signed up: {error.message}.", log=_LOG) from error
    except PostgrestAPIError as error:
        raise DemoError(f"{person.email} could not accept: {error.message}", log=_LOG) from error


def _is_user(database: psycopg.Connection, person: Person) -> bool:
    return _found(database, "select id::text from public.users where email = %s", person.email) is not None


def _found(database: psycopg.Connection, statement: LiteralString, *parameters: str) -> str | None:
    row = database.execute(statement, parameters).fetchone()
    return None if row is None else str(row[0])


def _made(row_id: str | None) -> str:
    if row_id is None:
        raise DemoError("An operator's function did not create its row.", log=_LOG)
    return row_id


def _client(environment: Mapping[str, str]) -> Client:
    return create_client(environment["SUPABASE_URL"], environment["SUPABASE_PUBLISHABLE_KEY"])
