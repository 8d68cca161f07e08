"""The Node process in local/supabase: its settings, and the probes that say when it is ready."""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path
from typing import Any

import jwt

from local.credentials import Credentials
from local.mail import mail_folder
from local.probe import probe
from local.processes import Command
from local.settings import ROOT, StackSettings, SupabaseService

FOLDER = ROOT / "local" / "supabase"


def server_command(
    settings: StackSettings,
    credentials: Credentials,
    supabase: SupabaseService,
    *,
    directory: Path,
    cluster: Path | None = None,
) -> Command:
    """Starts server.mjs with everything that it needs in one environment variable.

    The database lives in `data` in the directory. If that is missing, it becomes a copy of `cluster`, or a
    new database without migrations.
    """
    config: dict[str, Any] = tomllib.loads((ROOT / "supabase.toml").read_text())
    ports = settings.ports
    server = {
        "directory": str(directory),
        "mail_directory": str(mail_folder(settings.directory)),
        "cluster": str(cluster) if cluster else None,
        "durable": settings.durable,
        "url": supabase.url,
        "ports": {
            "supabase": ports.supabase,
            "postgres": ports.postgres,
            "postgrest": ports.postgrest,
            "postgrest_admin": ports.postgrest_admin,
        },
        "passwords": {
            "supabase_admin": credentials.supabase_admin_password,
            "postgres": credentials.postgres_password,
            "authenticator": credentials.authenticator_password,
            "supabase_auth_admin": credentials.auth_admin_password,
        },
        "keys": {"publishable": supabase.publishable_key, "secret": supabase.secret_key},
        "jwt_secret": supabase.jwt_secret,
        "config": {"api": config["api"], "auth": config["auth"]},
        "postgrest_bin": str(settings.postgrest_bin) if settings.postgrest_bin else None,
    }
    return Command(
        "supabase", ["node", "server.mjs"], FOLDER, {"SUPABASE_SERVER_SETTINGS": json.dumps(server)}
    )


def auth_answers(supabase: SupabaseService) -> bool:
    """Whether database and Auth are up; migrations need both."""
    answer = probe(f"{supabase.url}/auth/v1/health", supabase.publishable_key)
    return answer is not None and answer.status_code == 200


def data_api_answers(supabase: SupabaseService) -> bool:
    """Whether the Data API serves the migrated schema.

    It lists the orgs of a caller who does not exist: an empty list, and no error in any log. A project that
    has revoked its JWT secret answers 401; there the API's own readiness says more.
    """
    claims = {"role": "authenticated", "aud": "authenticated", "exp": int(time.time()) + 60}
    nobody = jwt.encode(claims, supabase.jwt_secret, algorithm="HS256")
    answer = probe(f"{supabase.url}/rest/v1/orgs?select=id&limit=1", supabase.publishable_key, nobody)
    return answer is not None and answer.status_code in (200, 401)
