"""The bodies and headers of requests that trigger runs."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from local.trigger_platform.errors import PlatformError
from local.trigger_platform.models import JsonObject
from local.trigger_platform.packets import dump_json

MAX_TAGS = 10
# Options that only the real platform honours.
_UNSUPPORTED = ("debounce", "gates", "concurrency", "idempotencyKeyTTL", "metadata", "priority", "test")

Tag = Annotated[str, Field(max_length=128)]
Text = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]


class Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class QueueOption(Body):
    name: str


class TriggerOptions(Body):
    model_config = ConfigDict(extra="allow")

    queue: QueueOption | None = None
    concurrency_key: Text | None = None
    idempotency_key: Annotated[str, Field(max_length=2048)] | None = None
    idempotency_key_options: JsonObject | None = None
    tags: Tag | list[Tag] | None = None
    max_attempts: int | None = None
    max_duration: float | None = None
    delay: str | None = None
    ttl: str | Annotated[int, Field(ge=0)] | None = None
    payload_type: str = "application/json"
    machine: str | None = None
    parent_run_id: str | None = None
    resume_parent_on_completion: bool = False
    lock_to_version: str | None = None

    def check(self) -> None:
        """Raise PlatformError (422) if they cannot be honoured."""
        for name in _UNSUPPORTED:
            if (self.model_extra or {}).get(name):
                raise PlatformError(422, f"The local platform does not support the option {name}")
        if isinstance(self.tags, list) and len(self.tags) > MAX_TAGS:
            raise PlatformError(
                422, f"Runs can only have {MAX_TAGS} tags, you're trying to set {len(self.tags)}."
            )

    def tag_list(self) -> list[str]:
        tags = [self.tags] if isinstance(self.tags, str) else self.tags or []
        return [tag for tag in tags if tag.strip()]


class TriggerRequest(Body):
    payload: Any = None
    options: TriggerOptions = Field(default_factory=TriggerOptions)

    def payload_data(self) -> str | None:
        """Return the serialised payload: the SDK sends it so, other callers send plain JSON."""
        if self.options.payload_type == "application/json":
            return dump_json(self.payload) if "payload" in self.model_fields_set else None
        return self.payload if isinstance(self.payload, str) else None


class BatchItem(TriggerRequest):
    index: int
    task: str


class BatchRequest(Body):
    run_count: int = Field(gt=0)
    parent_run_id: str | None = None
    resume_parent_on_completion: bool = False
    idempotency_key: Annotated[str, Field(max_length=2048)] | None = None


class Caller(Body):
    """Who triggers: the API, a task (`from_worker`) or a schedule."""

    idempotency_key: Annotated[str, Field(max_length=2048)] | None = None
    request_key: str | None = None
    traceparent: str | None = None
    from_worker: bool = False
    is_schedule: bool = False
