"""Steps: the registered, versioned processors that a blueprint can use."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from api.models.envelope import ResultModel
from api.models.requests import PageRequest, RequestModel, Slug, Version


class ExecutionMode(StrEnum):
    INLINE = "inline"
    TASK = "task"


class ListSteps(PageRequest):
    pass


class GetStep(RequestModel):
    slug: Slug
    version: Version | None = None


class Step(ResultModel):
    slug: str
    version: str
    title: str
    description: str
    execution_mode: ExecutionMode
    task_id: str
    config_schema: dict[str, Any]
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    created_at: datetime


class PinnedStep(ResultModel):
    """The version that a blueprint uses, and the schema of its config; null if it is not published."""

    version: str | None
    config_schema: dict[str, Any] | None


class PinnedSteps(ResultModel):
    """In the order in which the steps were asked for."""

    steps: list[PinnedStep]
