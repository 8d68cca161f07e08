"""Step results: what each step did in a run."""

from fastapi import APIRouter
from fastapi.responses import Response

from api.auth.caller import CurrentCaller
from api.bodies.answers import Answer
from api.models.envelope import Data, Page
from api.models.pipeline_runs import RunRecord
from api.models.step_results import GetStepResult, ListStepResultRecords, ListStepResults, StepResult
from api.offload.pool import Offload
from api.routes.large_json import answer

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
    response_model=Page[RunRecord],
)
async def list_step_result_records(
    body: ListStepResultRecords, caller: CurrentCaller, offload: Offload
) -> Response:
    return await answer(caller, offload, Answer.RECORDS, "list_step_result_records", body)
