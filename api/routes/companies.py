"""Companies: the customers or business units of an org."""

from fastapi import APIRouter

from api.auth.context import CallerRpc, CurrentContext
from api.idempotency import IdempotencyKey, idempotency_arguments
from api.models.companies import Company, CreateCompany, GetCompany, ListCompanies
from api.models.envelope import Data, Page

router = APIRouter(prefix="/v1/companies", tags=["companies"])


@router.post("/create", summary="Create a company")
async def create_company(
    body: CreateCompany,
    context: CurrentContext,
    rpc: CallerRpc,
    idempotency_key: IdempotencyKey = None,
) -> Data[Company]:
    arguments = body.rpc_arguments() | idempotency_arguments(idempotency_key, "/v1/companies/create", body)
    return Data(data=await rpc.call("create_company", arguments, Company))


@router.post("/list", summary="List the companies the caller can see")
async def list_companies(
    context: CurrentContext, rpc: CallerRpc, body: ListCompanies | None = None
) -> Page[Company]:
    arguments = (body or ListCompanies()).rpc_arguments()
    return await rpc.call("list_companies", arguments, Page[Company])


@router.post("/get", summary="Get a company")
async def get_company(body: GetCompany, context: CurrentContext, rpc: CallerRpc) -> Data[Company]:
    return Data(data=await rpc.call("get_company", body.rpc_arguments(), Company))
