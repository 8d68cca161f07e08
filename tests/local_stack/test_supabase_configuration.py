"""There is one Supabase configuration, and both its readers see it."""

import os
import tomllib

from local.settings import ROOT

TOML = ROOT / "supabase.toml"
LINK = ROOT / "supabase" / "config.toml"


def test_the_cli_reads_the_configuration_of_the_root_through_a_relative_symlink() -> None:
    assert os.readlink(LINK) == "../supabase.toml"
    assert LINK.read_bytes() == TOML.read_bytes()


def test_only_the_client_and_the_worker_schema_are_exposed() -> None:
    assert tomllib.loads(TOML.read_text())["api"]["schemas"] == ["public", "worker"]
