"""Invitations: how people become users of an org."""

from fastapi import APIRouter

from api.auth.caller import AdmittedContext, CurrentCaller
from api.auth.context import AuthContext
from api.idempotency import Idempotency
from api.invitation_mail import Mail, send_invitation
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


@router.post("/create", summary="Invite a person by e-mail")
async def create_invitation(
    body: CreateInvitation, caller: CurrentCaller, mail: Mail, idempotency: Idempotency
) -> Data[SentInvitation]:
    """Supabase Auth sends the e-mail. If `sent` is false, it did not go out: resend the invitation later."""
    more = idempotency.arguments(body)
    invitation = await caller.call("create_invitation", body, Invitation, more)
    return Data(data=await send_invitation(caller, mail, invitation, again=False))


@router.post("/list", summary="List invitations, newest first")
async def list_invitations(caller: CurrentCaller, body: ListInvitations | None = None) -> Page[Invitation]:
    return await caller.call("list_invitations", body, Page[Invitation])


@router.post("/revoke", summary="Revoke an open invitation")
async def revoke_invitation(body: RevokeInvitation, caller: CurrentCaller) -> Data[Invitation]:
    return Data(data=await caller.call("revoke_invitation", body, Invitation))


@router.post("/resend", summary="Renew an invitation for 7 days and send its e-mail again")
async def resend_invitation(
    body: ResendInvitation, caller: CurrentCaller, mail: Mail
) -> Data[SentInvitation]:
    invitation = await caller.call("resend_invitation", body, Invitation)
    return Data(data=await send_invitation(caller, mail, invitation, again=True))


@router.post("/accept", summary="Accept the invitation for one's own e-mail and become a user")
async def accept_invitation(context: AdmittedContext) -> Data[AuthContext]:
    """For a session without a user. The answer is the context that the session has from now on."""
    return Data(data=context)
