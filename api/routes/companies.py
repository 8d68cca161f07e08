"""Companies: the customers or business units of an org."""

from fastapi import APIRouter

from api.auth.caller import CurrentCaller
from api.idempotency import Idempotency
from api.models.companies import Company, CreateCompany, GetCompany, ListCompanies
from api.models.envelope import Data, Page

router = APIRouter(prefix="/v1/companies", tags=["companies"])


@router.post("/create", summary="Create a company")
async def create_company(
    body: CreateCompany, caller: CurrentCaller, idempotency: Idempotency
) -> Data[Company]:
    return Data(data=await caller.call("create_company", body, Company, idempotency.arguments(body)))


@router.post("/list", summary="List the companies that the caller can see")
async def list_companies(caller: CurrentCaller, body: ListCompanies | None = None) -> Page[Company]:
    return await caller.call("list_companies", body, Page[Company])


@router.post("/get", summary="Get a company")
async def get_company(body: GetCompany, caller: CurrentCaller) -> Data[Company]:
    return Data(data=await caller.call("get_company", body, Company))
