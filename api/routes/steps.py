"""Steps: what blueprints can be made of. They are published by the tasks, not here."""

from fastapi import APIRouter

from api.auth.context import CallerRpc, CurrentContext
from api.models.envelope import Data, Page
from api.models.steps import GetStep, ListSteps, Step

router = APIRouter(prefix="/v1/steps", tags=["steps"])


@router.post("/list", summary="List the latest version of each step")
async def list_steps(context: CurrentContext, rpc: CallerRpc, body: ListSteps | None = None) -> Page[Step]:
    arguments = (body or ListSteps()).rpc_arguments()
    return await rpc.call("list_steps", arguments, Page[Step])


@router.post("/get", summary="Get a step, its latest version unless one is named")
async def get_step(body: GetStep, context: CurrentContext, rpc: CallerRpc) -> Data[Step]:
    return Data(data=await rpc.call("get_step", body.rpc_arguments(), Step))
