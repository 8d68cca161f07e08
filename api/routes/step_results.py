"""Step results: what each step did in a run."""

from fastapi import APIRouter

from api.auth.caller import CurrentCaller
from api.models.envelope import Data, Page
from api.models.pipeline_runs import RunRecord
from api.models.step_results import GetStepResult, ListStepResultRecords, ListStepResults, StepResult

router = APIRouter(prefix="/v1/step-results", tags=["step results"])


@router.post("/list", summary="List the step results of a run, in order")
async def list_step_results(body: ListStepResults, caller: CurrentCaller) -> Page[StepResult]:
    return await caller.call("list_step_results", body, Page[StepResult])


@router.post("/get", summary="Get a step result")
async def get_step_result(body: GetStepResult, caller: CurrentCaller) -> Data[StepResult]:
    return Data(data=await caller.call("get_step_result", body, StepResult))


@router.post(
    "/records",
    summary="List the input, output, rejected or dropped records of a step",
    response_model_exclude_unset=True,
)
async def list_step_result_records(body: ListStepResultRecords, caller: CurrentCaller) -> Page[RunRecord]:
    return await caller.call("list_step_result_records", body, Page[RunRecord])
