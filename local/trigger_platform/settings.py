"""Settings of the platform, from the environment."""

import json
from pathlib import Path

from pydantic import Field, TypeAdapter
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The platform's settings. It refuses to start without its three credentials."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    trigger_access_token: str = Field(pattern=r"^tr_pat_.+")
    trigger_secret_key: str = Field(pattern=r"^tr_dev_.+")
    trigger_project_ref: str = Field(pattern=r"^proj_.+")
    task_environment_file: Path | None = None

    # A run counts as lost after this long without a heartbeat. The CLI sends one every 30 s.
    trigger_heartbeat_timeout_seconds: float = Field(default=300, gt=0)
    # The same for a run that was handed out but not started, or cancelled but not stopped.
    trigger_pending_timeout_seconds: float = Field(default=60, gt=0)
    # How long the CLI may be disconnected before its runs count as lost.
    trigger_session_grace_seconds: float = Field(default=10, gt=0)
    # Runs that execute at the same time, each in its own Node process. Waiting parents do not count.
    trigger_max_executing_runs: int = Field(default=10, gt=0)
    # For tests: a run whose first attempt is cancelled while it executes is queued for another one, as may
    # happen in reality. The CLI's own report ends such a run.
    trigger_revives_cancelled_runs: bool = False
    # How long a call to trigger takes. Such calls then wait for each other, as on a busy platform.
    trigger_answer_seconds: float = Field(default=0, ge=0)
    trigger_finished_runs_kept: int = Field(default=5_000, gt=0)
    trigger_packet_bytes_kept: int = Field(default=256 * 1024 * 1024, gt=0)

    def task_environment(self) -> dict[str, str]:
        """Return the tasks' variables. Raise ValueError unless the file holds an object of strings."""
        if self.task_environment_file is None:
            return {}
        content = json.loads(self.task_environment_file.read_text())
        return TypeAdapter(dict[str, str]).validate_python(content)
