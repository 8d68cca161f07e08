"""Users: the people of an org. They come by invitation, and are deactivated rather than deleted."""

from fastapi import APIRouter

from api.auth.context import CallerRpc, CurrentContext
from api.models.envelope import Data, Page
from api.models.users import DeactivateUser, GetUser, ListUsers, ReactivateUser, UpdateUser, User

router = APIRouter(prefix="/v1/users", tags=["users"])


@router.post("/list", summary="List the users the caller can see")
async def list_users(context: CurrentContext, rpc: CallerRpc, body: ListUsers | None = None) -> Page[User]:
    arguments = (body or ListUsers()).rpc_arguments()
    return await rpc.call("list_users", arguments, Page[User])


@router.post("/get", summary="Get a user")
async def get_user(body: GetUser, context: CurrentContext, rpc: CallerRpc) -> Data[User]:
    return Data(data=await rpc.call("get_user", body.rpc_arguments(), User))


@router.post("/update", summary="Change a user's role, company or name")
async def update_user(body: UpdateUser, context: CurrentContext, rpc: CallerRpc) -> Data[User]:
    return Data(data=await rpc.call("update_user", body.rpc_arguments(), User))


@router.post("/deactivate", summary="Refuse a user and its API tokens from the next request on")
async def deactivate_user(body: DeactivateUser, context: CurrentContext, rpc: CallerRpc) -> Data[User]:
    return Data(data=await rpc.call("deactivate_user", body.rpc_arguments(), User))


@router.post("/reactivate", summary="Let a deactivated user in again")
async def reactivate_user(body: ReactivateUser, context: CurrentContext, rpc: CallerRpc) -> Data[User]:
    return Data(data=await rpc.call("reactivate_user", body.rpc_arguments(), User))
