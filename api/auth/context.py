"""Verified credential → AuthContext: who the database says is calling."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.auth.credential import AuthMethod, Credential, CredentialVerifier
from api.auth.expiring_cache import ExpiringCache
from api.data_api import DataApi, DataApiCaller
from api.logs import note
from api.models.auth import AuthContextResult, UserRole
from api.models.invitations import AcceptInvitation

CACHE_SECONDS = 5.0
MAX_CACHED_CONTEXTS = 10_000

# Both are the same header; two schemes so that the OpenAPI document names both kinds.
SESSION_SCHEME = HTTPBearer(
    scheme_name="supabase_jwt",
    bearerFormat="JWT",
    description="A Supabase session token, as the frontend's Supabase client holds it.",
    auto_error=False,
)
API_TOKEN_SCHEME = HTTPBearer(
    scheme_name="api_token",
    bearerFormat="dex_…",
    description="An API token of `/v1/api-tokens/create`, for server integrations.",
    auto_error=False,
)


@dataclass(frozen=True, slots=True)
class AuthContext:
    """The same for both credentials. `company_id` None: the caller works for the whole org.

    It decides nothing: each RPC asks the database anew who is calling, by the credential.
    """

    org_id: str
    user_id: str
    company_id: str | None
    role: UserRole
    auth_method: AuthMethod


class AuthContextResolver:
    """Asks the database who is calling, and remembers the answer for 5 s: it only decides what we print."""

    def __init__(self, data_api: DataApi) -> None:
        self._data_api = data_api
        self._contexts: ExpiringCache[AuthContext] = ExpiringCache(CACHE_SECONDS, MAX_CACHED_CONTEXTS)

    async def resolve(self, credential: Credential, *, fresh: bool) -> AuthContext:
        """Raises ApiError 401 for a credential that was revoked, 403 for one whose user may not come in."""
        context = None if fresh else self._contexts.get(credential.fingerprint)
        if context is None:
            context = await self._ask(credential, "auth_context", {})
        return context

    async def admit(self, credential: Credential, invitation: AcceptInvitation) -> AuthContext:
        """Makes the person behind a session a user by an invitation. Raises ApiError when there is none."""
        return await self._ask(credential, "accept_invitation", invitation.rpc_arguments())

    async def _ask(self, credential: Credential, rpc: str, arguments: Mapping[str, Any]) -> AuthContext:
        found = await self._data_api.as_caller(credential).call(rpc, arguments, AuthContextResult)
        context = AuthContext(
            org_id=str(found.org_id),
            user_id=str(found.user_id),
            company_id=str(found.company_id) if found.company_id else None,
            role=found.role,
            auth_method=found.auth_method,
        )
        self._contexts.put(credential.fingerprint, context)
        return context


SessionBearer = Annotated[HTTPAuthorizationCredentials | None, Security(SESSION_SCHEME)]
ApiTokenBearer = Annotated[HTTPAuthorizationCredentials | None, Security(API_TOKEN_SCHEME)]


async def get_credential(request: Request, _session: SessionBearer, _api_token: ApiTokenBearer) -> Credential:
    verifier: CredentialVerifier = request.app.state.credential_verifier
    return await verifier.verify(request.headers.get("authorization"))


CallerCredential = Annotated[Credential, Depends(get_credential)]


async def get_auth_context(request: Request, credential: CallerCredential) -> AuthContext:
    return await _resolve(request, credential, fresh=False)


async def get_fresh_auth_context(request: Request, credential: CallerCredential) -> AuthContext:
    return await _resolve(request, credential, fresh=True)


async def get_admitted_context(
    request: Request, credential: CallerCredential, body: AcceptInvitation | None = None
) -> AuthContext:
    resolver: AuthContextResolver = request.app.state.auth_contexts
    context = await resolver.admit(credential, body or AcceptInvitation())
    _note(context)
    return context


async def _resolve(request: Request, credential: Credential, *, fresh: bool) -> AuthContext:
    resolver: AuthContextResolver = request.app.state.auth_contexts
    context = await resolver.resolve(credential, fresh=fresh)
    _note(context)
    return context


def _note(context: AuthContext) -> None:
    note(org_id=context.org_id, user_id=context.user_id, auth_method=context.auth_method)


def get_caller_rpc(request: Request, credential: CallerCredential) -> DataApiCaller:
    data_api: DataApi = request.app.state.data_api
    return data_api.as_caller(credential)


# Every endpoint takes one of these contexts, and what it calls it calls through CallerRpc. Whoever accepts an
# invitation has no context before, so that endpoint takes the admitted one.
CurrentContext = Annotated[AuthContext, Depends(get_auth_context)]
FreshContext = Annotated[AuthContext, Depends(get_fresh_auth_context)]
AdmittedContext = Annotated[AuthContext, Depends(get_admitted_context)]
CallerRpc = Annotated[DataApiCaller, Depends(get_caller_rpc)]
