"""What a developer can open and use on a stack that is ready."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from local.commands import local_command
from local.demo_people import EVERYBODY
from local.derived_secrets import demo_password
from local.ports import Ports
from local.settings import ROOT, StackSettings
from local.webhook_receiver import SIGNED_PATH


def overview(settings: StackSettings, environment: Mapping[str, str]) -> list[str]:
    """One line for each thing, aligned."""
    directory = settings.directory
    rows = [("Supabase", f"{environment['SUPABASE_URL']} (Data API and Auth)")]
    if settings.scope == "all":
        receiver = receiver_url(settings.ports.base)
        rows = [
            ("API", environment["API_URL"]),
            ("Reference", f"{environment['API_URL']}/docs"),
            *rows,
            (
                "Webhooks",
                f"{receiver} shows what its receiver got. {SIGNED_PATH} checks the demo's signature;",
            ),
            ("", "any other path takes everything."),
            ("Trigger.dev", environment["TRIGGER_API_URL"]),
        ]
    rows += [
        ("E-mails", local_command("mail", directory)),
        ("SQL", f'{local_command("sql", directory)} "table ops.org_overview"'),
        ("Variables", f'eval "$({local_command("env", directory)})"'),
    ]
    if settings.scope == "all":
        rows += _demo(directory, environment)
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value}" for name, value in rows]


def receiver_url(port_base: int) -> str:
    return f"http://127.0.0.1:{Ports(port_base).webhook_receiver}"


def _demo(directory: Path, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    token = directory / "demo" / "api-token"
    if not token.exists():
        return [("Demo data", "none yet: run `make demo` in a second terminal")]
    shown = token.relative_to(ROOT) if token.is_relative_to(ROOT) else token
    logins = [f"{p.email} ({p.role}), password {demo_password(environment, p.email)}" for p in EVERYBODY]
    return [
        *(("Demo login", login) for login in logins),
        ("Demo token", f"{token.read_text().strip()} (in {shown})"),
    ]
