"""The secrets of one stack: generated once for its folder and kept there."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from local.errors import StackError
from local.private_file import write_private


@dataclass(frozen=True)
class Credentials:
    jwt_secret: str
    publishable_key: str
    secret_key: str
    supabase_admin_password: str
    postgres_password: str
    authenticator_password: str
    auth_admin_password: str
    trigger_access_token: str
    trigger_secret_key: str
    trigger_project_ref: str


def load_or_create(path: Path) -> Credentials:
    """The credentials in `path`. A new file gets new ones, and only its owner may read it."""
    if not path.exists():
        write_private(path, json.dumps(asdict(generate()), indent=2) + "\n")
    try:
        return Credentials(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        names = ", ".join(field.name for field in fields(Credentials))
        raise StackError(
            f"{path} is not what this version writes ({names}). "
            f"Remove the folder {path.parent} to start afresh; its data is then lost."
        ) from error


def generate() -> Credentials:
    """Secrets that no other stack has."""
    return Credentials(
        jwt_secret=secrets.token_hex(32),
        publishable_key=f"sb_publishable_{secrets.token_urlsafe(24)}",
        secret_key=f"sb_secret_{secrets.token_urlsafe(24)}",
        supabase_admin_password=secrets.token_hex(16),
        postgres_password=secrets.token_hex(16),
        authenticator_password=secrets.token_hex(16),
        auth_admin_password=secrets.token_hex(16),
        trigger_access_token=f"tr_pat_{secrets.token_hex(20)}",
        trigger_secret_key=f"tr_dev_{secrets.token_hex(12)}",
        trigger_project_ref=f"proj_{secrets.token_hex(10)}",
    )
