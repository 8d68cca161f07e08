"""Secrets: set and replaced here, read back only by the tasks."""

from fastapi import APIRouter

from api.auth.context import CallerRpc, CurrentContext
from api.models.envelope import Data, Page
from api.models.secrets import DeletedSecret, DeleteSecret, ListSecrets, Secret, SetSecret

router = APIRouter(prefix="/v1/secrets", tags=["secrets"])


@router.post("/set", summary="Set or replace a secret")
async def set_secret(body: SetSecret, context: CurrentContext, rpc: CallerRpc) -> Data[Secret]:
    # Not rpc_arguments(): that prints a secret as stars.
    arguments = {"p_name": body.name, "p_value": body.value.get_secret_value()}
    return Data(data=await rpc.call("set_secret", arguments, Secret))


@router.post("/list", summary="List the names of secrets")
async def list_secrets(
    context: CurrentContext, rpc: CallerRpc, body: ListSecrets | None = None
) -> Page[Secret]:
    arguments = (body or ListSecrets()).rpc_arguments()
    return await rpc.call("list_secrets", arguments, Page[Secret])


@router.post("/delete", summary="Delete a secret")
async def delete_secret(body: DeleteSecret, context: CurrentContext, rpc: CallerRpc) -> Data[DeletedSecret]:
    arguments = body.rpc_arguments()
    return Data(data=await rpc.call("delete_secret", arguments, DeletedSecret))
