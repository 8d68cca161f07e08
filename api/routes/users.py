"""Users: the people of an org. They join by invitation, and are deactivated instead of deleted."""

from fastapi import APIRouter

from api.auth.caller import CurrentCaller, LeftContext
from api.auth.context import AuthContext
from api.models.envelope import Data, Page
from api.models.users import DeactivateUser, GetUser, ListUsers, ReactivateUser, UpdateUser, User

router = APIRouter(prefix="/v1/users", tags=["users"])


@router.post("/list", summary="List the users that the caller can see")
async def list_users(caller: CurrentCaller, body: ListUsers | None = None) -> Page[User]:
    return await caller.call("list_users", body, Page[User])


@router.post("/get", summary="Get a user")
async def get_user(body: GetUser, caller: CurrentCaller) -> Data[User]:
    return Data(data=await caller.call("get_user", body, User))


@router.post("/update", summary="Change a user's role, company or name")
async def update_user(body: UpdateUser, caller: CurrentCaller) -> Data[User]:
    return Data(data=await caller.call("update_user", body, User))


@router.post("/deactivate", summary="Deactivate a user and its API tokens; their next request is refused")
async def deactivate_user(body: DeactivateUser, caller: CurrentCaller) -> Data[User]:
    return Data(data=await caller.call("deactivate_user", body, User))


@router.post("/reactivate", summary="Reactivate a deactivated user")
async def reactivate_user(body: ReactivateUser, caller: CurrentCaller) -> Data[User]:
    return Data(data=await caller.call("reactivate_user", body, User))


@router.post("/leave", summary="Leave the org for good")
async def leave_org(context: LeftContext) -> Data[AuthContext]:
    """For the signed-in person. The answer is the context that the session had. Its API tokens end too."""
    return Data(data=context)
