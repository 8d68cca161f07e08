"""Pipeline runs: create another one, follow it, cancel it, retry it, take its records away."""

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from api.auth.context import CallerRpc, CurrentContext
from api.dispatch import cancel_trigger_run, dispatch
from api.export import MEDIA_TYPES, open_export
from api.idempotency import IdempotencyKey, idempotency_arguments
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
from api.trigger_client import Trigger

router = APIRouter(prefix="/v1/pipeline-runs", tags=["pipeline runs"])


@router.post("/create", status_code=202, summary="Run a received submission once more")
async def create_pipeline_run(
    body: CreatePipelineRun,
    context: CurrentContext,
    rpc: CallerRpc,
    trigger: Trigger,
    idempotency_key: IdempotencyKey = None,
) -> Data[PipelineRunCreated]:
    arguments = body.rpc_arguments() | idempotency_arguments(
        idempotency_key, "/v1/pipeline-runs/create", body
    )
    created = await rpc.call("create_pipeline_run", arguments, PipelineRunWithSteps)
    run = await dispatch(rpc, trigger, created)
    return Data(data=PipelineRunCreated(pipeline_run=run, dispatched=run.dispatched))


@router.post("/list", summary="List pipeline runs, the newest first, without their steps")
async def list_pipeline_runs(
    context: CurrentContext, rpc: CallerRpc, body: ListPipelineRuns | None = None
) -> Page[PipelineRun]:
    arguments = (body or ListPipelineRuns()).rpc_arguments()
    return await rpc.call("list_pipeline_runs", arguments, Page[PipelineRun])


@router.post("/get", summary="Get a pipeline run with its steps and its blueprint snapshot")
async def get_pipeline_run(
    body: GetPipelineRun, context: CurrentContext, rpc: CallerRpc
) -> Data[PipelineRunDetail]:
    arguments = body.rpc_arguments()
    return Data(data=await rpc.call("get_pipeline_run", arguments, PipelineRunDetail))


@router.post("/cancel", summary="Cancel a pipeline run; cancelling twice is fine, a finished one is 409")
async def cancel_pipeline_run(
    body: CancelPipelineRun, context: CurrentContext, rpc: CallerRpc, trigger: Trigger
) -> Data[PipelineRunWithSteps]:
    arguments = body.rpc_arguments()
    run = await rpc.call("cancel_pipeline_run", arguments, PipelineRunWithSteps)
    await cancel_trigger_run(trigger, run)
    return Data(data=run)


@router.post(
    "/retry", status_code=202, summary="Take up a run where it failed, without doing again what was done"
)
async def retry_pipeline_run(
    body: RetryPipelineRun,
    context: CurrentContext,
    rpc: CallerRpc,
    trigger: Trigger,
    idempotency_key: IdempotencyKey = None,
) -> Data[PipelineRunCreated]:
    arguments = body.rpc_arguments() | idempotency_arguments(idempotency_key, "/v1/pipeline-runs/retry", body)
    created = await rpc.call("retry_pipeline_run", arguments, PipelineRunWithSteps)
    run = await dispatch(rpc, trigger, created)
    return Data(data=PipelineRunCreated(pipeline_run=run, dispatched=run.dispatched))


@router.post(
    "/retry-rejected", status_code=202, summary="Submit once more what the steps of a finished run rejected"
)
async def retry_rejected_records(
    body: RetryRejectedRecords,
    context: CurrentContext,
    rpc: CallerRpc,
    trigger: Trigger,
    idempotency_key: IdempotencyKey = None,
) -> Data[SubmissionAccepted]:
    arguments = body.rpc_arguments() | idempotency_arguments(
        idempotency_key, "/v1/pipeline-runs/retry-rejected", body
    )
    created = await rpc.call("retry_rejected_records", arguments, SubmissionCreated)
    run = await dispatch(rpc, trigger, created.pipeline_run)
    return Data(
        data=SubmissionAccepted(submission=created.submission, pipeline_run=run, dispatched=run.dispatched)
    )


@router.post(
    "/records",
    summary="List a run's records: its output, or what was rejected or dropped, and why",
    response_model_exclude_unset=True,
)
async def list_pipeline_run_records(
    body: ListPipelineRunRecords, context: CurrentContext, rpc: CallerRpc
) -> Page[RunRecord]:
    arguments = body.rpc_arguments()
    return await rpc.call("list_pipeline_run_records", arguments, Page[RunRecord])


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
    body: ExportPipelineRun, context: CurrentContext, rpc: CallerRpc
) -> StreamingResponse:
    stream = await open_export(rpc, str(body.pipeline_run_id), body.format)
    filename = f"pipeline-run-{body.pipeline_run_id}.{body.format}"
    return StreamingResponse(
        stream,
        media_type=MEDIA_TYPES[body.format],
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )
