"""Verified credential → AuthContext: who the database says is calling."""

from uuid import UUID

from pydantic import ConfigDict

from api.auth.credential import AuthMethod, Credential
from api.auth.expiring_cache import ExpiringCache
from api.data_api import DataApi, DataApiCaller
from api.logs import note
from api.models.envelope import ResultModel
from api.models.invitations import AcceptInvitation
from api.models.users import UserRole

CACHE_SECONDS = 5.0
MAX_CACHED_CONTEXTS = 10_000


class AuthContext(ResultModel):
    """Who is calling. `company_id` is null for a caller who works for the whole org."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "org_id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10",
                    "user_id": "0d3e2b6e-3b1f-4a7d-9b57-2c0f5a6f1e21",
                    "company_id": None,
                    "role": "org_admin",
                    "auth_method": "supabase_jwt",
                }
            ]
        },
    )

    org_id: UUID
    user_id: UUID
    company_id: UUID | None
    role: UserRole
    auth_method: AuthMethod


class AuthContextResolver:
    """Asks the database who is calling, and caches the answer for 5 s.

    The cache decides nothing: each RPC resolves the caller again, from its credential.
    """

    def __init__(self, data_api: DataApi) -> None:
        self._data_api = data_api
        self._contexts: ExpiringCache[AuthContext] = ExpiringCache(CACHE_SECONDS, MAX_CACHED_CONTEXTS)

    async def resolve(self, credential: Credential, *, fresh: bool = False) -> AuthContext:
        """Raises ApiError: 401 for a revoked credential, 403 for a user who has no access."""
        context = None if fresh else self._contexts.get(credential.fingerprint)
        return _noted(context) if context else await self._ask(credential, "auth_context", None)

    def knows(self, fingerprint: str) -> bool:
        """Whether the database knew this credential within the last 5 s."""
        return self._contexts.get(fingerprint) is not None

    async def admit(self, credential: Credential, invitation: AcceptInvitation | None) -> AuthContext:
        """Accepts an invitation for the session; raises ApiError if there is not exactly one to accept."""
        return await self._ask(credential, "accept_invitation", invitation)

    async def leave(self, credential: Credential) -> AuthContext:
        """Takes the session's user out of its org, and returns the context that it had until now."""
        context = await self._ask(credential, "leave_org", None)
        self._contexts.forget(credential.fingerprint)
        return context

    async def _ask(self, credential: Credential, rpc: str, body: AcceptInvitation | None) -> AuthContext:
        context = await DataApiCaller(self._data_api, credential).call(rpc, body, AuthContext)
        self._contexts.put(credential.fingerprint, context)
        return _noted(context)


def _noted(context: AuthContext) -> AuthContext:
    note(org_id=str(context.org_id), user_id=str(context.user_id), auth_method=context.auth_method)
    return context
