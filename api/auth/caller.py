"""The dependencies of the endpoints: the credential of a request, its AuthContext, and its Caller."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.auth.context import AuthContext, AuthContextResolver
from api.auth.credential import Credential
from api.data_api import Arguments, DataApi, DataApiCaller
from api.models.invitations import AcceptInvitation
from api.shares import Shares

# Both read the same header; two schemes show both kinds in the OpenAPI document.
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

SessionBearer = Annotated[HTTPAuthorizationCredentials | None, Security(SESSION_SCHEME)]
ApiTokenBearer = Annotated[HTTPAuthorizationCredentials | None, Security(API_TOKEN_SCHEME)]


class Caller(DataApiCaller):
    """Calls RPCs with the credential of the caller; `context` says who that is.

    No route decides by `context`: the database decides by the credential.
    """

    def __init__(
        self, data_api: DataApi, credential: Credential, context: AuthContext, shares: Shares
    ) -> None:
        super().__init__(data_api, credential)
        self.context = context
        self._shares = shares

    @property
    def org_id(self) -> str:
        """Whose share of the API the caller uses."""
        return str(self.context.org_id)

    async def call_raw(
        self,
        name: str,
        arguments: Arguments,
        more: Mapping[str, object] | None = None,
        *,
        repeatable: bool = False,
    ) -> bytes:
        """Waits for a place: the connections to the Data API are few, and all orgs use them."""
        async with self._shares.of(self.org_id):
            return await super().call_raw(name, arguments, more, repeatable=repeatable)


async def get_credential(request: Request, _session: SessionBearer, _api_token: ApiTokenBearer) -> Credential:
    """The middleware `authentication` has verified it. The two schemes document it."""
    credential: Credential = request.state.credential
    return credential


VerifiedCredential = Annotated[Credential, Depends(get_credential)]


async def get_auth_context(request: Request, credential: VerifiedCredential) -> AuthContext:
    resolver: AuthContextResolver = request.app.state.auth_contexts
    return await resolver.resolve(credential)


async def get_fresh_auth_context(request: Request, credential: VerifiedCredential) -> AuthContext:
    resolver: AuthContextResolver = request.app.state.auth_contexts
    return await resolver.resolve(credential, fresh=True)


async def get_admitted_context(
    request: Request, credential: VerifiedCredential, body: AcceptInvitation | None = None
) -> AuthContext:
    resolver: AuthContextResolver = request.app.state.auth_contexts
    return await resolver.admit(credential, body)


async def get_left_context(request: Request, credential: VerifiedCredential) -> AuthContext:
    resolver: AuthContextResolver = request.app.state.auth_contexts
    return await resolver.leave(credential)


async def get_caller(
    request: Request,
    credential: VerifiedCredential,
    context: Annotated[AuthContext, Depends(get_auth_context)],
) -> Caller:
    state = request.app.state
    return Caller(state.data_api, credential, context, state.data_api_shares)


# Every endpoint takes one of these. FreshContext skips the cache. AdmittedContext is for the endpoint that
# accepts an invitation, whose caller has no context before; LeftContext for leaving, which works for a
# deactivated user too.
CurrentCaller = Annotated[Caller, Depends(get_caller)]
FreshContext = Annotated[AuthContext, Depends(get_fresh_auth_context)]
AdmittedContext = Annotated[AuthContext, Depends(get_admitted_context)]
LeftContext = Annotated[AuthContext, Depends(get_left_context)]
