"""The audit log: who changed what, when and in which request."""

from fastapi import APIRouter

from api.auth.caller import CurrentCaller
from api.models.audit import AuditEntry, ListAuditLog
from api.models.envelope import Page

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@router.post("/list", summary="List who changed what in the org, newest first")
async def list_audit_log(caller: CurrentCaller, body: ListAuditLog | None = None) -> Page[AuditEntry]:
    return await caller.call("list_audit_log", body, Page[AuditEntry])
