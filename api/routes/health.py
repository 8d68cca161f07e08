"""Whether the process lives, and whether it can serve."""

import time
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from api.data_api import DataApiClient
from api.errors import ApiError, ErrorCode
from api.trigger_client import Trigger

router = APIRouter(tags=["health"])

REMEMBER_SECONDS = 2.0


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Readiness(Health):
    data_api: Literal["ok"] = "ok"
    trigger: str


@router.get("/healthz", summary="The process answers")
async def healthz() -> Health:
    return Health()


@router.get("/readyz", summary="The Data API answers; Trigger.dev is reported, but not needed to be ready")
async def readyz(request: Request, data_api: DataApiClient, trigger: Trigger) -> Readiness:
    """Anybody may ask, so what was found is remembered for two seconds."""
    remembered: tuple[float, Readiness] | None = getattr(request.app.state, "readiness", None)
    if remembered and time.monotonic() - remembered[0] < REMEMBER_SECONDS:
        return remembered[1]
    trigger_state = await trigger.check()
    if not await data_api.check():
        raise ApiError(
            ErrorCode.DATA_API_UNAVAILABLE,
            "The Data API does not answer, or its migrations are missing.",
            details={"data_api": "unreachable", "trigger": trigger_state},
            headers={"Retry-After": "2"},
        )
    readiness = Readiness(trigger=trigger_state)
    request.app.state.readiness = (time.monotonic(), readiness)
    return readiness
