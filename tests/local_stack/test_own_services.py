"""An existing Supabase project replaces the stand-in. Only migrations may change it."""

from pathlib import Path

import pytest

from local.processes import marked_processes
from local.settings import read_settings
from local.stack import Stack
from tests.support.stack import StackEnvironment, free_port_base


@pytest.mark.parametrize("migrate", [False, True], ids=["as_it_is", "migrated"])
def test_an_existing_project_is_used_and_is_migrated_only_on_request(
    supabase: StackEnvironment, tmp_path: Path, migrate: bool
) -> None:
    names = ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY", "SUPABASE_JWT_SECRET")
    own = {name: supabase.variables[name] for name in (*names, "DATABASE_URL")}
    settings = read_settings(
        directory=tmp_path,
        port_base=free_port_base(),
        scope="supabase",
        migrate=migrate,
        environment=own,
    )
    stack = Stack(settings)
    variables = stack.start()
    assert own.items() <= variables.items()
    assert marked_processes(tmp_path) == []
    log = tmp_path / "logs" / "migrations.log"
    assert log.exists() == migrate
    assert not migrate or "up to date" in log.read_text()
    stack.stop()
