"""What ingestion found out about a file: kept with the submission, of a bounded shape, for good once it is
received.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.support.pipeline import records
from tests.support.sql_client import Client, refused
from tests.support.tenants import Company

PROFILE = {"name": "Firma", "filled": 3, "capitals": 1, "lower_case": 0, "numeric": 0}
READ_AS = {
    "format": "csv",
    "encoding": "cp1250",
    "encoding_confidence": 0.93,
    "encoding_source": "detected",
    "delimiter": ";",
    "skipped_lines": 3,
    "header": "file",
    "sheet": None,
    "notes": {"padded_rows": 2, "undecodable_cells": 1},
    "noted_cells": [{"row": 2, "line": 6, "column": "Notiz"}],
}


@contextmanager
def breaks(constraint: str) -> Iterator[None]:
    with pytest.raises(errors.CheckViolation) as caught:
        yield
    assert caught.value.diag.constraint_name == constraint


@pytest.fixture
def upload(member: Client, company: Company, blueprint_id: str) -> str:
    """Id of a submission that has one record."""
    opened = member.call("open_submission", company_id=company.id, blueprint_id=blueprint_id, source="xlsx")
    submission_id = str(opened["submission"]["id"])
    member.call("append_submission_chunk", submission_id=submission_id, chunk_index=0, records=records(1))
    return submission_id


def finalize(member: Client, upload: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
    finished = member.call("finalize_submission", submission_id=upload, **arguments)
    found: dict[str, Any] = finished["submission"]
    return found


def test_a_finished_upload_tells_how_it_was_read(member: Client, upload: str) -> None:
    found = finalize(
        member, upload, columns=Jsonb([PROFILE]), read_as=Jsonb(READ_AS), warn_rejected_share=Decimal("0.5")
    )
    assert (found["columns"], found["read_as"]) == ([PROFILE | {"field": None}], READ_AS)
    assert (found["source"], float(found["warn_rejected_share"])) == ("xlsx", 0.5)
    assert member.call("get_submission", submission_id=upload) == found


def test_what_nobody_counted_is_empty(member: Client, upload: str) -> None:
    found = finalize(member, upload)
    assert (found["columns"], found["read_as"], float(found["warn_rejected_share"])) == ([], None, 0.2)


def test_records_sent_as_json_have_a_profile_as_well(
    member: Client, company: Company, blueprint_id: str
) -> None:
    created = member.call(
        "create_submission",
        company_id=company.id,
        blueprint_id=blueprint_id,
        records=Jsonb([{"Firma": "ACME"}]),
        columns=Jsonb([PROFILE]),
    )
    assert created["submission"]["columns"] == [PROFILE | {"field": None}]
    assert created["submission"]["read_as"] is None


def test_lists_leave_the_profiles_out(member: Client, upload: str) -> None:
    finalize(member, upload, columns=Jsonb([PROFILE]), read_as=Jsonb(READ_AS))
    (listed,) = member.call("list_submissions")["items"]
    assert "columns" not in listed
    assert listed["read_as"] == READ_AS


@pytest.mark.parametrize(
    "columns",
    [
        {},
        [1],
        [PROFILE | {"name": "x" * 256}],
        [PROFILE | {"name": ""}],
        [PROFILE | {"filled": -1}],
        [PROFILE | {"filled": 1.5}],
        [PROFILE | {"filled": "3"}],
        [PROFILE | {"more": 1}],
        [{"name": "a"}],
        [PROFILE] * 2001,
    ],
    ids=lambda columns: json.dumps(columns)[:60],
)
def test_only_profiles_are_taken_for_profiles(member: Client, upload: str, columns: object) -> None:
    with breaks("submissions_columns_check"):
        member.call("finalize_submission", submission_id=upload, columns=Jsonb(columns))


@pytest.mark.parametrize(
    "change",
    [
        {"encoding": "x" * 201},
        {"encoding": 1},
        {"encoding_confidence": 1.1},
        {"skipped_lines": -1},
        {"skipped_lines": 0.5},
        {"more": "x"},
        {"notes": [1]},
        {"notes": {"padded_rows": "x"}},
        {"notes": {"Padded rows": 1}},
        {"notes": {f"note_{'x' * number}": 1 for number in range(41)}},
        {"noted_cells": [READ_AS["noted_cells"][0]] * 21},  # type: ignore[index]
        {"noted_cells": [{"row": 1, "line": 1, "column": "x" * 256}]},
        {"noted_cells": ["text"]},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_only_what_says_how_a_file_was_read_is_taken(
    member: Client, upload: str, change: dict[str, object]
) -> None:
    with breaks("submissions_read_as_check"):
        member.call("finalize_submission", submission_id=upload, read_as=Jsonb(READ_AS | change))


@pytest.mark.parametrize("where", ["columns", "read_as"])
def test_a_number_of_a_hundred_thousand_digits_is_refused_before_it_is_written_out(
    member: Client, upload: str, where: str
) -> None:
    """jsonb holds 1e131000 in a few bytes, and prints it in 131,000 digits."""
    huge = json.dumps([PROFILE] if where == "columns" else READ_AS).replace("1", "1e131000")
    with breaks(f"submissions_{where}_check"):
        member.change(f"update public.submissions set {where} = '{huge}' where id = '{upload}'")


def test_nothing_of_it_changes_once_the_submission_is_received(member: Client, upload: str) -> None:
    finalize(member, upload, columns=Jsonb([PROFILE]), read_as=Jsonb(READ_AS))
    for change in ("columns = '[]'", "read_as = null", "warn_rejected_share = 1"):
        with refused(409, "immutable"):
            member.change(f"update public.submissions set {change} where id = '{upload}'")


def test_the_share_to_warn_at_is_a_share(member: Client, upload: str) -> None:
    with breaks("submissions_warn_rejected_share_check"):
        member.call("finalize_submission", submission_id=upload, warn_rejected_share=Decimal("1.5"))
