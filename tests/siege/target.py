"""What a tenant knows: URLs, its credentials and ids."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from tests.support.stack import StackEnvironment, own_postgrest
from tests.support.tenants import Org, session_jwt

Json = dict[str, Any]
_SESSION_SECONDS = 6 * 3600


@dataclass(frozen=True)
class Target:
    """Each tenant calls from its own loopback `address`, as limits may count by address."""

    api_url: str
    data_api_url: str
    publishable_key: str
    # Set if the Data API is the stand-in, see `sql_rpc.py`.
    database_url: str | None = field(repr=False)
    address: str
    admin: str = field(repr=False)
    member: str = field(repr=False)
    company_id: str
    blueprint_id: str = ""
    # A succeeded run with megabytes of output; only the attacker has one.
    large_run_id: str = ""

    @classmethod
    def of(cls, stack: StackEnvironment, org: Org, address: str) -> Target:
        until = int(time.time()) + _SESSION_SECONDS
        return cls(
            api_url=stack.api_url,
            data_api_url=f"{stack.supabase_url}/rest/v1",
            publishable_key=stack.publishable_key,
            database_url=None if own_postgrest() else stack.database_url,
            address=address,
            admin=session_jwt(stack, org.admin, exp=until),
            member=session_jwt(stack, org.first.member, exp=until),
            company_id=org.first.id,
        )


def encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
