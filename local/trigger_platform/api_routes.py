"""Calls of the API and the SDK: trigger, batches, read, list, cancel, packets."""

from fastapi import APIRouter, Depends, Request, Response

from local.trigger_platform import wire_shapes
from local.trigger_platform.errors import PlatformError
from local.trigger_platform.ids import friendly
from local.trigger_platform.models import JsonObject, Run
from local.trigger_platform.route_dependencies import (
    MAX_TRIGGER_BYTES,
    PlatformOf,
    caller_of,
    parse_model,
    read_body,
    read_model,
    require_secret_key,
)
from local.trigger_platform.trigger_request import BatchItem, BatchRequest, TriggerRequest

router = APIRouter(dependencies=[Depends(require_secret_key)])
signed_url_router = APIRouter()

_MAX_PACKET_BYTES = 64 * 1024 * 1024


@router.post("/api/v1/tasks/{task_id:path}/trigger")
async def trigger(task_id: str, request: Request, platform: PlatformOf) -> JsonObject:
    body = await read_model(request, TriggerRequest, MAX_TRIGGER_BYTES)
    await platform.take_turn_to_trigger()
    run, is_cached = platform.triggering.trigger(task_id, body, caller_of(request, f"trigger {task_id}"))
    return {"id": run.friendly_id, "isCached": is_cached}


@router.post("/api/v3/batches", status_code=202)
async def create_batch(request: Request, platform: PlatformOf) -> JsonObject:
    body = await read_model(request, BatchRequest)
    batch, is_cached = platform.triggering.create_batch(body, caller_of(request, "batch"))
    return {"id": friendly("batch", batch.id), "runCount": batch.run_count, "isCached": is_cached}


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


@router.get("/api/v3/runs/{run_id}")
async def retrieve_run(run_id: str, platform: PlatformOf) -> JsonObject:
    run = platform.state.find(run_id)
    return wire_shapes.run_details(run, platform.state, platform.packets, platform.environment.id)


@router.get("/api/v1/runs")
async def list_runs(request: Request, platform: PlatformOf) -> JsonObject:
    """List runs, newest first, with the filters of the SDK's `runs.list`."""
    query = request.query_params
    asked_size = query.get("page[size]", "25")
    if not asked_size.isdecimal() or not 1 <= int(asked_size) <= 100:
        raise PlatformError(400, "page[size] must be a whole number from 1 to 100")
    size = int(asked_size)
    statuses = query.get("filter[status]")
    if unknown := set(statuses.split(",") if statuses else ()) - wire_shapes.API_STATUSES:
        raise PlatformError(400, f"Invalid status values: {', '.join(sorted(unknown))}")

    def wanted(name: str, values: list[str]) -> bool:
        asked = query.get(f"filter[{name}]")
        return asked is None or bool(set(asked.split(",")).intersection(values))

    def matches(run: Run) -> bool:
        return (
            wanted("status", [wire_shapes.api_status(run)])
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
    data = [wire_shapes.run_summary(run) | {"env": environment} for run in page]
    return {"data": data, "pagination": more}


@router.post("/api/v2/runs/{run_id}/cancel")
async def cancel_run(run_id: str, platform: PlatformOf) -> JsonObject:
    run = platform.state.find(run_id, "Resource not found")
    platform.engine.cancel(run)
    return {"id": run.friendly_id}


@router.get("/api/v1/packets/{path:path}")
async def packet_download(path: str, platform: PlatformOf) -> JsonObject:
    return {"presignedUrl": platform.packets.url(path, "GET")}


@router.put("/api/v2/packets/{path:path}")
async def packet_upload(path: str, platform: PlatformOf) -> JsonObject:
    return {"presignedUrl": platform.packets.url(path, "PUT"), "storagePath": path}


@signed_url_router.get("/packets/{path:path}")
async def download(path: str, expires: int, signature: str, platform: PlatformOf) -> Response:
    platform.packets.verify(path, "GET", expires, signature)
    packet = platform.packets.get(path)
    return Response(packet.content, headers={"content-type": packet.data_type})


@signed_url_router.put("/packets/{path:path}")
async def upload(path: str, expires: int, signature: str, request: Request, platform: PlatformOf) -> Response:
    platform.packets.verify(path, "PUT", expires, signature)
    data_type = request.headers.get("content-type", "application/json")
    platform.packets.put(path, await read_body(request, _MAX_PACKET_BYTES), data_type)
    return Response()
