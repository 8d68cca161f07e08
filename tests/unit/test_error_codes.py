"""docs/errors.md, the API and the migrations name the same codes."""

from __future__ import annotations

import re
from pathlib import Path

from api.errors import CODE_OF_STATUS, STATUS, ErrorCode

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `([a-z_]+)` \| (\d{3}) \| (.+) \| (.+) \|$", re.MULTILINE)
RAISED = re.compile(r"raise_error\(\s*(\d{3}),\s*'([a-z_]+)'")
REFUSAL = re.compile(r"when '([a-z_]+)' then\s+(\d{3})")


def documented() -> dict[str, int]:
    rows = ROW.findall((ROOT / "docs/errors.md").read_text())
    assert len(rows) == len({code for code, *_ in rows}), "a code is listed twice"
    return {code: int(status) for code, status, *_ in rows}


def raised_by_sql() -> dict[str, int]:
    text = "\n".join(path.read_text() for path in sorted((ROOT / "supabase/migrations").glob("*.sql")))
    return {code: int(status) for status, code in RAISED.findall(text)}


def test_every_code_of_python_is_documented_with_its_status() -> None:
    assert {code.value: STATUS[code] for code in ErrorCode}.items() <= documented().items()


def test_every_code_of_sql_is_documented_with_its_status() -> None:
    codes = raised_by_sql()
    assert len(codes) > 30
    assert codes.items() <= documented().items()


def test_every_documented_code_is_raised_somewhere() -> None:
    assert set(documented()) == {code.value for code in ErrorCode} | set(raised_by_sql())


def test_a_bare_status_becomes_a_code_of_that_status() -> None:
    assert all(STATUS[code] == status for status, code in CODE_OF_STATUS.items() if status != 400)


def test_reject_reasons_of_ingestion_are_documented() -> None:
    text = "".join(path.read_text() for path in (ROOT / "api/ingest").glob("*_rows.py"))
    reasons = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', text)) - {"expected_fields", "found_fields"}
    section = (ROOT / "docs/errors.md").read_text().partition("## Why a row of a file was rejected")[2]
    assert {"malformed_row", "invalid_json"} <= reasons
    assert reasons == set(re.findall(r"`([a-z]+_[a-z_]+)`", section.partition("| --- |")[2]))
