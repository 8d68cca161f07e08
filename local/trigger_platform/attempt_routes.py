"""The CLI's calls while it executes runs, and those of its telemetry."""

from datetime import UTC, datetime
from typing import Literal, Self

from fastapi import APIRouter, Depends, Request, Response
from pydantic import model_validator

from local.trigger_platform.clock import iso
from local.trigger_platform.ids import bare, friendly
from local.trigger_platform.models import JsonObject
from local.trigger_platform.route_dependencies import (
    MAX_COMPLETION_BYTES,
    PlatformOf,
    read_model,
    require_secret_key,
)
from local.trigger_platform.trigger_request import Body
from local.trigger_platform.wire_shapes import latest_execution
from local.trigger_platform.worker_messages import completed_attempt, started_attempt

router = APIRouter(dependencies=[Depends(require_secret_key)])
telemetry_router = APIRouter()

_DEV_RUN = "/engine/v1/dev/runs/{run_id}"


class WorkerRetry(Body):
    delay: float
    timestamp: float


class Completion(Body):
    ok: bool
    output: str | None = None
    output_type: str | None = None
    error: JsonObject | None = None
    retry: WorkerRetry | None = None
    usage: JsonObject | None = None

    @model_validator(mode="after")
    def _failure_has_error(self) -> Self:
        if not self.ok and self.error is None:
            raise ValueError("a failed attempt needs an error")
        return self


class CompletionRequest(Body):
    completion: Completion


class WaitRequest(Body):
    date: datetime


@router.post(_DEV_RUN + "/snapshots/{snapshot_id}/attempts/start")
async def start_attempt(run_id: str, snapshot_id: str, platform: PlatformOf) -> JsonObject:
    run = platform.state.find(run_id)
    waited_since = platform.engine.start_attempt(run, bare(snapshot_id))
    return started_attempt(run, platform.environment, waited_since)


@router.post(_DEV_RUN + "/snapshots/{snapshot_id}/attempts/complete")
async def complete_attempt(
    run_id: str, snapshot_id: str, request: Request, platform: PlatformOf
) -> JsonObject:
    body = await read_model(request, CompletionRequest, MAX_COMPLETION_BYTES)
    run = platform.state.find(run_id)
    completion = body.completion.model_dump(by_alias=True)
    status = platform.engine.complete_attempt(run, bare(snapshot_id), completion)
    return completed_attempt(run, status, platform.environment)


@router.get(_DEV_RUN + "/snapshots/latest")
async def latest_snapshot(run_id: str, platform: PlatformOf) -> JsonObject:
    return {"execution": latest_execution(platform.state.find(run_id))}


@router.post(_DEV_RUN + "/snapshots/{snapshot_id}/heartbeat")
async def heartbeat(run_id: str, snapshot_id: str, platform: PlatformOf) -> JsonObject:
    platform.engine.heartbeat(platform.state.find(run_id), bare(snapshot_id))
    return {"ok": True}


@router.post(_DEV_RUN + "/logs/debug", status_code=204)
async def debug_log(run_id: str) -> Response:
    return Response(status_code=204)


@router.post("/engine/v1/runs/{run_id}/wait/duration")
async def wait_until(run_id: str, request: Request, platform: PlatformOf) -> JsonObject:
    moment = (await read_model(request, WaitRequest)).date
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    waitpoint = platform.waits.for_moment(platform.state.find(run_id), moment)
    return {"waitUntil": iso(moment), "waitpoint": {"id": friendly("waitpoint", waitpoint.id)}}


@telemetry_router.post("/otel/v1/{signal}")
async def telemetry(signal: Literal["traces", "logs", "metrics"]) -> JsonObject:
    """Accept telemetry and drop it: workers expect an answer, but nothing here reads it."""
    return {}
