"""API tokens: credentials of server integrations, stored only as a hash."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field

from api.models.envelope import ResultModel
from api.models.requests import Name, PageRequest, RequestModel
from api.models.users import UserRole


class CreateApiToken(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "nightly import", "role": "member"}]})

    name: Name
    role: Annotated[UserRole | None, Field(description="At most your own role, which is the default.")] = None
    company_id: Annotated[UUID | None, Field(description="Narrows the token to one company.")] = None
    expires_at: AwareDatetime | None = None


class ListApiTokens(PageRequest):
    pass


class RotateApiToken(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"api_token_id": "9d1f6c1e-52f0-4c0e-8a64-6a1d0f1b7e35", "grace_seconds": 3600}]
        }
    )

    api_token_id: UUID
    grace_seconds: Annotated[
        int,
        Field(ge=0, le=604_800, description="How long the old token stays valid, at most seven days."),
    ] = 86_400
    expires_at: Annotated[
        AwareDatetime | None,
        Field(description="By default the new token gets the lifetime that the old one was created with."),
    ] = None


class RevokeApiToken(RequestModel):
    api_token_id: UUID


class ApiTokenResult(ResultModel):
    id: UUID
    org_id: UUID
    company_id: UUID | None
    user_id: UUID
    name: str
    prefix: str
    role: UserRole
    expires_at: datetime | None
    revoked_at: datetime | None
    replaces: Annotated[UUID | None, Field(description="The token that this one replaces.")]
    last_used_at: Annotated[datetime | None, Field(description="Accurate to five minutes.")]
    created_at: datetime


class CreatedApiToken(ApiTokenResult):
    token: Annotated[str, Field(description="The token itself. Only this answer shows it.")]


class ApiTokenRotation(ApiTokenResult):
    replaced: Annotated[ApiTokenResult, Field(description="The old token, valid until its `expires_at`.")]


class RotatedApiToken(ApiTokenRotation, CreatedApiToken):
    """The new token and the one that it replaces."""
