"""Whether the process runs, and whether it can serve requests."""

import time
from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from api.data_api import DataApiClient
from api.errors import ApiError, ErrorCode
from api.routes import ERROR_RESPONSES
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
    """The result of the last check; `at` is on the monotonic clock."""

    at: float
    data_api_answers: bool
    trigger: str


@router.get("/healthz", summary="Whether the process answers")
async def healthz() -> Health:
    return Health()


@router.get(
    "/readyz",
    summary="Whether the Data API answers; the state of Trigger.dev is only reported",
    responses={503: ERROR_RESPONSES[503]},
)
async def readyz(request: Request, data_api: DataApiClient, trigger: Trigger) -> Readiness:
    """The result is cached for two seconds, because this needs no credential."""
    found: Findings | None = getattr(request.app.state, "readiness", None)
    if found is None or time.monotonic() - found.at >= REMEMBER_SECONDS:
        trigger_state = await trigger.check()
        data_api_answers = await data_api.check()
        found = Findings(time.monotonic(), data_api_answers, trigger_state)
        request.app.state.readiness = found
    if not found.data_api_answers:
        raise ApiError(
            ErrorCode.DATA_API_UNAVAILABLE,
            "The Data API does not answer as expected. Check SUPABASE_URL and the publishable key. PostgREST "
            "and its database must run, and all migrations must be applied.",
            details={"data_api": "unreachable", "trigger": found.trigger},
            headers={"Retry-After": "2"},
        )
    return Readiness(trigger=found.trigger)
