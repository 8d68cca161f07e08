"""The Supabase CLI, run against a database URL: no Docker, no account, no questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from local.processes import Command
from local.settings import ROOT

CLI_FOLDER = ROOT / "supabase"
_BINARY = CLI_FOLDER / "node_modules" / ".bin" / "supabase"
_QUIET: Mapping[str, str] = {"SUPABASE_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1", "CI": "1"}


def supabase_cli(name: str, arguments: Sequence[str]) -> Command:
    """A CLI call from the repository's root, where it finds supabase/config.toml."""
    return Command(name, [str(_BINARY), *arguments], ROOT, _QUIET)


def migration_up(database_url: str) -> Command:
    """Applies what the database has not seen yet; a branch's older migration too."""
    return supabase_cli(
        "migrations", ["migration", "up", "--include-all", "--yes", f"--remote={database_url}"]
    )
