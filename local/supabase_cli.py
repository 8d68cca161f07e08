"""The Supabase CLI, run against a database URL, without Docker, account or prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from local.processes import Command
from local.settings import ROOT

CLI_FOLDER = ROOT / "supabase"
_BINARY = CLI_FOLDER / "node_modules" / ".bin" / "supabase"
_QUIET: Mapping[str, str] = {"SUPABASE_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1", "CI": "1"}


def supabase_cli(name: str, arguments: Sequence[str]) -> Command:
    """A call of the CLI in the repository's root, where it finds supabase/config.toml."""
    return Command(name, [str(_BINARY), *arguments], ROOT, _QUIET)


def migration_up(database_url: str) -> Command:
    """Applies all migrations that the database lacks, also ones older than its newest."""
    return supabase_cli(
        "migrations", ["migration", "up", "--include-all", "--yes", f"--remote={database_url}"]
    )
