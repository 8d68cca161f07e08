"""Step results: what each step did in a run."""

from fastapi import APIRouter

from api.auth.context import CallerRpc, CurrentContext
from api.models.envelope import Data, Page
from api.models.pipeline_runs import RunRecord
from api.models.step_results import GetStepResult, ListStepResultRecords, ListStepResults, StepResult

router = APIRouter(prefix="/v1/step-results", tags=["step results"])


@router.post("/list", summary="List the step results of a run, in order")
async def list_step_results(
    body: ListStepResults, context: CurrentContext, rpc: CallerRpc
) -> Page[StepResult]:
    arguments = body.rpc_arguments()
    return await rpc.call("list_step_results", arguments, Page[StepResult])


@router.post("/get", summary="Get a step result")
async def get_step_result(body: GetStepResult, context: CurrentContext, rpc: CallerRpc) -> Data[StepResult]:
    arguments = body.rpc_arguments()
    return Data(data=await rpc.call("get_step_result", arguments, StepResult))


@router.post(
    "/records",
    summary="List the records that went into a step, came out, were rejected or dropped",
    response_model_exclude_unset=True,
)
async def list_step_result_records(
    body: ListStepResultRecords, context: CurrentContext, rpc: CallerRpc
) -> Page[RunRecord]:
    arguments = body.rpc_arguments()
    return await rpc.call("list_step_result_records", arguments, Page[RunRecord])
