"""Secrets: the API sets and replaces them; only the tasks read them."""

from fastapi import APIRouter

from api.auth.caller import CurrentCaller
from api.models.envelope import Data, Page
from api.models.secrets import DeletedSecret, DeleteSecret, ListSecrets, Secret, SetSecret

router = APIRouter(prefix="/v1/secrets", tags=["secrets"])


@router.post("/set", summary="Set or replace a secret")
async def set_secret(body: SetSecret, caller: CurrentCaller) -> Data[Secret]:
    # The body alone would pass the value on as stars.
    value = body.value.get_secret_value()
    return Data(data=await caller.call("set_secret", body, Secret, {"p_value": value}))


@router.post("/list", summary="List the names of secrets")
async def list_secrets(caller: CurrentCaller, body: ListSecrets | None = None) -> Page[Secret]:
    return await caller.call("list_secrets", body, Page[Secret])


@router.post("/delete", summary="Delete a secret")
async def delete_secret(body: DeleteSecret, caller: CurrentCaller) -> Data[DeletedSecret]:
    return Data(data=await caller.call("delete_secret", body, DeletedSecret))
