"""Blueprints. The right to save one is checked first, then its configs and conditions."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.responses import Response

from api.auth.caller import Caller, CurrentCaller
from api.bodies.answers import Answer
from api.bodies.blueprint import CHECK_BLUEPRINT, LIST_STEPS
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
from api.models.steps import PinnedSteps
from api.offload.pool import Offload, OffloadPool
from api.routes.large_json import JsonOf, LargeJsonRoute, answer

router = APIRouter(prefix="/v1/blueprints", tags=["blueprints"], route_class=LargeJsonRoute)


@router.post("/create", summary="Create a blueprint", response_model=Data[Blueprint])
async def create_blueprint(
    body: Annotated[bytes, Body(), JsonOf(CreateBlueprint)],
    caller: CurrentCaller,
    idempotency: Idempotency,
    offload: Offload,
) -> Response:
    arguments = await _checked(caller, offload, body, {"creates": True, **idempotency.options()})
    return await answer(caller, offload, Answer.BLUEPRINT, "create_blueprint", arguments)


@router.post("/list", summary="List blueprints, without their steps")
async def list_blueprints(
    caller: CurrentCaller, body: ListBlueprints | None = None
) -> Page[BlueprintSummary]:
    return await caller.call("list_blueprints", body, Page[BlueprintSummary])


@router.post("/get", summary="Get a blueprint with its steps", response_model=Data[Blueprint])
async def get_blueprint(body: GetBlueprint, caller: CurrentCaller, offload: Offload) -> Response:
    return await answer(caller, offload, Answer.BLUEPRINT, "get_blueprint", body)


@router.post(
    "/update", summary="Change a blueprint; its version goes up by one", response_model=Data[Blueprint]
)
async def update_blueprint(
    body: Annotated[bytes, Body(), JsonOf(UpdateBlueprint)], caller: CurrentCaller, offload: Offload
) -> Response:
    arguments = await _checked(caller, offload, body, {"creates": False})
    return await answer(caller, offload, Answer.BLUEPRINT, "update_blueprint", arguments)


async def _checked(caller: Caller, offload: OffloadPool, body: bytes, options: dict[str, Any]) -> bytes:
    """The arguments of the RPC that saves the blueprint. `pin_steps` refuses a caller who may not save it."""
    listed = await offload.run(LIST_STEPS, caller.org_id, body, options)
    pinned = await caller.call("pin_steps", listed, PinnedSteps) if listed else PinnedSteps(steps=[])
    options |= {"pinned": pinned.model_dump(mode="json")["steps"]}
    return await offload.run(CHECK_BLUEPRINT, caller.org_id, body, options)
