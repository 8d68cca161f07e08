"""Which services are stand-ins, which are external, and which settings are refused."""

from pathlib import Path

import pytest

from local.errors import StackError
from local.settings import StackSettings, read_settings

SUPABASE = {
    "SUPABASE_URL": "https://abc.supabase.co",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_1",
    "SUPABASE_SECRET_KEY": "sb_secret_1",
    "SUPABASE_JWT_SECRET": "secret",
    "DATABASE_URL": "postgresql://postgres@db.abc.supabase.co/postgres",
}
TRIGGER = {
    "TRIGGER_API_URL": "https://api.trigger.dev",
    "TRIGGER_ACCESS_TOKEN": "tr_pat_1",
    "TRIGGER_SECRET_KEY": "tr_dev_1",
    "TRIGGER_PROJECT_REF": "proj_1",
}


def settings_under(environment: dict[str, str], port_base: int = 40000) -> StackSettings:
    return read_settings(directory=Path("/nowhere"), port_base=port_base, environment=environment)


def test_every_service_is_a_stand_in_without_variables() -> None:
    settings = settings_under({})
    assert settings.supabase is None
    assert settings.trigger is None
    assert settings.postgrest_bin is None
    assert settings.taken_ports == {
        "API": 40000,
        "Supabase": 40001,
        "PostgreSQL": 40002,
        "Trigger platform": 40003,
        "webhook receiver": 40006,
    }


def test_a_supabase_project_replaces_its_stand_in_and_leaves_its_ports_alone() -> None:
    settings = settings_under(SUPABASE)
    assert settings.supabase is not None
    assert settings.supabase.database_url == SUPABASE["DATABASE_URL"]
    assert set(settings.taken_ports) == {"API", "webhook receiver", "Trigger platform"}


def test_a_trigger_platform_replaces_the_control_plane() -> None:
    settings = settings_under(TRIGGER)
    assert settings.trigger is not None
    assert settings.trigger.project_ref == "proj_1"
    assert "Trigger platform" not in settings.taken_ports


@pytest.mark.parametrize("group", [SUPABASE, TRIGGER], ids=["supabase", "trigger"])
def test_a_half_set_group_is_refused_by_the_names_that_are_missing(group: dict[str, str]) -> None:
    for missing in group:
        half = {name: value for name, value in group.items() if name != missing}
        with pytest.raises(StackError, match=f"without {missing}:"):
            settings_under(half)


def test_an_exported_environment_of_the_same_stack_does_not_turn_its_stand_ins_off() -> None:
    own = {"SUPABASE_URL": "http://127.0.0.1:40001", "TRIGGER_API_URL": "http://127.0.0.1:40003"}
    settings = settings_under({**SUPABASE, **TRIGGER, **own})
    assert settings.supabase is None
    assert settings.trigger is None


def test_a_postgrest_that_cannot_be_executed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgrest").write_text("")
    with pytest.raises(StackError, match="POSTGREST_BIN"):
        settings_under({"POSTGREST_BIN": str(tmp_path / "postgrest")})
