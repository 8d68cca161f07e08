"""The guards find nothing in the text of the migrations, and each finds the damage that it is for."""

from __future__ import annotations

import pytest

from tests.database import migration_sources as guards
from tests.database.migration_sources import GUARDS, Guard, functions, migration_sources
from tests.support.sql_client import Client

_FUNCTION = """-- Things. A file for tests.

create table public.things (id uuid);

{comment}create function private.thing() returns int
language sql {properties} as $$
    select 1;
$$;
"""


def _function(properties: str, comment: str = "") -> dict[str, str]:
    return {"20260101000000_things.sql": _FUNCTION.format(properties=properties, comment=comment)}


BREAKS: list[tuple[Guard, dict[str, str], str]] = [
    (
        guards.names_are_a_time_and_a_noun,
        {"2026_things.sql": ""},
        "2026_things.sql is not 14 digits and a noun",
    ),
    (
        guards.names_are_a_time_and_a_noun,
        {"20260101000000_a.sql": "", "20260101000000_b.sql": ""},
        "20260101000000 is there twice",
    ),
    (guards.files_begin_with_what_they_are_for, {"a.sql": "create table a ();"}, "a.sql has no header"),
    (
        guards.lines_fit_on_a_screen,
        {"a.sql": "-- Fine.\n" + "x" * 130 + "\n  " + "y" * 129},
        "a.sql has a line of 131 characters: " + "y" * 40,
    ),
    (
        guards.definer_functions_say_why,
        _function("stable security definer set search_path = ''"),
        "private.thing is security definer and does not say why",
    ),
    (
        guards.definer_functions_say_why,
        _function("stable security definer set search_path = ''", "-- It is needed.\n"),
        "private.thing is security definer and does not say why",
    ),
    *(
        (
            guards.functions_have_a_head_of_one_line,
            _function(properties),
            "private.thing has another head than the others",
        )
        for properties in (
            "stable",
            "stable\nset search_path = ''",
            "stable security invoker set search_path = ''",
            "stable set search_path = 'public'",
            "stable set search_path = ''\nsecurity invoker",
            "security definer stable set search_path = ''",
        )
    ),
    (
        guards.functions_have_a_head_of_one_line,
        _function("set search_path = ''"),
        "private.thing does not state its volatility",
    ),
    (
        guards.definitions_come_before_their_use,
        {
            "a.sql": "-- See public.later.\nselect 'public.later', private.things();",
            "b.sql": "create table public.later ();\ncreate function private.things() …",
        },
        "a.sql refers to private.things before b.sql creates it",
    ),
    (
        guards.definitions_come_before_their_use,
        {"a.sql": "select from public.later;\ncreate table public.later ();"},
        "a.sql refers to public.later before a.sql creates it",
    ),
    (
        guards.references_say_what_deleting_does,
        {"a.sql": "id uuid references public.orgs (id),"},
        "a.sql references public.orgs without on delete",
    ),
    (
        guards.codes_have_one_status,
        {"a.sql": "raise_error(404, 'gone', ''); raise_error(409, 'gone', '');"},
        "gone is 404 and 409",
    ),
]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_a_guard_finds_nothing_in_the_migrations(guard: Guard) -> None:
    assert guard(migration_sources()) == []


@pytest.mark.parametrize(
    ("guard", "sources", "finding"), BREAKS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_guard_finds_what_was_broken(guard: Guard, sources: dict[str, str], finding: str) -> None:
    assert guard(sources) == [finding]


def test_every_guard_is_broken_once() -> None:
    assert {guard for guard, _, _ in BREAKS} == set(GUARDS)


def test_a_definer_function_with_a_reason_is_fine() -> None:
    definer = _function("stable security definer set search_path = ''", "-- Definer: it counts.\n")
    assert guards.definer_functions_say_why(definer) == []


def test_a_function_may_set_more_than_its_head_says() -> None:
    more = _function("stable set search_path = ''\nset enable_seqscan = off\n")
    assert guards.functions_have_a_head_of_one_line(more) == []


def test_the_parser_sees_every_function_of_the_catalogue(postgres: Client) -> None:
    found = postgres.rows(
        """
        select format('%s.%s', n.nspname, p.proname) as name, p.prosecdef as definer
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('public', 'private', 'worker', 'ops')
            and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
        """
    )
    parsed = [
        (function.name, "security definer" in function.head) for function in functions(migration_sources())
    ]
    assert sorted(parsed) == sorted((row["name"], row["definer"]) for row in found)
