"""Whether the process runs, and whether it can serve requests."""

import time
from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from api.auth.api_token import ContextJwtMinter
from api.data_api import DataApiClient
from api.errors import ApiError, ErrorCode
from api.reconciler import Watch
from api.routes import ERROR_RESPONSES
from api.trigger_client import Trigger

router = APIRouter(tags=["health"])

REMEMBER_SECONDS = 2.0
# No token has this hash.
NOBODY = "0" * 64


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Readiness(Health):
    data_api: Literal["ok"] = "ok"
    trigger: str
    reconciler: str


@dataclass(frozen=True)
class Findings:
    """The result of the last check; `at` is on the monotonic clock."""

    at: float
    data_api: str
    trigger: str


@router.get("/healthz", summary="Whether the process answers")
async def healthz() -> Health:
    return Health()


@router.get(
    "/readyz",
    summary="Whether the Data API answers; the states of Trigger.dev and of the reconciler are only reported",
    responses={503: ERROR_RESPONSES[503]},
)
async def readyz(request: Request, data_api: DataApiClient, trigger: Trigger, reconciler: Watch) -> Readiness:
    """The result is cached for two seconds, because this needs no credential.

    `reconciler` is what the last request about runs found: `ok`, `late since …` or `unknown`.
    """
    found: Findings | None = getattr(request.app.state, "readiness", None)
    if found is None or time.monotonic() - found.at >= REMEMBER_SECONDS:
        trigger_state = await trigger.check()
        context_jwts: ContextJwtMinter = request.app.state.context_jwts
        data_api_state = await data_api.check(context_jwts.mint(NOBODY))
        found = Findings(time.monotonic(), data_api_state, trigger_state)
        request.app.state.readiness = found
    if found.data_api != "ok":
        raise ApiError(
            ErrorCode.DATA_API_UNAVAILABLE,
            "The Data API does not answer as expected. Check SUPABASE_URL, the publishable key and the key "
            "that signs context JWTs. PostgREST and its database must run, with all migrations applied.",
            details={"data_api": found.data_api, "trigger": found.trigger},
            headers={"Retry-After": "2"},
        )
    return Readiness(trigger=found.trigger, reconciler=reconciler.describe())
