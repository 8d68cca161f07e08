"""Asks Supabase Auth to e-mail a sign-in link to an invited person.

The database has stored the invitation before, so a failure here never fails the request: the invitation stays
open and can be sent again.
"""

import asyncio
import logging
from typing import Annotated
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

from fastapi import Depends, Request

from api.auth.caller import Caller
from api.errors import ApiError
from api.http_client import HttpAnswer, HttpClient, UnreachableError
from api.json_text import encode_json
from api.models.invitations import Invitation, InvitationStatus, SentInvitation

logger = logging.getLogger(__name__)

# Supabase Auth answers only after its SMTP server has accepted the e-mail.
TIMEOUT_SECONDS = 10.0


class NotSentError(Exception):
    """Supabase Auth did not answer or refused. The message says which, without the e-mail address."""


class InvitationMail:
    """The public endpoint of Supabase Auth for sign-in links; it needs no service credential.

    https://supabase.com/docs/guides/auth/auth-email-passwordless
    """

    def __init__(self, http: HttpClient, publishable_key: str, redirect_url: str | None = None) -> None:
        """`redirect_url` is the page that accepts invitations; by default Auth's Site URL."""
        self._http = http
        self._redirect_url = redirect_url
        self._headers = {"apikey": publishable_key, "Content-Type": "application/json"}

    async def send(self, email: str, invitation_id: UUID) -> None:
        """Raises NotSentError. Auth creates an identity for a new address; the link confirms it."""
        body = encode_json({"email": email, "create_user": True})
        path = "/auth/v1/otp"
        if self._redirect_url is not None:
            page = urlsplit(self._redirect_url)
            query = "&".join(filter(None, (page.query, f"invitation_id={invitation_id}")))
            path += "?" + urlencode({"redirect_to": urlunsplit(page._replace(query=query))})
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await self._http.send("POST", path, self._headers, body)
        except (UnreachableError, TimeoutError) as error:
            raise NotSentError(f"Supabase Auth did not answer: {error!r}") from error
        if not answer.is_success:
            raise NotSentError(f"Supabase Auth answered {answer.status} {_error_code(answer)}")


async def send_invitation(
    caller: Caller, mail: InvitationMail, invitation: Invitation, *, again: bool
) -> SentInvitation:
    """Sends the e-mail and records it. An e-mail that went out before is repeated only with `again`."""
    if invitation.status is not InvitationStatus.OPEN or (invitation.sent_at is not None and not again):
        return _result(invitation, sent=invitation.sent_at is not None)
    try:
        await mail.send(invitation.email, invitation.id)
    except NotSentError as error:
        logger.warning("the e-mail of invitation %s was not sent: %s", invitation.id, error)
        return _result(invitation, sent=False)
    try:
        arguments = {"p_invitation_id": str(invitation.id)}
        marked = await caller.call("mark_invitation_sent", arguments, Invitation, repeatable=True)
    except ApiError as error:
        logger.warning("the sent e-mail of invitation %s was not recorded: %s", invitation.id, error)
        return _result(invitation, sent=True)
    return _result(marked, sent=True)


def _result(invitation: Invitation, *, sent: bool) -> SentInvitation:
    return SentInvitation(**invitation.model_dump(), sent=sent)


def _error_code(answer: HttpAnswer) -> str:
    """Auth's code, such as over_email_send_rate_limit. Its message is left out: it may hold the address."""
    try:
        body = answer.json()
    except ValueError:
        return "without a code"
    code = body.get("error_code") if isinstance(body, dict) else None
    return str(code)[:100] if code else "without a code"


async def _mail(request: Request) -> InvitationMail:
    mail: InvitationMail = request.app.state.invitation_mail
    return mail


Mail = Annotated[InvitationMail, Depends(_mail)]
