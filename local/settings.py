"""The settings of one stack: its folder, its ports, and the real services that replace stand-ins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from local.errors import StackError
from local.ports import DEFAULT_PORT_BASE, Ports, check_port_base

ROOT = Path(__file__).resolve().parent.parent
TRIGGER_FOLDER = ROOT / "trigger"
DEFAULT_DIRECTORY = ROOT / ".local"

Scope = Literal["all", "supabase"]


@dataclass(frozen=True)
class SupabaseService:
    """An existing Supabase project: hosted, or started by `supabase start`."""

    url: str
    publishable_key: str
    secret_key: str
    jwt_secret: str
    database_url: str


@dataclass(frozen=True)
class TriggerService:
    """An existing Trigger.dev platform."""

    api_url: str
    access_token: str
    secret_key: str
    project_ref: str


@dataclass(frozen=True)
class StackSettings:
    directory: Path = DEFAULT_DIRECTORY
    ports: Ports = field(default_factory=lambda: Ports(DEFAULT_PORT_BASE))
    scope: Scope = "all"
    migrate: bool = False
    supabase: SupabaseService | None = None
    trigger: TriggerService | None = None
    postgrest_bin: Path | None = None
    trigger_folder: Path = TRIGGER_FOLDER
    """The Trigger.dev project whose tasks are built and executed, and whose registry is published."""
    durable: bool = True
    """Whether the database survives a crash of the machine. One that does not starts and writes faster."""
    adjusted: Mapping[str, str] = field(default_factory=dict)
    """The API's variables that the developer has set and that override the stack's."""

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def taken_ports(self) -> dict[str, int]:
        """The ports that this stack needs, by the name of what listens on each."""
        ports: dict[str, int] = {}
        if self.supabase is None:
            ports |= {"Supabase": self.ports.supabase, "PostgreSQL": self.ports.postgres}
            if self.postgrest_bin is not None:
                ports |= {"PostgREST": self.ports.postgrest, "PostgREST's admin": self.ports.postgrest_admin}
        if self.scope == "all":
            ports |= {"API": self.ports.api, "webhook receiver": self.ports.webhook_receiver}
            if self.trigger is None:
                ports["Trigger platform"] = self.ports.trigger_platform
        return ports


_SUPABASE_VARIABLES = {
    "url": "SUPABASE_URL",
    "publishable_key": "SUPABASE_PUBLISHABLE_KEY",
    "secret_key": "SUPABASE_SECRET_KEY",
    "jwt_secret": "SUPABASE_JWT_SECRET",
    "database_url": "DATABASE_URL",
}
_TRIGGER_VARIABLES = {
    "api_url": "TRIGGER_API_URL",
    "access_token": "TRIGGER_ACCESS_TOKEN",
    "secret_key": "TRIGGER_SECRET_KEY",
    "project_ref": "TRIGGER_PROJECT_REF",
}
_ADJUSTABLE = (
    "SUPABASE_JWKS_URL",
    "SUPABASE_JWT_ISSUER",
    "SUPABASE_JWT_AUDIENCE",
    "SUPABASE_JWT_ALGORITHMS",
    "SUPABASE_JWT_SIGNING_KEY",
    "LOG_LEVEL",
    "CORS_ALLOWED_ORIGINS",
    "INVITATION_REDIRECT_URL",
    "MAX_UNAUTHENTICATED_PER_SECOND",
    "MAX_UPLOAD_RATIO",
    "MAX_UPLOAD_ROWS",
    "MAX_UPLOAD_BLANK_LINES",
    "UPLOAD_READ_SECONDS",
    "UPLOAD_RECEIVE_SECONDS",
    "MAX_OPEN_UPLOADS",
    "MAX_OPEN_UPLOADS_PER_ORG",
    "UPLOAD_PROCESSES",
    "UPLOAD_WAIT_SECONDS",
    "MAX_UPLOAD_BYTES",
    "POSTGREST_BIN",
    # Of the stand-in for Trigger.dev's platform, for tests.
    "TRIGGER_ANSWER_SECONDS",
    "TRIGGER_REVIVES_CANCELLED_RUNS",
)


def read_settings(
    *,
    directory: Path = DEFAULT_DIRECTORY,
    port_base: int = DEFAULT_PORT_BASE,
    scope: Scope = "all",
    migrate: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> StackSettings:
    """Settings from the command line and the environment. Raises StackError for a half-set group."""
    check_port_base(port_base)
    ports = Ports(port_base)
    # The shell may have the variables that `python -m local env` printed: they mean this very stack.
    own = {"SUPABASE_URL": ports.supabase, "TRIGGER_API_URL": ports.trigger_platform}
    foreign = {name for name, port in own.items() if environment.get(name) != f"http://127.0.0.1:{port}"}
    supabase = trigger = None
    if "SUPABASE_URL" in foreign:
        supabase = _group(environment, _SUPABASE_VARIABLES, "your Supabase project")
    if "TRIGGER_API_URL" in foreign:
        trigger = _group(environment, _TRIGGER_VARIABLES, "your Trigger.dev platform")
    return StackSettings(
        directory=directory.resolve(),
        ports=ports,
        scope=scope,
        migrate=migrate,
        supabase=SupabaseService(**supabase) if supabase else None,
        trigger=TriggerService(**trigger) if trigger else None,
        postgrest_bin=_postgrest_bin(environment),
        adjusted={name: environment[name] for name in _ADJUSTABLE if environment.get(name)},
    )


def _group(environment: Mapping[str, str], names: Mapping[str, str], what: str) -> dict[str, str] | None:
    values = {field_name: environment.get(variable, "") for field_name, variable in names.items()}
    missing = [names[field_name] for field_name, value in values.items() if not value]
    if len(missing) == len(names):
        return None
    if missing:
        present = [variable for variable in names.values() if variable not in missing]
        raise StackError(
            f"{' and '.join(present)} set without {', '.join(missing)}: "
            f"set all of {', '.join(names.values())} to use {what}, or unset all to use the local stand-in."
        )
    return values


def _postgrest_bin(environment: Mapping[str, str]) -> Path | None:
    value = environment.get("POSTGREST_BIN")
    if not value:
        return None
    path = Path(value).resolve()
    if not os.access(path, os.X_OK) or path.is_dir():
        raise StackError(f"POSTGREST_BIN is not an executable file: {value}")
    return path
