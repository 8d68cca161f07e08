"""Calls of the API and the SDK: trigger, batches, read, cancel, metadata, packets."""

from fastapi import APIRouter, Depends, Request, Response

from local.trigger_platform import presenters, run_metadata
from local.trigger_platform.errors import PlatformError
from local.trigger_platform.ids import friendly
from local.trigger_platform.models import FINAL_STATUSES, JsonObject, Run, RunStatus
from local.trigger_platform.packets import dump_json
from local.trigger_platform.requests import (
    MAX_TRIGGER_BYTES,
    PlatformOf,
    caller_of,
    parse_model,
    read_body,
    read_model,
    require_secret_key,
)
from local.trigger_platform.trigger_request import (
    MAX_TAGS,
    BatchItem,
    BatchRequest,
    Body,
    Tag,
    TriggerRequest,
)

router = APIRouter(dependencies=[Depends(require_secret_key)])
public_router = APIRouter()

_MAX_PACKET_BYTES = 64 * 1024 * 1024


class MetadataChanges(Body):
    metadata: JsonObject | None = None
    operations: list[JsonObject] | None = None
    parent_operations: list[JsonObject] | None = None
    root_operations: list[JsonObject] | None = None


class TagsRequest(Body):
    tags: Tag | list[Tag]


class KeyResetRequest(Body):
    task_identifier: str


def _api_version(request: Request) -> str | None:
    return request.headers.get("x-trigger-api-version")


def _claims(platform: PlatformOf, scopes: list[str]) -> dict[str, str]:
    """The SDK makes a token for realtime subscribers out of these claims."""
    claims = {"sub": platform.environment.id, "pub": True, "scopes": scopes}
    return {"x-trigger-jwt-claims": dump_json(claims)}


@router.post("/api/v1/tasks/{task_id:path}/trigger")
async def trigger(task_id: str, request: Request, response: Response, platform: PlatformOf) -> JsonObject:
    body = await read_model(request, TriggerRequest, MAX_TRIGGER_BYTES)
    run, is_cached = platform.triggering.trigger(task_id, body, caller_of(request, f"trigger {task_id}"))
    response.headers.update(_claims(platform, [f"read:runs:{run.friendly_id}"]))
    return {"id": run.friendly_id, "isCached": is_cached}


@router.post("/api/v3/batches", status_code=202)
async def create_batch(request: Request, response: Response, platform: PlatformOf) -> JsonObject:
    body = await read_model(request, BatchRequest)
    batch, is_cached = platform.triggering.create_batch(body, caller_of(request, "batch"))
    batch_id = friendly("batch", batch.id)
    response.headers.update(_claims(platform, [f"read:batch:{batch_id}"]))
    return {"id": batch_id, "runCount": batch.run_count, "isCached": is_cached}


@router.post("/api/v3/batches/{batch_id}/items")
async def add_batch_items(batch_id: str, request: Request, platform: PlatformOf) -> JsonObject:
    if "ndjson" not in request.headers.get("content-type", ""):
        raise PlatformError(415, "Content-Type must be application/x-ndjson or application/ndjson")
    batch = platform.state.find_batch(batch_id)
    lines = (await read_body(request, MAX_TRIGGER_BYTES * 10)).splitlines()
    if any(len(line) > MAX_TRIGGER_BYTES for line in lines):
        raise PlatformError(413, "Batch item too large")
    items = [parse_model(line, BatchItem) for line in lines if line.strip()]
    for item in items:
        platform.triggering.check(item.options)
    accepted, known = platform.triggering.add_items(batch, items, caller_of(request, "items"))
    answer: JsonObject = {
        "id": batch_id,
        "itemsAccepted": accepted,
        "itemsDeduplicated": known,
        "sealed": batch.sealed,
        "runCount": batch.run_count,
    }
    if not batch.sealed:
        answer |= {"enqueuedCount": len(batch.run_ids), "expectedCount": batch.run_count}
    return answer


@router.get("/api/v1/batches/{batch_id}")
@router.get("/api/v2/batches/{batch_id}")
async def retrieve_batch(batch_id: str, platform: PlatformOf) -> JsonObject:
    return presenters.batch_details(platform.state.find_batch(batch_id))


@router.get("/api/v3/runs/{run_id}")
async def retrieve_run(run_id: str, request: Request, platform: PlatformOf) -> JsonObject:
    run = platform.state.find(run_id)
    return presenters.run_details(
        run,
        platform.state,
        platform.packets,
        platform.environment.id,
        platform.schedules.find(run.schedule_id) if run.schedule_id else None,
        _api_version(request),
    )


@router.get("/api/v1/runs/{run_id}/result")
async def retrieve_result(run_id: str, platform: PlatformOf) -> JsonObject:
    """Return TaskRunExecutionResult of a finished run, for `runs.poll` and its like."""
    run = platform.state.find(run_id, "Run not found")
    if run.status not in FINAL_STATUSES:
        raise PlatformError(404, "Run either doesn't exist or is not finished")
    result: JsonObject = {"id": run.friendly_id, "taskIdentifier": run.task_id}
    if run.status is RunStatus.COMPLETED_SUCCESSFULLY:
        output = {} if run.output is None else {"output": run.output}
        return result | {"ok": True, "outputType": run.output_type} | output
    return result | {"ok": False, "error": run.error}


