"""Users: the people of an org, mirrored from Supabase Auth."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from api.models.envelope import ResultModel
from api.models.requests import Name, PageRequest, RequestModel


class UserRole(StrEnum):
    ORG_ADMIN = "org_admin"
    COMPANY_ADMIN = "company_admin"
    MEMBER = "member"


class ListUsers(PageRequest):
    company_id: Annotated[UUID | None, Field(description="Only the users of this company.")] = None


class GetUser(RequestModel):
    user_id: UUID


class UpdateUser(RequestModel):
    """A field that is left out keeps its value."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"user_id": "0d3e2b6e-3b1f-4a7d-9b57-2c0f5a6f1e21", "role": "company_admin"}]
        }
    )

    user_id: UUID
    role: Annotated[
        UserRole | None,
        Field(description="At most your own role. An `org_admin` has no company; the other roles need one."),
    ] = None
    company_id: Annotated[UUID | None, Field(description="Moves the user to this company.")] = None
    full_name: Name | None = None


class DeactivateUser(RequestModel):
    user_id: UUID


class ReactivateUser(RequestModel):
    user_id: UUID


class User(ResultModel):
    id: UUID
    org_id: UUID
    company_id: UUID | None
    email: str
    full_name: str | None
    role: UserRole
    deactivated_at: datetime | None
    left_at: Annotated[datetime | None, Field(description="When the person left the org, for good.")]
    created_at: datetime
    updated_at: datetime
