"""Everything exposed without an expectation is a deviation, and its sentence says what to do."""

from __future__ import annotations

import pytest

from tests.isolation.sweep import sweep_functions, sweep_tables
from tests.isolation.world import World
from tests.support.sql_client import owner


def test_a_table_without_an_expectation_is_a_deviation(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.isolation.sweep.TABLES", {})
    with world.connection.transaction(force_rollback=True):
        owner(world.connection).change(
            "create table public.things (id uuid primary key, org_id uuid not null)"
        )
        fresh = World(world.connection, world.tenants, world.callers, {}, world.marker)
        deviations = sweep_tables(fresh).deviations
    assert "public.things has no expectation: say in table_rules.py who may do what." in deviations


def test_a_function_without_an_expectation_is_a_deviation(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.isolation.sweep.FUNCTIONS", {})
    with world.connection.transaction(force_rollback=True):
        owner(world.connection).change("create function public.peek() returns int language sql as 'select 1'")
        deviations = sweep_functions(world).deviations
    assert "peek() has no expectation: say in function_rules.py who may call it." in deviations
