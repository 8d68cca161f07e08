"""The audit log: who changed what, when and in which request."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from api.models.envelope import ResultModel
from api.models.requests import PageRequest


class AuditActor(StrEnum):
    USER = "user"
    API_TOKEN = "api_token"  # noqa: S105 (a kind of actor)
    OPERATOR = "operator"
    WORKER = "worker"
    AUTH = "auth"


class ListAuditLog(PageRequest):
    model_config = ConfigDict(json_schema_extra={"examples": [{"entity": "blueprints", "limit": 20}]})

    entity: Annotated[
        Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)] | None,
        Field(description="A table, such as `users` or `pipeline_runs`."),
    ] = None
    entity_id: Annotated[
        Annotated[str, StringConstraints(min_length=1, max_length=200)] | None,
        Field(description="The id of one row; the name of a secret."),
    ] = None
    actor_user_id: Annotated[UUID | None, Field(description="A user; its API tokens are included.")] = None
    since: Annotated[AwareDatetime | None, Field(description="Changes at or after this time.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Changes before this time.")] = None


class Actor(ResultModel):
    type: AuditActor
    user_id: Annotated[UUID | None, Field(description="The user; for an API token, its creator.")]
    api_token_id: UUID | None
    name: Annotated[
        str | None,
        Field(
            description="The user's e-mail, the token's name, the operator's database role or the worker's "
            "Trigger.dev run, at the time of the change."
        ),
    ]


class AuditEntry(ResultModel):
    id: int
    org_id: UUID
    company_id: UUID | None
    occurred_at: datetime
    actor: Actor
    action: Annotated[str, Field(description="`created`, `updated`, `deleted`, or an operator's action.")]
    entity: str
    entity_id: str | None
    before: Annotated[Any, Field(description="The changed columns of an update, the row of a deletion.")]
    after: Annotated[Any, Field(description="The changed columns of an update, the row of a creation.")]
    request_id: Annotated[str | None, Field(description="The `X-Request-Id` of the request.")]
