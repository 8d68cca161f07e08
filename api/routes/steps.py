"""Steps: the processors that a blueprint can use. The tasks publish them."""

from fastapi import APIRouter

from api.auth.caller import CurrentCaller
from api.models.envelope import Data, Page
from api.models.steps import GetStep, ListSteps, Step

router = APIRouter(prefix="/v1/steps", tags=["steps"])


@router.post("/list", summary="List the latest version of each step")
async def list_steps(caller: CurrentCaller, body: ListSteps | None = None) -> Page[Step]:
    return await caller.call("list_steps", body, Page[Step])


@router.post("/get", summary="Get a step, by default its latest version")
async def get_step(body: GetStep, caller: CurrentCaller) -> Data[Step]:
    return Data(data=await caller.call("get_step", body, Step))
