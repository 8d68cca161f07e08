"""The org of the demo: two companies and three people, made once and found again.

Orgs and users are an operator's business, so they are written as an operator writes them in Studio: by SQL as
role postgres. The people's passwords follow from the stack's secret key: nothing to store, never a constant.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from supabase import AuthError, Client, create_client

from local.demo.errors import DemoError

_LOG = "supabase"
ORG_SLUG = "demo"


@dataclass(frozen=True)
class Person:
    email: str
    full_name: str
    role: str
    company: str | None


ADMIN = Person("ada@demo.example", "Ada Admin", "org_admin", None)
INSIDER = Person("nora@northwind.example", "Nora North", "company_admin", "northwind")
OUTSIDER = Person("sam@southwind.example", "Sam South", "member", "southwind")

_COMPANIES = {"northwind": "Northwind Traders", "southwind": "Southwind Supplies"}


@dataclass(frozen=True)
class SeededOrg:
    org_id: str
    company_ids: Mapping[str, str]


def seed(environment: Mapping[str, str]) -> SeededOrg:
    """The demo's org, with its companies and its people, whether or not they were there before."""
    try:
        with psycopg.connect(environment["DATABASE_URL"], connect_timeout=10) as database:
            org_id = _org(database)
            company_ids = {key: _company(database, org_id, key, name) for key, name in _COMPANIES.items()}
            for person in (ADMIN, INSIDER, OUTSIDER):
                identity = _identity(database, environment, person)
                company_id = company_ids[person.company] if person.company else None
                _user(database, identity, org_id, company_id, person)
    except psycopg.Error as error:
        raise DemoError(f"The demo's org could not be written: {error}", log=_LOG) from error
    return SeededOrg(org_id, company_ids)


def sign_in(environment: Mapping[str, str], person: Person) -> str:
    """The access token of a session that the Auth API gave for e-mail and password."""
    credentials = {"email": person.email, "password": _password(environment, person)}
    try:
        answer = _auth_client(environment).auth.sign_in_with_password(
            {"email": credentials["email"], "password": credentials["password"]}
        )
    except AuthError as error:
        raise DemoError(f"{person.email} could not sign in: {error.message}.", log=_LOG) from error
    if answer.session is None:
        raise DemoError(f"{person.email} signed in without getting a session.", log=_LOG)
    return answer.session.access_token


def _org(database: psycopg.Connection) -> str:
    return _id_of(
        database,
        "insert into public.orgs (name, slug) values ('Demo Data Services', %(slug)s) "
        "on conflict (slug) do update set slug = excluded.slug returning id::text",
        {"slug": ORG_SLUG},
    )


def _company(database: psycopg.Connection, org_id: str, external_id: str, name: str) -> str:
    return _id_of(
        database,
        "insert into public.companies (org_id, name, external_id) values (%(org_id)s, %(name)s, %(key)s) "
        "on conflict (org_id, external_id) do update set external_id = excluded.external_id "
        "returning id::text",
        {"org_id": org_id, "name": name, "key": external_id},
    )


def _identity(database: psycopg.Connection, environment: Mapping[str, str], person: Person) -> str:
    known = database.execute(
        "select id::text from auth.users where lower(email) = lower(%s)", [person.email]
    ).fetchone()
    if known is not None:
        return str(known[0])
    try:
        answer = _auth_client(environment).auth.sign_up(
            {"email": person.email, "password": _password(environment, person)}
        )
    except AuthError as error:
        raise DemoError(f"{person.email} could not be signed up: {error.message}.", log=_LOG) from error
    if answer.user is None:
        raise DemoError(f"The Auth API made no user for {person.email}.", log=_LOG)
    return answer.user.id


def _user(
    database: psycopg.Connection, identity: str, org_id: str, company_id: str | None, person: Person
) -> None:
    database.execute(
        "insert into public.users (id, org_id, company_id, email, full_name, role) "
        "values (%s, %s, %s, %s, %s, %s) on conflict (id) do nothing",
        [identity, org_id, company_id, person.email, person.full_name, person.role],
    )


def _id_of(database: psycopg.Connection, statement: str, parameters: dict[str, str]) -> str:
    row = database.execute(statement, parameters).fetchone()
    if row is None:
        raise DemoError("An upsert of the demo's org returned no row.", log=_LOG)
    return str(row[0])


def _auth_client(environment: Mapping[str, str]) -> Client:
    return create_client(environment["SUPABASE_URL"], environment["SUPABASE_PUBLISHABLE_KEY"])


def _password(environment: Mapping[str, str], person: Person) -> str:
    return base64.urlsafe_b64encode(derive(environment, f"password of {person.email}")).decode()


def derive(environment: Mapping[str, str], purpose: str) -> bytes:
    """32 bytes that only this stack and this purpose have, the same on every run."""
    key = environment["SUPABASE_SECRET_KEY"].encode()
    return hmac.digest(key, f"data-engine-x demo: {purpose}".encode(), hashlib.sha256)
