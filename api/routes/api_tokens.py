"""API tokens. The API generates a token and shows it once; the database stores its hash."""

from fastapi import APIRouter

from api.auth.api_token import generate_api_token
from api.auth.caller import CurrentCaller
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


@router.post("/create", summary="Create an API token; only this answer shows it")
async def create_api_token(body: CreateApiToken, caller: CurrentCaller) -> Data[CreatedApiToken]:
    """Takes no Idempotency-Key: a repeated answer would have to show the token again."""
    token = generate_api_token()
    created = await caller.call("create_api_token", body, ApiTokenResult, token.rpc_arguments())
    return Data(data=CreatedApiToken(**created.model_dump(), token=token.secret))


@router.post("/list", summary="List API tokens")
async def list_api_tokens(caller: CurrentCaller, body: ListApiTokens | None = None) -> Page[ApiTokenResult]:
    return await caller.call("list_api_tokens", body, Page[ApiTokenResult])


@router.post("/rotate", summary="Replace an API token; only this answer shows the new one")
async def rotate_api_token(body: RotateApiToken, caller: CurrentCaller) -> Data[RotatedApiToken]:
    """Both tokens are valid until the grace time ends. Takes no Idempotency-Key, like `/create`."""
    token = generate_api_token()
    rotated = await caller.call("rotate_api_token", body, ApiTokenRotation, token.rpc_arguments())
    return Data(data=RotatedApiToken(**rotated.model_dump(), token=token.secret))


@router.post("/revoke", summary="Revoke an API token; the next request with it is refused")
async def revoke_api_token(body: RevokeApiToken, caller: CurrentCaller) -> Data[ApiTokenResult]:
    return Data(data=await caller.call("revoke_api_token", body, ApiTokenResult))
