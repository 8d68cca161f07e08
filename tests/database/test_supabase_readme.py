"""supabase/README.md: it names every migration in order, and its example keeps every rule."""

from __future__ import annotations

import re

import pytest

from local.settings import ROOT
from tests.database import migration_sources
from tests.support.guards import GUARDS
from tests.support.guards.catalogue import Guard
from tests.support.sql_client import Client, Connection, denied, refused, signed_in
from tests.support.tenants import Company, Org, Tenants

PAGE = (ROOT / "supabase" / "README.md").read_text()
(EXAMPLE,) = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILE = "20991231000000_notes.sql"


@pytest.fixture
def example(postgres: Client) -> None:
    postgres.change(EXAMPLE)


def test_the_page_names_every_migration_in_order() -> None:
    rows = re.findall(r"^\| (`\d{4}`[^|]*) \| ([^|]+) \|", PAGE, re.MULTILINE)
    listed = [
        (number, name)
        for numbers, files in rows
        for number in [set(re.findall(r"`(\d{4})`", numbers))]
        for name in re.findall(r"`(\w+)`", files)
    ]
    migrations = [(name[8:12], name[15:-4]) for name in migration_sources.migration_sources()]
    assert [name for _, name in listed] == [name for _, name in migrations]
    for (numbers, name), (number, _) in zip(listed, migrations, strict=True):
        assert min(numbers) <= number <= max(numbers), name


@pytest.mark.parametrize("guard", migration_sources.GUARDS, ids=lambda guard: guard.__name__)
def test_the_example_reads_as_the_migrations_do(guard: migration_sources.Guard) -> None:
    assert guard(migration_sources.migration_sources() | {FILE: EXAMPLE}) == []


@pytest.mark.usefixtures("example")
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_the_example_keeps_the_rules_of_the_catalogue(connection: Connection, guard: Guard) -> None:
    assert guard(connection) == []


@pytest.mark.usefixtures("example")
def test_the_example_does_what_it_says(
    connection: Connection, tenants: Tenants, org: Org, company: Company
) -> None:
    member, stranger = signed_in(connection, company.member), signed_in(connection, tenants.other.admin)
    notes = [member.call("create_note", company_id=company.id, body=f"Note {n}") for n in range(3)]
    page = member.call("list_notes", limit=2)
    rest = member.call("list_notes", limit=2, cursor=page["next_cursor"])
    assert {note["id"] for note in page["items"] + rest["items"]} == {note["id"] for note in notes}
    assert rest["next_cursor"] is None
    assert stranger.call("list_notes")["items"] == []
    with refused(404, "company_not_found"):
        stranger.call("create_note", company_id=company.id, body="Hello")
    with denied():
        member.change("update public.notes set body = 'Other'")
    assert len(signed_in(connection, org.admin).call("list_notes")["items"]) == 3
