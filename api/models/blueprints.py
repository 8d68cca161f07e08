"""Blueprints: versioned, ordered lists of steps with their configs."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from api.models.envelope import ResultModel
from api.models.requests import Name, PageRequest, RequestModel, Slug, Version
from api.models.steps import ExecutionMode

Description = Annotated[str, Field(max_length=2000)]

ErrorCodeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Backoff(RequestModel):
    """The n-th wait is `initial_seconds * factor^(n-1)`, at most `max_seconds`. Half of it is random."""

    initial_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 1
    max_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 60
    factor: Annotated[float, Field(ge=1, le=10)] = 2


class Retry(RequestModel):
    max_attempts: Annotated[int, Field(ge=1, le=10, description="Attempts in a row without a new chunk.")]
    backoff: Backoff = Field(default_factory=Backoff)
    on: list[ErrorCodeName] = Field(
        default_factory=list,
        min_length=1,
        max_length=20,
        description="Retry only these codes; by default all that the step declares retryable.",
    )


class BlueprintStepInput(RequestModel):
    slug: Slug
    version: Annotated[Version | None, Field(description="By default the latest published version.")] = None
    config: dict[str, Any] = Field(
        default_factory=dict, description="Must satisfy the step's `config_schema`."
    )
    continue_on_error: Annotated[
        bool, Field(description="If the step fails, the run goes on with the input of the step.")
    ] = False
    timeout_seconds: Annotated[
        int | None, Field(ge=1, le=3600, description="The time limit for one attempt at one chunk.")
    ] = None
    retry: Retry | None = None
    run_if: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=2000,
            description="A condition in CEL, for each record if it names `record`, else for the run.",
        ),
    ] = None
    concurrency: Annotated[
        int | None, Field(ge=1, le=20, description="Chunks processed at the same time; by default one.")
    ] = None


StepList = Annotated[list[BlueprintStepInput], Field(min_length=1, max_length=50)]

EXAMPLE_STEPS: list[JsonValue] = [
    {"slug": "some-step", "config": {"fields": ["email"]}},
    {"slug": "another-step"},
]


class CreateBlueprint(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Clean contacts", "steps": EXAMPLE_STEPS}]}
    )

    name: Name
    description: Description | None = None
    steps: StepList


class ListBlueprints(PageRequest):
    pass


class GetBlueprint(RequestModel):
    blueprint_id: UUID


class UpdateBlueprint(RequestModel):
    """A field that is left out keeps its value. Runs keep the version that they were created with."""

    blueprint_id: UUID
    name: Name | None = None
    description: Description | None = None
    steps: StepList | None = None
    expected_version: Annotated[
        int | None, Field(ge=1, description="Refused with 409 if the blueprint has another version.")
    ] = None


class BlueprintStep(ResultModel):
    position: int
    slug: str
    version: str
    title: str
    execution_mode: ExecutionMode
    config: dict[str, Any]
    continue_on_error: bool
    timeout_seconds: int | None
    retry: dict[str, Any] | None
    run_if: str | None
    concurrency: int | None


class BlueprintResult(ResultModel):
    id: UUID
    org_id: UUID
    name: str
    description: str | None
    version: int
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class BlueprintSummary(BlueprintResult):
    step_count: int


class Blueprint(BlueprintResult):
    steps: list[BlueprintStep]
