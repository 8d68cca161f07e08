"""Who is calling, as the database answers it."""

from enum import StrEnum
from uuid import UUID

from pydantic import ConfigDict

from api.auth.credential import AuthMethod
from api.models.envelope import ResultModel


class UserRole(StrEnum):
    ORG_ADMIN = "org_admin"
    COMPANY_ADMIN = "company_admin"
    MEMBER = "member"


class AuthContextResult(ResultModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "org_id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10",
                    "user_id": "0d3e2b6e-3b1f-4a7d-9b57-2c0f5a6f1e21",
                    "company_id": None,
                    "role": "org_admin",
                    "auth_method": "supabase_jwt",
                }
            ]
        }
    )

    org_id: UUID
    user_id: UUID
    company_id: UUID | None
    role: UserRole
    auth_method: AuthMethod
