"""API tokens: made here, shown once, kept as a hash."""

from fastapi import APIRouter

from api.auth.api_token import generate_api_token
from api.auth.context import CallerRpc, CurrentContext
from api.models.api_tokens import (
    ApiTokenResult,
    ApiTokenRotation,
    CreateApiToken,
    CreatedApiToken,
    ListApiTokens,
    RevokeApiToken,
    RotateApiToken,
    RotatedApiToken,
)
from api.models.envelope import Data, Page

router = APIRouter(prefix="/v1/api-tokens", tags=["api tokens"])


@router.post("/create", summary="Create an API token; the answer shows it this once")
async def create_api_token(
    body: CreateApiToken, context: CurrentContext, rpc: CallerRpc
) -> Data[CreatedApiToken]:
    """Takes no Idempotency-Key: a repeated answer would have to show the token again."""
    token = generate_api_token()
    arguments = body.rpc_arguments() | {"p_token_hash": token.token_hash, "p_prefix": token.prefix}
    created = await rpc.call("create_api_token", arguments, ApiTokenResult)
    return Data(data=CreatedApiToken(**created.model_dump(), token=token.secret))


@router.post("/list", summary="List API tokens")
async def list_api_tokens(
    context: CurrentContext, rpc: CallerRpc, body: ListApiTokens | None = None
) -> Page[ApiTokenResult]:
    arguments = (body or ListApiTokens()).rpc_arguments()
    return await rpc.call("list_api_tokens", arguments, Page[ApiTokenResult])


@router.post("/rotate", summary="Replace an API token; the answer shows the new one this once")
async def rotate_api_token(
    body: RotateApiToken, context: CurrentContext, rpc: CallerRpc
) -> Data[RotatedApiToken]:
    """Both tokens are valid until the grace time is over. Takes no Idempotency-Key, as `/create`."""
    token = generate_api_token()
    arguments = body.rpc_arguments() | {"p_token_hash": token.token_hash, "p_prefix": token.prefix}
    rotated = await rpc.call("rotate_api_token", arguments, ApiTokenRotation)
    return Data(data=RotatedApiToken(**rotated.model_dump(), token=token.secret))


@router.post("/revoke", summary="Revoke an API token, from the next request on")
async def revoke_api_token(
    body: RevokeApiToken, context: CurrentContext, rpc: CallerRpc
) -> Data[ApiTokenResult]:
    arguments = body.rpc_arguments()
    return Data(data=await rpc.call("revoke_api_token", arguments, ApiTokenResult))
