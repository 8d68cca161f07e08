"""Secrets: values of an org that the config of a step refers to by name."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, SecretStr, StringConstraints

from api.models.envelope import ResultModel
from api.models.requests import PageRequest, RequestModel

SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class SetSecret(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "crm_webhook_key", "value": "a long random value"}]}
    )

    name: SecretName
    value: Annotated[SecretStr, Field(min_length=1, max_length=8_192, description="No endpoint returns it.")]


class ListSecrets(PageRequest):
    pass


class DeleteSecret(RequestModel):
    name: SecretName


class Secret(ResultModel):
    name: str
    created_at: datetime
    updated_at: datetime


class DeletedSecret(ResultModel):
    name: str
