"""Every kind of caller: each role and kind of token in one org, credentials that have ended, strangers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from api.auth.api_token import generate_api_token
from tests.isolation.reach import Authority
from tests.support.sql_client import Client, Connection, anonymous, owner, service, signed_in, with_token
from tests.support.tenants import (
    Org,
    Role,
    Tenants,
    Token,
    User,
    create_identity,
    create_org,
    create_token,
    create_user,
)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

# session: a Supabase session. token: an API token. key: a key of the project, without a user.
Kind = Literal["session", "token", "key"]


@dataclass(frozen=True)
class Caller:
    """`refusal` is the stable code with which every function refuses a caller without authority."""

    code: str
    who: str
    kind: Kind
    client: Client
    authority: Authority | None
    refusal: str | None = None
    user: User | None = None
    token: Token | None = None
    # Claims that the session's JWT carries besides the usual ones, in SQL and over HTTP.
    claims: dict[str, Any] = field(default_factory=dict)

    @property
    def has_no_grants(self) -> bool:
        """Whether no exposed table and no public function is granted to the caller's role."""
        return self.client.role != "authenticated"


def create_callers(connection: Connection, tenants: Tenants) -> list[Caller]:
    """Creates the credentials. They belong to `tenants.org` and its first company unless `who` says more."""
    org, first = tenants.org, tenants.org.first
    admin, company_admin, member = org.admin, first.company_admin, first.member
    return [
        _session(connection, "OA", "org_admin", admin),
        _session(connection, "CA", "company_admin", company_admin),
        _session(connection, "ME", "member", member),
        _session(connection, "MF", "member whose JWT claims to be more", member, _forged_claims(tenants)),
        _token(connection, "tO", "token of the org_admin, org-wide", create_token(connection, admin)),
        _token(
            connection,
            "tC",
            "token of the org_admin, narrowed to a company",
            create_token(connection, admin, role="company_admin", company_id=first.id),
        ),
        _token(
            connection,
            "tN",
            "token of the org_admin, narrowed to a company and to member",
            create_token(connection, admin, role="member", company_id=first.id),
        ),
        _token(connection, "tA", "token of the company_admin", create_token(connection, company_admin)),
        _token(
            connection,
            "tR",
            "token of the company_admin, narrowed to member",
            create_token(connection, company_admin, role="member"),
        ),
        _token(connection, "tM", "token of the member", create_token(connection, member)),
        *_rotated(connection, org),
        *_ended(connection, org),
        _refused(
            "uN",
            "signed-in identity that is no user",
            signed_in(connection, identity := create_identity(connection, org.id)),
            "identity_not_registered",
            user=identity,
        ),
        _invited(connection, tenants.other),
        *_of_a_disabled_org(connection),
        _session(connection, "XO", "org_admin of another org", tenants.other.admin),
        _token(
            connection,
            "XM",
            "token of a member of another org",
            create_token(connection, tenants.other.first.member),
        ),
        Caller(
            "an",
            "nobody: the publishable key alone",
            "key",
            anonymous(connection),
            None,
            "missing_credential",
        ),
        Caller("sr", "service_role: the tasks' secret key", "key", service(connection), None, None),
    ]


def _rotated(connection: Connection, org: Org) -> list[Caller]:
    """Two tokens that were rotated: one in its grace time, and one after it."""
    graced, ended = (create_token(connection, org.first.company_admin) for _ in range(2))
    for token, seconds in ((graced, 3600), (ended, 0)):
        successor = generate_api_token()
        signed_in(connection, org.first.company_admin).call(
            "rotate_api_token",
            api_token_id=token.id,
            token_hash=successor.token_hash,
            prefix=successor.prefix,
            grace_seconds=seconds,
        )
    return [
        _token(connection, "tG", "token of the company_admin, rotated, in its grace time", graced),
        _refused_token(connection, "tW", "token that was rotated, grace over", ended, "api_token_expired"),
    ]


def _ended(connection: Connection, org: Org) -> list[Caller]:
    """Credentials of the org that have expired or were withdrawn."""
    expired = create_token(connection, org.admin, expires_at=LONG_AGO)
    revoked = create_token(connection, org.admin, revoked_at=LONG_AGO)
    gone = create_user(connection, org.id, "company_admin", org.first.id)
    token_of_gone = create_token(connection, gone)
    moved = create_user(connection, org.id, "company_admin", org.second.id)
    token_of_moved = create_token(connection, moved)
    postgres = owner(connection)
    postgres.change("update public.users set deactivated_at = now() where id = %(id)s", {"id": gone.id})
    postgres.change(
        "update public.users set company_id = %(company)s where id = %(id)s",
        {"company": org.first.id, "id": moved.id},
    )
    return [
        _refused_token(connection, "tX", "expired token of the org_admin", expired, "api_token_expired"),
        _refused_token(connection, "tV", "revoked token of the org_admin", revoked, "api_token_revoked"),
        _refused_token(connection, "tD", "token of a deactivated user", token_of_gone, "user_deactivated"),
        _refused_token(
            connection, "tL", "token of a company that its creator has left", token_of_moved, "forbidden"
        ),
        _refused("uD", "deactivated user", signed_in(connection, gone), "user_deactivated", user=gone),
    ]


def _invited(connection: Connection, org: Org) -> Caller:
    """An identity whom this org has invited. It can accept that invitation and no other."""
    identity = create_identity(connection, org.id)
    signed_in(connection, org.admin).call("create_invitation", email=identity.email, role="org_admin")
    who = "identity with an invitation to another org"
    return _refused("uI", who, signed_in(connection, identity), "identity_not_registered", user=identity)


def _of_a_disabled_org(connection: Connection) -> list[Caller]:
    org = create_org(connection, "shut")
    token = create_token(connection, org.admin)
    owner(connection).change("update public.orgs set disabled_at = now() where id = %(id)s", {"id": org.id})
    return [
        _refused(
            "uS",
            "org_admin of a disabled org",
            signed_in(connection, org.admin),
            "org_disabled",
            user=org.admin,
        ),
        _refused_token(connection, "tS", "token of a disabled org", token, "org_disabled"),
    ]


def _forged_claims(tenants: Tenants) -> dict[str, Any]:
    """Claims that users could write into their own metadata to gain rights."""
    claim = {
        "role": "org_admin",
        "user_role": "org_admin",
        "org_id": tenants.other.id,
        "company_id": tenants.other.first.id,
        "is_operator": True,
    }
    return {"user_metadata": claim, "app_metadata": claim, **{k: v for k, v in claim.items() if k != "role"}}


def _session(
    connection: Connection, code: str, who: str, user: User, claims: dict[str, Any] | None = None
) -> Caller:
    authority = Authority(user.org_id, user.company_id, user.id, user.role, is_session=True)
    client = signed_in(connection, user, **(claims or {}))
    return Caller(code, who, "session", client, authority, user=user, claims=claims or {})


def _token(connection: Connection, code: str, who: str, token: Token) -> Caller:
    role: Role = token.role
    authority = Authority(token.user.org_id, token.company_id, token.user.id, role, is_session=False)
    return Caller(code, who, "token", with_token(connection, token), authority, user=token.user, token=token)


def _refused(code: str, who: str, client: Client, refusal: str, user: User) -> Caller:
    return Caller(code, who, "session", client, None, refusal, user=user)


def _refused_token(connection: Connection, code: str, who: str, token: Token, refusal: str) -> Caller:
    return Caller(
        code, who, "token", with_token(connection, token), None, refusal, user=token.user, token=token
    )
