"""Settings of the platform, from the environment."""

import json
from pathlib import Path

from pydantic import Field, TypeAdapter
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the platform needs to know. It refuses to start without its three credentials."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    trigger_access_token: str = Field(pattern=r"^tr_pat_.+")
    trigger_secret_key: str = Field(pattern=r"^tr_dev_.+")
    trigger_project_ref: str = Field(pattern=r"^proj_.+")
    task_environment_file: Path | None = None

    # A worker that was silent for this long is given up. The CLI's heartbeat comes every 30 s.
    trigger_heartbeat_timeout_seconds: float = Field(default=300, gt=0)
    # The same for a run that was handed out but not started, or told to cancel but not stopped.
    trigger_pending_timeout_seconds: float = Field(default=60, gt=0)
    # How long the CLI may be away before its runs are given up.
    trigger_session_grace_seconds: float = Field(default=10, gt=0)
    # Runs that execute at once; a waiting parent does not count. Each is a Node process of its own.
    trigger_max_executing_runs: int = Field(default=10, gt=0)
    trigger_finished_runs_kept: int = Field(default=5_000, gt=0)
    trigger_packet_bytes_kept: int = Field(default=256 * 1024 * 1024, gt=0)

    def task_environment(self) -> dict[str, str]:
        """Return the variables that tasks get. Raises ValueError if the file is no flat object."""
        if self.task_environment_file is None:
            return {}
        content = json.loads(self.task_environment_file.read_text())
        return TypeAdapter(dict[str, str]).validate_python(content)
