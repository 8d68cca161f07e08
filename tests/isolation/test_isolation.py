"""Nobody reaches more than the rules say, and nothing exposed is left out."""

from __future__ import annotations

import pytest

from tests.isolation import matrix
from tests.isolation.sweep import Section, sweep_everything
from tests.support.stack import StackEnvironment


@pytest.fixture(scope="module")
def found(supabase: StackEnvironment) -> list[Section]:
    return sweep_everything(supabase)


def test_every_caller_reaches_what_the_rules_say_and_nothing_else(found: list[Section]) -> None:
    assert [sentence for section in found for sentence in section.report.deviations] == []


def test_the_page_on_isolation_is_what_the_sweep_finds(found: list[Section]) -> None:
    assert matrix.ISOLATION_PAGE.read_text() == matrix.page(found), "run `make isolation`"


def test_the_roles_in_the_page_on_access_are_the_rules() -> None:
    page = matrix.AUTH_PAGE.read_text()
    assert page == matrix.with_block(page, matrix.roles()), "run `make isolation`"


def test_the_matrix_fits_a_terminal(found: list[Section]) -> None:
    for section in found:
        table = matrix.table(section.title, section.report, section.callers)
        assert max(map(len, table.splitlines())) <= 120
