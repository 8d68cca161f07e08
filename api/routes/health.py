"""Whether the process lives, and whether it can serve."""

import time
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Findings:
    """What the last check found; `at` is on the monotonic clock."""

    at: float
    data_api_answers: bool
    trigger: str


@router.get("/healthz", summary="The process answers")
async def healthz() -> Health:
    return Health()


@router.get("/readyz", summary="The Data API answers; Trigger.dev is reported, but not needed to be ready")
async def readyz(request: Request, data_api: DataApiClient, trigger: Trigger) -> Readiness:
    """Anybody may ask, so what was found, good or bad, is remembered for two seconds."""
    found: Findings | None = getattr(request.app.state, "readiness", None)
    if found is None or time.monotonic() - found.at >= REMEMBER_SECONDS:
        trigger_state = await trigger.check()
        data_api_answers = await data_api.check()
        found = Findings(time.monotonic(), data_api_answers, trigger_state)
        request.app.state.readiness = found
    if not found.data_api_answers:
        raise ApiError(
            ErrorCode.DATA_API_UNAVAILABLE,
            "The Data API does not answer as it should. Check SUPABASE_URL and the publishable key, that "
            "PostgREST and its database are up, and that all migrations are applied.",
            details={"data_api": "unreachable", "trigger": found.trigger},
            headers={"Retry-After": "2"},
        )
    return Readiness(trigger=found.trigger)
