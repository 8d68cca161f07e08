"""One caller for each kind of credential."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.fuzz.world import Belongings, World
from tests.support.stack import StackEnvironment
from tests.support.tenants import User, create_token, create_user, session_jwt

_SESSION_SECONDS = 6 * 3600
_GIVE_UP_ACCESS = {"/v1/users/leave"}
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
# A valid credential has weight 1.
_WEIGHT_OF_DEAD = 0.25


@dataclass(frozen=True)
class Caller:
    """A `dead` caller has no access. Any other caller without `company_id` reaches its whole org.

    `strangers` are the other org, which the caller must never see.
    """

    kind: str
    bearer: str | None = field(repr=False)
    belongings: Belongings
    strangers: Belongings
    company_id: str | None = None
    dead: bool = False
    # Nothing else depends on it, so it may give up its own access.
    spare: bool = False


def create_callers(world: World, environment: StackEnvironment) -> list[Caller]:
    connection, org = world.connection, world.own.org

    def session(user: User, **claims: object) -> str:
        return session_jwt(environment, user, **{"exp": int(time.time()) + _SESSION_SECONDS, **claims})

    def caller(kind: str, bearer: str | None, *, company_id: str | None = None, dead: bool = False) -> Caller:
        return Caller(kind, bearer, world.own, world.other, company_id, dead)

    first = org.first
    narrowed = create_token(connection, org.admin, role="company_admin", company_id=first.id)
    expired = create_token(connection, org.admin, expires_at=_LONG_AGO)
    revoked = create_token(connection, org.admin, revoked_at=_LONG_AGO)
    leaver = create_user(connection, org.id, "member", first.id)
    return [
        caller("org_admin", session(org.admin)),
        caller("company_admin", session(first.company_admin), company_id=first.id),
        caller("member", session(first.member), company_id=first.id),
        caller("token of the org", create_token(connection, org.admin).secret),
        caller("narrowed token", narrowed.secret, company_id=first.id),
        Caller("org_admin of the other org", session(world.other.org.admin), world.other, world.own),
        Caller("leaving member", session(leaver), world.own, world.other, first.id, spare=True),
        caller("expired session", session(org.admin, exp=int(time.time()) - 60), dead=True),
        caller("expired token", expired.secret, dead=True),
        caller("revoked token", revoked.secret, dead=True),
        caller("nobody", None, dead=True),
    ]


def pick_caller(callers: list[Caller], path: str, luck: random.Random) -> Caller:
    able = [caller for caller in callers if caller.dead or caller.spare == (path in _GIVE_UP_ACCESS)]
    return luck.choices(able, [_WEIGHT_OF_DEAD if caller.dead else 1 for caller in able])[0]
