"""Invitations: who may become a user of an org, and in which role."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from api.models.envelope import ResultModel
from api.models.requests import Name, PageRequest, RequestModel
from api.models.users import UserRole

Email = Annotated[
    str,
    StringConstraints(
        pattern=r"^[!-?A-~]+@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$", max_length=320, strip_whitespace=True
    ),
]


class InvitationStatus(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    REVOKED = "revoked"
    EXPIRED = "expired"


class CreateInvitation(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "grace@acme.com", "role": "org_admin"}]}
    )

    email: Annotated[Email, Field(description="The person who verifies this e-mail may accept.")]
    role: Annotated[UserRole, Field(description="At most your own role.")]
    company_id: Annotated[
        UUID | None,
        Field(description="The company of a `company_admin` or `member`; by default your own."),
    ] = None
    full_name: Name | None = None
    expires_at: Annotated[
        AwareDatetime | None, Field(description="At most 30 days ahead; by default 7 days.")
    ] = None


class ListInvitations(PageRequest):
    pass


class RevokeInvitation(RequestModel):
    invitation_id: UUID


class ResendInvitation(RequestModel):
    invitation_id: UUID


class AcceptInvitation(RequestModel):
    invitation_id: Annotated[UUID | None, Field(description="Needed only if there are several.")] = None


class Invitation(ResultModel):
    id: UUID
    org_id: UUID
    company_id: UUID | None
    email: str
    full_name: str | None
    role: UserRole
    status: InvitationStatus
    invited_by: Annotated[
        UUID | None, Field(description="Who created or last renewed it; null: an operator.")
    ]
    expires_at: datetime
    sent_at: Annotated[datetime | None, Field(description="The time when the e-mail last went out.")]
    accepted_at: datetime | None
    accepted_by: UUID | None
    revoked_at: datetime | None
    created_at: datetime


class SentInvitation(Invitation):
    sent: Annotated[
        bool,
        Field(description="Whether the e-mail went out. If not, the invitation stays open: resend it later."),
    ]
