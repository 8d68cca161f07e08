"""Invitations: how people become users of an org."""

from fastapi import APIRouter

from api.auth.context import AdmittedContext, CallerRpc, CurrentContext
from api.idempotency import IdempotencyKey, idempotency_arguments
from api.invitation_mail import Mail, send_invitation
from api.models.auth import AuthContextResult
from api.models.envelope import Data, Page
from api.models.invitations import (
    CreateInvitation,
    Invitation,
    ListInvitations,
    ResendInvitation,
    RevokeInvitation,
    SentInvitation,
)

router = APIRouter(prefix="/v1/invitations", tags=["invitations"])


@router.post("/create", summary="Invite somebody by e-mail")
async def create_invitation(
    body: CreateInvitation,
    context: CurrentContext,
    rpc: CallerRpc,
    mail: Mail,
    idempotency_key: IdempotencyKey = None,
) -> Data[SentInvitation]:
    """Supabase Auth sends the e-mail. `sent` false: it could not now, so resend the invitation later."""
    arguments = body.rpc_arguments() | idempotency_arguments(idempotency_key, "/v1/invitations/create", body)
    invitation = await rpc.call("create_invitation", arguments, Invitation)
    return Data(data=await send_invitation(rpc, mail, invitation, again=False))


@router.post("/list", summary="List invitations, the newest first")
async def list_invitations(
    context: CurrentContext, rpc: CallerRpc, body: ListInvitations | None = None
) -> Page[Invitation]:
    arguments = (body or ListInvitations()).rpc_arguments()
    return await rpc.call("list_invitations", arguments, Page[Invitation])


@router.post("/revoke", summary="Take back an invitation that was not accepted")
async def revoke_invitation(
    body: RevokeInvitation, context: CurrentContext, rpc: CallerRpc
) -> Data[Invitation]:
    return Data(data=await rpc.call("revoke_invitation", body.rpc_arguments(), Invitation))


@router.post("/resend", summary="Renew an invitation for 7 days and send its e-mail again")
async def resend_invitation(
    body: ResendInvitation, context: CurrentContext, rpc: CallerRpc, mail: Mail
) -> Data[SentInvitation]:
    invitation = await rpc.call("resend_invitation", body.rpc_arguments(), Invitation)
    return Data(data=await send_invitation(rpc, mail, invitation, again=True))


@router.post("/accept", summary="Become a user by the invitation for one's own e-mail")
async def accept_invitation(context: AdmittedContext) -> Data[AuthContextResult]:
    """For a session that is no user yet; it answers with the context that the session has from now on."""
    return Data(data=AuthContextResult.model_validate(context, from_attributes=True))
