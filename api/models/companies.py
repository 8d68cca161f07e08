"""Companies: the customers or business units of an org."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from api.models.envelope import ResultModel
from api.models.requests import Name, PageRequest, RequestModel


class CreateCompany(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Acme", "external_id": "crm-4711"}]})

    name: Name
    external_id: Annotated[
        str | None, Field(min_length=1, max_length=200, description="Your own id, unique in the org.")
    ] = None


class ListCompanies(PageRequest):
    pass


class GetCompany(RequestModel):
    company_id: UUID


class Company(ResultModel):
    id: UUID
    org_id: UUID
    name: str
    external_id: str | None
    created_at: datetime
