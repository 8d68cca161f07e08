"""API tokens: credentials of server integrations, kept only as a hash."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field

from api.models.auth import UserRole
from api.models.envelope import ResultModel
from api.models.requests import Name, PageRequest, RequestModel


class CreateApiToken(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "nightly import", "role": "member"}]})

    name: Name
    role: Annotated[UserRole | None, Field(description="At most your own role, the default.")] = None
    company_id: Annotated[UUID | None, Field(description="Narrows the token to one company.")] = None
    expires_at: AwareDatetime | None = None


class ListApiTokens(PageRequest):
    pass


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
    created_at: datetime


class CreatedApiToken(ApiTokenResult):
    token: Annotated[str, Field(description="The token itself, shown this once.")]
