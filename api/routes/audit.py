"""The audit log: who changed what, when and in which request."""

from fastapi import APIRouter

from api.auth.context import CallerRpc, CurrentContext
from api.models.audit import AuditEntry, ListAuditLog
from api.models.envelope import Page

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@router.post("/list", summary="List who changed what in the org, newest first")
async def list_audit_log(
    context: CurrentContext, rpc: CallerRpc, body: ListAuditLog | None = None
) -> Page[AuditEntry]:
    arguments = (body or ListAuditLog()).rpc_arguments()
    return await rpc.call("list_audit_log", arguments, Page[AuditEntry])
