"""Pipeline runs: create, follow, cancel and retry them, and read their records."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse

from api.auth.caller import CurrentCaller
from api.bodies.answers import Answer
from api.dispatch import cancel_trigger_run, dispatch_run, dispatch_submission
from api.export import MEDIA_TYPES, open_export
from api.idempotency import Idempotency
from api.models.envelope import Data, Page
from api.models.pipeline_runs import (
    CancelPipelineRun,
    CreatePipelineRun,
    ExportPipelineRun,
    GetPipelineRun,
    ListPipelineRunRecords,
    ListPipelineRuns,
    PipelineRun,
    PipelineRunCreated,
    PipelineRunDetail,
    PipelineRunWithSteps,
    RetryPipelineRun,
    RetryRejectedRecords,
    RunRecord,
)
from api.models.submissions import SubmissionAccepted, SubmissionCreated
from api.offload.pool import Offload
from api.reconciler import look_at_reconciler
from api.routes.large_json import answer
from api.shares import Shares
from api.trigger_client import Trigger

router = APIRouter(
    prefix="/v1/pipeline-runs", tags=["pipeline runs"], dependencies=[Depends(look_at_reconciler)]
)


@router.post("/create", status_code=202, summary="Create another run of a received submission")
async def create_pipeline_run(
    body: CreatePipelineRun, caller: CurrentCaller, trigger: Trigger, idempotency: Idempotency
) -> Data[PipelineRunCreated]:
    more = idempotency.arguments(body)
    created = await caller.call("create_pipeline_run", body, PipelineRunWithSteps, more)
    return Data(data=await dispatch_run(caller, trigger, created))


@router.post("/list", summary="List pipeline runs without their steps, newest first")
async def list_pipeline_runs(
    caller: CurrentCaller, body: ListPipelineRuns | None = None
) -> Page[PipelineRun]:
    return await caller.call("list_pipeline_runs", body, Page[PipelineRun])


@router.post(
    "/get",
    summary="Get a pipeline run with its steps and its blueprint snapshot",
    response_model=Data[PipelineRunDetail],
)
async def get_pipeline_run(body: GetPipelineRun, caller: CurrentCaller, offload: Offload) -> Response:
    return await answer(caller, offload, Answer.PIPELINE_RUN, "get_pipeline_run", body)


@router.post("/cancel", summary="Cancel a pipeline run; cancelling twice is fine, a finished run is 409")
async def cancel_pipeline_run(
    body: CancelPipelineRun, caller: CurrentCaller, trigger: Trigger
) -> Data[PipelineRunWithSteps]:
    run = await caller.call("cancel_pipeline_run", body, PipelineRunWithSteps)
    await cancel_trigger_run(trigger, run)
    return Data(data=run)


@router.post(
    "/retry", status_code=202, summary="Retry a failed, cancelled or partly failed run from where it stopped"
)
async def retry_pipeline_run(
    body: RetryPipelineRun, caller: CurrentCaller, trigger: Trigger, idempotency: Idempotency
) -> Data[PipelineRunCreated]:
    more = idempotency.arguments(body)
    created = await caller.call("retry_pipeline_run", body, PipelineRunWithSteps, more)
    return Data(data=await dispatch_run(caller, trigger, created))


@router.post(
    "/retry-rejected", status_code=202, summary="Submit the records again that the steps of a run rejected"
)
async def retry_rejected_records(
    body: RetryRejectedRecords, caller: CurrentCaller, trigger: Trigger, idempotency: Idempotency
) -> Data[SubmissionAccepted]:
    more = idempotency.arguments(body)
    created = await caller.call("retry_rejected_records", body, SubmissionCreated, more)
    return Data(data=await dispatch_submission(caller, trigger, created))


@router.post(
    "/records",
    summary="List the records of a run: its output, or the rejected or dropped ones with the reason",
    response_model=Page[RunRecord],
)
async def list_pipeline_run_records(
    body: ListPipelineRunRecords, caller: CurrentCaller, offload: Offload
) -> Response:
    return await answer(caller, offload, Answer.RECORDS, "list_pipeline_run_records", body)


async def take_export_place(request: Request, caller: CurrentCaller) -> AsyncIterator[None]:
    """Holds a place until the last byte is sent."""
    places: Shares = request.app.state.export_places
    async with places.of(caller.org_id):
        yield


@router.post(
    "/export",
    summary="Stream the output of a succeeded run as CSV or NDJSON",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "CSV: `record_id` and the fields, nested values as JSON. NDJSON: records.",
            "content": {"text/csv": {}, "application/x-ndjson": {}},
        }
    },
)
async def export_pipeline_run(
    body: ExportPipelineRun,
    caller: CurrentCaller,
    offload: Offload,
    _place: Annotated[None, Depends(take_export_place)],
) -> StreamingResponse:
    stream = await open_export(caller, offload, body.pipeline_run_id, body.format)
    filename = f"pipeline-run-{body.pipeline_run_id}.{body.format}"
    return StreamingResponse(
        stream,
        media_type=MEDIA_TYPES[body.format],
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )
