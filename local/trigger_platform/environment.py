"""The platform's one project and dev environment, and the variables of its tasks."""

import hashlib
import time
from dataclasses import dataclass

import jwt

from local.trigger_platform.models import Run
from local.trigger_platform.packets import dump_json


@dataclass(frozen=True, slots=True)
class Environment:
    project_ref: str
    secret_key: str
    access_token: str
    public_url: str
    task_variables: dict[str, str]

    @property
    def id(self) -> str:
        return self._derived("environment")

    @property
    def project_id(self) -> str:
        return self._derived("project")

    @property
    def organization_id(self) -> str:
        return self._derived("organization")

    @property
    def user_id(self) -> str:
        return self._derived("user")

    def queue_id(self, name: str) -> str:
        return self._derived(f"queue {name}")

    def _derived(self, what: str) -> str:
        """Return an id that a restart of the platform does not change."""
        return "c" + hashlib.sha256(f"{self.project_ref} {what}".encode()).hexdigest()[:24]

    def _signing_key(self) -> bytes:
        return hashlib.sha256(self.secret_key.encode()).digest()

    def variables(self) -> dict[str, str]:
        """Return the variables that the platform itself sets, overridden by the configured ones."""
        otel = f"{self.public_url}/otel"
        return {
            "TRIGGER_REALTIME_STREAM_VERSION": "v1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": otel,
            "TRIGGER_OTEL_EXPORTER_OTLP_ENDPOINT": otel,
            "TRIGGER_API_URL": self.public_url,
            "TRIGGER_STREAM_URL": self.public_url,
            "TRIGGER_OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "1024",
            "TRIGGER_OTEL_LOG_ATTRIBUTE_COUNT_LIMIT": "1024",
            "TRIGGER_OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "131072",
            "TRIGGER_OTEL_LOG_ATTRIBUTE_VALUE_LENGTH_LIMIT": "131072",
            "TRIGGER_OTEL_SPAN_EVENT_COUNT_LIMIT": "10",
            "TRIGGER_OTEL_LINK_COUNT_LIMIT": "2",
            "TRIGGER_OTEL_ATTRIBUTE_PER_LINK_COUNT_LIMIT": "10",
            "TRIGGER_OTEL_ATTRIBUTE_PER_EVENT_COUNT_LIMIT": "10",
            "TRIGGER_WAIT_UNTIL_TIMEOUT_MS": "600000",
        } | self.task_variables

    def run_variables(self, run: Run) -> dict[str, str]:
        resource = dump_json({"$trigger.taskEventStore": "taskEvent"})
        now = int(time.time())
        claims = {
            "environment_id": self.id,
            "org_id": self.organization_id,
            "project_id": self.project_id,
            "run_id": run.id,
            "machine_preset": run.machine,
            "iat": now,
            "iss": "https://id.trigger.dev",
            "aud": "https://api.trigger.dev",
            "exp": now + 3600,
        }
        return self.variables() | {
            "TRIGGER_JWT": jwt.encode(claims, self._signing_key(), algorithm="HS256"),
            "TRIGGER_RUN_ID": run.id,
            "TRIGGER_MACHINE_PRESET": run.machine or "",
            "OTEL_RESOURCE_ATTRIBUTES": resource,
            "TRIGGER_OTEL_RESOURCE_ATTRIBUTES": resource,
        }