@router.get("/api/v1/runs")
async def list_runs(request: Request, platform: PlatformOf) -> JsonObject:
    """List runs, newest first, filtered as the SDK's `runs.list` asks."""
    query, version = request.query_params, _api_version(request)
    asked_size = query.get("page[size]", "25")
    if not asked_size.isdecimal():
        raise PlatformError(400, "page[size] must be a number")
    size = min(max(int(asked_size), 1), 100)

    def wanted(name: str, values: list[str]) -> bool:
        asked = query.get(f"filter[{name}]")
        return asked is None or bool(set(asked.split(",")).intersection(values))

    def matches(run: Run) -> bool:
        return (
            wanted("status", [presenters.api_status(run, version)])
            and wanted("taskIdentifier", [run.task_id])
            and wanted("tag", run.tags)
            and wanted("batch", [friendly("batch", run.batch_id or "")])
        )

    runs = [run for run in reversed(platform.state.runs.values()) if matches(run)]
    after = query.get("page[after]")
    start = next((index + 1 for index, run in enumerate(runs) if run.friendly_id == after), 0)
    page = runs[start : start + size]
    environment = {"id": platform.environment.id, "name": "dev", "user": "local"}
    more = {"next": page[-1].friendly_id} if len(runs) > start + size else {}
    data = [presenters.run_summary(run, version) | {"env": environment} for run in page]
    return {"data": data, "pagination": more}


@router.post("/api/v2/runs/{run_id}/cancel")
async def cancel_run(run_id: str, platform: PlatformOf) -> JsonObject:
    run = platform.state.find(run_id, "Resource not found")
    platform.engine.cancel(run)
    return {"id": run.friendly_id}


@router.get("/api/v1/runs/{run_id}/metadata")
async def retrieve_metadata(run_id: str, platform: PlatformOf) -> JsonObject:
    run = platform.state.find(run_id, "Task Run not found")
    return {"metadata": run.metadata or {}, "metadataType": "application/json"}


@router.put("/api/v1/runs/{run_id}/metadata")
async def update_metadata(run_id: str, request: Request, platform: PlatformOf) -> JsonObject:
    changes = await read_model(request, MetadataChanges, run_metadata.MAX_BYTES * 4)
    run = platform.state.find(run_id, "Task Run not found")
    changed = changes.model_dump(by_alias=True)
    run_metadata.apply_changes(run, changed, platform.state, platform.timers.now())
    return {"metadata": run.metadata or {}}


@router.post("/api/v1/runs/{run_id}/tags")
async def add_tags(run_id: str, request: Request, platform: PlatformOf) -> JsonObject:
    asked = (await read_model(request, TagsRequest)).tags
    run = platform.state.find(run_id, "Run not found")
    new = [tag for tag in ([asked] if isinstance(asked, str) else asked) if tag not in run.tags]
    if len(run.tags) + len(new) > MAX_TAGS:
        raise PlatformError(422, f"Runs can only have {MAX_TAGS} tags, you're trying to add {len(new)}.")
    run.tags.extend(new)
    return {"message": f"Successfully set {len(new)} new tags."}


@router.post("/api/v1/idempotencyKeys/{key:path}/reset")
async def reset_idempotency_key(key: str, request: Request, platform: PlatformOf) -> JsonObject:
    task_id = (await read_model(request, KeyResetRequest)).task_identifier
    run = platform.state.runs.get(platform.state.keyed.get((task_id, key), ""))
    if run is None:
        raise PlatformError(404, f"No runs found with idempotency key: {key} and task: {task_id}")
    platform.state.drop_key(run)
    return {"id": key}


@router.get("/api/v1/packets/{path:path}")
async def packet_download(path: str, platform: PlatformOf) -> JsonObject:
    return {"presignedUrl": platform.packets.url(path, "GET")}


@router.put("/api/v1/packets/{path:path}")
@router.put("/api/v2/packets/{path:path}")
async def packet_upload(path: str, platform: PlatformOf) -> JsonObject:
    return {"presignedUrl": platform.packets.url(path, "PUT"), "storagePath": path}


@public_router.get("/packets/{path:path}")
async def download(path: str, expires: int, signature: str, platform: PlatformOf) -> Response:
    platform.packets.verify(path, "GET", expires, signature)
    packet = platform.packets.get(path)
    return Response(packet.content, headers={"content-type": packet.data_type})


@public_router.put("/packets/{path:path}")
async def upload(path: str, expires: int, signature: str, request: Request, platform: PlatformOf) -> Response:
    platform.packets.verify(path, "PUT", expires, signature)
    data_type = request.headers.get("content-type", "application/json")
    platform.packets.put(path, await read_body(request, _MAX_PACKET_BYTES), data_type)
    return Response()
