"""The CLI's calls to log in, read the project's settings, register builds and ask for runs."""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from local.trigger_platform.clock import iso
from local.trigger_platform.ids import bare, friendly, new_id
from local.trigger_platform.models import JsonObject
from local.trigger_platform.route_dependencies import (
    MAX_COMPLETION_BYTES,
    PlatformOf,
    read_model,
    require_access_token,
    require_project,
    require_secret_key,
)
from local.trigger_platform.trigger_request import Body
from local.trigger_platform.worker_messages import dequeued_message
from local.trigger_platform.workers import WorkerManifest

access_token_router = APIRouter(dependencies=[Depends(require_access_token)])
router = APIRouter(dependencies=[Depends(require_secret_key)])

# The platform holds a request for runs until there is one, so these pauses are the longest that a run waits.
_PAUSE_WITH_RUN_MS = 10
_PAUSE_WITHOUT_RUN_MS = 100
_HOLD_SECONDS = 20
_HOLD_UNKNOWN_WORKER_SECONDS = 1
# The CLI keeps a process for each run, also for a waiting one. This limits its processes, not the slots.
_CLI_MAX_RUNS = 300
_PRESENCE_SECONDS = 5


class WorkerRegistration(Body):
    metadata: WorkerManifest


class BranchRequest(Body):
    env: str
    branch: str


class DequeueRequest(Body):
    current_worker: str


class DisconnectRequest(Body):
    run_friendly_ids: list[str]


@access_token_router.get("/api/v2/whoami")
async def whoami(platform: PlatformOf) -> JsonObject:
    environment = platform.environment
    return {
        "userId": environment.user_id,
        "email": "local@trigger.dev",
        "dashboardUrl": environment.public_url,
    }


@access_token_router.get("/api/v1/platform-notifications")
async def notifications() -> JsonObject:
    return {"notification": None}


@access_token_router.get("/api/v1/projects/{project_ref}/dev", dependencies=[Depends(require_project)])
async def project(platform: PlatformOf) -> JsonObject:
    environment = platform.environment
    return {
        "apiKey": environment.secret_key,
        "name": environment.project_ref,
        "apiUrl": environment.public_url,
        "projectId": environment.project_id,
        "defaultRuntime": "node",
    }


@access_token_router.post("/api/v1/projects/{project_ref}/branches", dependencies=[Depends(require_project)])
async def open_branch(request: Request, platform: PlatformOf) -> JsonObject:
    """Accept a branch name for the CLI's session. All branches share the one environment."""
    await read_model(request, BranchRequest)
    return {"id": platform.environment.id}


@router.get("/api/v1/projects/{project_ref}/envvars", dependencies=[Depends(require_project)])
async def variables(platform: PlatformOf) -> JsonObject:
    return {"variables": platform.environment.variables()}


@router.post("/api/v1/projects/{project_ref}/background-workers", dependencies=[Depends(require_project)])
async def register_worker(request: Request, platform: PlatformOf) -> JsonObject:
    registration = await read_model(request, WorkerRegistration, MAX_COMPLETION_BYTES)
    worker = platform.register_worker(registration.metadata)
    return {
        "id": friendly("worker", worker.id),
        "version": worker.version,
        "contentHash": worker.content_hash,
    }


@router.get("/engine/v1/dev/config")
async def config(platform: PlatformOf) -> JsonObject:
    return {
        "environmentId": platform.environment.id,
        "dequeueIntervalWithRun": _PAUSE_WITH_RUN_MS,
        "dequeueIntervalWithoutRun": _PAUSE_WITHOUT_RUN_MS,
        "maxConcurrentRuns": _CLI_MAX_RUNS,
        "engineUrl": platform.environment.public_url,
    }


@router.get("/engine/v1/dev/presence")
async def presence(platform: PlatformOf) -> StreamingResponse:
    """Send events that show the CLI that the platform is alive."""

    async def events() -> AsyncIterator[str]:
        yield f"event: start\ndata: Started {new_id()[:6]}\n\n"
        while not await platform.is_closing_within(_PRESENCE_SECONDS):
            yield f"event: time\ndata: {iso(platform.timers.now())}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@router.post("/engine/v1/dev/dequeue")
async def dequeue(request: Request, platform: PlatformOf) -> JsonObject:
    """Hand out queued runs, or hold the request until there are some.

    A CLI that does not know the newest build yet gets none, since it could not execute them.
    """
    current_worker = (await read_model(request, DequeueRequest)).current_worker
    deadline = platform.timers.now().timestamp() + _HOLD_SECONDS
    messages: list[JsonObject] = []
    while not platform.closing.is_set() and not await request.is_disconnected():
        if not platform.workers.is_current(current_worker):
            await platform.dispatch.runs_ready.wait(_HOLD_UNKNOWN_WORKER_SECONDS)
            break
        now = platform.timers.now()
        messages = [dequeued_message(run, platform.environment, now) for run in platform.dispatch.take()]
        remaining = deadline - now.timestamp()
        if messages or remaining <= 0:
            break
        await platform.dispatch.runs_ready.wait(remaining)
    return {"dequeuedMessages": messages}


@router.post("/engine/v1/dev/disconnect")
async def disconnect(request: Request, platform: PlatformOf) -> JsonObject:
    """End the runs of a CLI that died, as its watchdog reports them."""
    ids = (await read_model(request, DisconnectRequest)).run_friendly_ids
    runs = [run for run_id in ids if (run := platform.state.runs.get(bare(run_id)))]
    return {"cancelled": platform.engine.session_lost(runs)}
