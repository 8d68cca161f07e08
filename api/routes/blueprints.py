"""Blueprints. Each step's config is checked against the schema that the step published before SQL sees it."""

from fastapi import APIRouter

from api.auth.context import CallerRpc, CurrentContext
from api.idempotency import IdempotencyKey, idempotency_arguments
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
    body: CreateBlueprint,
    context: CurrentContext,
    rpc: CallerRpc,
    idempotency_key: IdempotencyKey = None,
) -> Data[Blueprint]:
    arguments = body.rpc_arguments() | idempotency_arguments(idempotency_key, "/v1/blueprints/create", body)
    arguments["p_steps"] = await checked_steps(rpc, body.steps)
    return Data(data=await rpc.call("create_blueprint", arguments, Blueprint))


@router.post("/list", summary="List blueprints, without their steps")
async def list_blueprints(
    context: CurrentContext, rpc: CallerRpc, body: ListBlueprints | None = None
) -> Page[BlueprintSummary]:
    arguments = (body or ListBlueprints()).rpc_arguments()
    return await rpc.call("list_blueprints", arguments, Page[BlueprintSummary])


@router.post("/get", summary="Get a blueprint with its steps")
async def get_blueprint(body: GetBlueprint, context: CurrentContext, rpc: CallerRpc) -> Data[Blueprint]:
    arguments = body.rpc_arguments()
    return Data(data=await rpc.call("get_blueprint", arguments, Blueprint))


@router.post("/update", summary="Change a blueprint; its version goes up by one")
async def update_blueprint(body: UpdateBlueprint, context: CurrentContext, rpc: CallerRpc) -> Data[Blueprint]:
    arguments = body.rpc_arguments()
    if body.steps is not None:
        arguments["p_steps"] = await checked_steps(rpc, body.steps)
    return Data(data=await rpc.call("update_blueprint", arguments, Blueprint))
