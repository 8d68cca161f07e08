"""Blueprints. The config of each step is checked against the schema of the step before the RPC is called."""

from fastapi import APIRouter

from api.auth.caller import CurrentCaller
from api.idempotency import Idempotency
from api.models.blueprints import (
    Blueprint,
    BlueprintSummary,
    CreateBlueprint,
    GetBlueprint,
    ListBlueprints,
    UpdateBlueprint,
)
from api.models.envelope import Data, Page
from api.step_config import checked_steps

router = APIRouter(prefix="/v1/blueprints", tags=["blueprints"])


@router.post("/create", summary="Create a blueprint")
async def create_blueprint(
    body: CreateBlueprint, caller: CurrentCaller, idempotency: Idempotency
) -> Data[Blueprint]:
    more = {"p_steps": await checked_steps(caller, body.steps), **idempotency.arguments(body)}
    return Data(data=await caller.call("create_blueprint", body, Blueprint, more))


@router.post("/list", summary="List blueprints, without their steps")
async def list_blueprints(
    caller: CurrentCaller, body: ListBlueprints | None = None
) -> Page[BlueprintSummary]:
    return await caller.call("list_blueprints", body, Page[BlueprintSummary])


@router.post("/get", summary="Get a blueprint with its steps")
async def get_blueprint(body: GetBlueprint, caller: CurrentCaller) -> Data[Blueprint]:
    return Data(data=await caller.call("get_blueprint", body, Blueprint))


@router.post("/update", summary="Change a blueprint; its version goes up by one")
async def update_blueprint(body: UpdateBlueprint, caller: CurrentCaller) -> Data[Blueprint]:
    more = {} if body.steps is None else {"p_steps": await checked_steps(caller, body.steps)}
    return Data(data=await caller.call("update_blueprint", body, Blueprint, more))
