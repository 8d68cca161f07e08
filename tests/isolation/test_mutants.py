"""Something notices every fence that is taken down."""

from __future__ import annotations

import pytest

from tests.isolation.mutants import Mutant, judge, mutants
from tests.isolation.world import World
from tests.support.sql_client import owner


@pytest.mark.long
def test_every_mutant_is_noticed(world: World) -> None:
    survivors = [
        f"{mutant.kind}: {mutant.what}"
        for mutant in mutants(world.connection)
        if judge(world, mutant).noticed_by is None
    ]
    assert survivors == []


def test_a_mutant_that_changes_nothing_is_not_noticed(world: World) -> None:
    for mutant in mutants(world.connection)[:3]:
        harmless = Mutant("nothing", mutant.what, "select 1", mutant.notice)
        assert judge(world, harmless).noticed_by is None
    assert owner(world.connection).value("select count(*) from pg_policies where policyname = 'lifted'") == 0
