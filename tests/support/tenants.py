"""Orgs, companies, users of every role, API tokens and their credentials, written by SQL.

Users get their auth.users rows by an insert and their sessions by signing a JWT, which is faster than
signing in.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

import jwt
import psycopg

from api.auth.api_token import generate_api_token
from tests.support.stack import StackEnvironment

Role = Literal["org_admin", "company_admin", "member"]


@dataclass(frozen=True)
class User:
    id: str
    org_id: str
    company_id: str | None
    role: Role
    email: str


@dataclass(frozen=True)
class Token:
    """An API token; a client sends `secret` as its bearer."""

    id: str
    user: User
    role: Role
    company_id: str | None
    token_hash: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Company:
    id: str
    org_id: str
    name: str
    company_admin: User
    member: User
    other_member: User

    @property
    def users(self) -> tuple[User, ...]:
        return (self.company_admin, self.member, self.other_member)


@dataclass(frozen=True)
class Org:
    id: str
    name: str
    slug: str
    admin: User
    first: Company
    second: Company

    @property
    def users(self) -> tuple[User, ...]:
        return (self.admin, *self.first.users, *self.second.users)


@dataclass(frozen=True)
class Tenants:
    """Two orgs. Users of `other` must see nothing of `org`."""

    org: Org
    other: Org

    def __iter__(self) -> Iterator[Org]:
        return iter((self.org, self.other))


def create_tenants(connection: psycopg.Connection[Any]) -> Tenants:
    """Two orgs with two companies each. Names are unique, so it may be called repeatedly."""
    return Tenants(create_org(connection, "acme"), create_org(connection, "globex"))


def create_org(connection: psycopg.Connection[Any], name: str = "acme") -> Org:
    """An org with an org_admin and two companies, each with a company_admin and two members."""
    org_id, slug = str(uuid4()), f"{name}-{uuid4().hex[:12]}"
    # Many tests share an org and leave runs unfinished.
    connection.execute(
        "insert into public.orgs (id, name, slug, max_runs_in_flight) values (%s, %s, %s, 100)",
        (org_id, name, slug),
    )
    return Org(
        id=org_id,
        name=name,
        slug=slug,
        admin=create_user(connection, org_id, "org_admin"),
        first=create_company(connection, org_id, f"{name} north"),
        second=create_company(connection, org_id, f"{name} south"),
    )


def create_company(connection: psycopg.Connection[Any], org_id: str, name: str) -> Company:
    company_id = str(uuid4())
    connection.execute(
        "insert into public.companies (id, org_id, name) values (%s, %s, %s)", (company_id, org_id, name)
    )
    return Company(
        id=company_id,
        org_id=org_id,
        name=name,
        company_admin=create_user(connection, org_id, "company_admin", company_id),
        member=create_user(connection, org_id, "member", company_id),
        other_member=create_user(connection, org_id, "member", company_id),
    )


def create_user(
    connection: psycopg.Connection[Any], org_id: str, role: Role, company_id: str | None = None
) -> User:
    user = create_identity(connection, org_id, role, company_id)
    connection.execute(
        "insert into public.users (id, identity_id, org_id, company_id, email, role) "
        "values (%s, %s, %s, %s, %s, %s)",
        (user.id, user.id, user.org_id, user.company_id, user.email, user.role),
    )
    return user


def create_identity(
    connection: psycopg.Connection[Any],
    org_id: str,
    role: Role = "member",
    company_id: str | None = None,
    *,
    email: str | None = None,
    confirmed: bool = True,
) -> User:
    """An identity that can sign in, and is no user of any org."""
    user_id = str(uuid4())
    user = User(user_id, org_id, company_id, role, email or f"{role}-{user_id}@example.com")
    connection.execute(
        "insert into auth.users (id, email, email_confirmed_at) values (%s, %s, case when %s then now() end)",
        (user.id, user.email, confirmed),
    )
    return user


def create_token(
    connection: psycopg.Connection[Any],
    user: User,
    *,
    role: Role | None = None,
    company_id: str | None = None,
    expires_at: datetime | None = None,
    revoked_at: datetime | None = None,
) -> Token:
    """An API token of `user`, by default with the user's own role and company."""
    generated, token_id = generate_api_token(), str(uuid4())
    token = Token(
        id=token_id,
        user=user,
        role=role or user.role,
        company_id=company_id or user.company_id,
        token_hash=generated.token_hash,
        secret=generated.secret,
    )
    connection.execute(
        """
        insert into public.api_tokens
            (id, org_id, company_id, user_id, name, token_hash, prefix, role, expires_at, revoked_at)
        values (%s, %s, %s, %s, 'integration', %s, %s, %s, %s, %s)
        """,
        (
            token.id, user.org_id, token.company_id, user.id, token.token_hash, generated.prefix, token.role,
            expires_at, revoked_at,
        ),
    )  # fmt: skip
    return token


def session_jwt(environment: StackEnvironment, user: User, **claims: object) -> str:
    """A Supabase session of `user` that is valid for ten minutes; `claims` replace or add to its own."""
    now = int(time.time())
    session = {
        "iss": environment.jwt_issuer,
        "aud": environment.jwt_audience,
        "sub": user.id,
        "role": "authenticated",
        "email": user.email,
        "iat": now,
        "exp": now + 600,
    }
    return jwt.encode(session | claims, environment.jwt_secret, algorithm="HS256")
