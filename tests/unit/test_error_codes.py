"""docs/errors.md, the API and the migrations have the same codes."""

from __future__ import annotations

import re
from pathlib import Path

from api.errors import CODE_OF_STATUS, ErrorCode

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `([a-z_]+)` \| (\d{3}) \| (.+) \| (.+) \|$", re.MULTILINE)
RAISED = re.compile(r"raise_error\(\s*(\d{3}),\s*'([a-z_]+)'")
RUN_ERROR_ROW = re.compile(r"^\| `([a-z_]+)` \|", re.MULTILINE)
# The code of a RecordedError (`code: "…"`), or of a subclass of StepError (`super("…"`).
RUN_ERROR = re.compile(r'(?:\b(?:finalError|retryableError|super)\(\s*|\bcode: )"([a-z_]+)"')
RUN_ERROR_OF_SQL = re.compile(r"error\s*=\s*jsonb_build_object\('code', '([a-z_]+)'")

Codes = set[tuple[str, int]]


def documented() -> Codes:
    rows = ROW.findall((ROOT / "docs/errors.md").read_text())
    assert len(rows) == len({code for code, *_ in rows}), "a code is listed twice"
    return {(code, int(status)) for code, status, *_ in rows}


def migrations() -> str:
    return "\n".join(path.read_text() for path in sorted((ROOT / "supabase/migrations").glob("*.sql")))


def raised_by_sql() -> Codes:
    return {(code, int(status)) for status, code in RAISED.findall(migrations())}


def raised_by_python() -> Codes:
    return {(code.value, code.status) for code in ErrorCode}


def recorded_by_the_tasks() -> set[str]:
    """The codes of failed runs and steps. The codes of a single step stand on its page in docs/steps."""
    source = ROOT / "trigger/src"
    rooms = ("", "pipeline/", "platform/", "tasks/", "worker-api/")
    paths = [path for room in rooms for path in source.glob(f"{room}*.ts")]
    return {
        code
        for path in paths
        if not path.name.endswith(".test.ts")
        for code in RUN_ERROR.findall(path.read_text())
    }


def test_every_code_of_python_is_documented_with_its_status() -> None:
    assert raised_by_python() <= documented()


def test_every_code_of_sql_is_documented_with_its_status() -> None:
    codes = raised_by_sql()
    assert len(codes) > 30
    assert codes <= documented()


def test_every_documented_code_is_raised_somewhere() -> None:
    assert documented() == raised_by_python() | raised_by_sql()


def test_every_code_that_a_failed_run_can_have_is_documented() -> None:
    by_sql = set(RUN_ERROR_OF_SQL.findall(migrations()))
    section = (ROOT / "docs/errors.md").read_text().partition("## Why a run or a step failed")[2]
    rows = RUN_ERROR_ROW.findall(section.partition("\n## ")[0])
    assert len(rows) == len(set(rows)), "a code is listed twice"
    assert by_sql == {"worker_lost"}
    assert set(rows) == recorded_by_the_tasks() | by_sql


def test_every_warning_is_documented() -> None:
    section = (ROOT / "docs/errors.md").read_text().partition("\n## Warnings")[2].partition("\n## ")[0]
    rows = RUN_ERROR_ROW.findall(section)
    (file,) = (ROOT / "supabase/migrations").glob("*_run_warnings.sql")
    by_sql = set(re.findall(r"'code', '([a-z_]+)'", file.read_text()))
    by_steps = {
        code
        for path in (ROOT / "trigger/src/tasks/steps").rglob("*.ts")
        for code in re.findall(r'\bwarn\(\s*"([a-z_]+)"', path.read_text())
        if not path.name.endswith(".test.ts")
    }
    assert by_sql == {"rows_rejected_at_ingestion", "empty_output", "undecodable_text"}
    assert by_sql | by_steps <= set(rows)


def test_a_bare_status_becomes_a_code_of_that_status() -> None:
    assert all(code.status == status for status, code in CODE_OF_STATUS.items() if status != 400)


def test_reject_reasons_of_ingestion_are_documented() -> None:
    text = "".join(path.read_text() for path in (ROOT / "api/ingest").glob("*.py"))
    # The reason is the third argument of `reject`, or chosen in the line above it.
    reasons = set(re.findall(r"\breject\([^()]*?\"([a-z_]+)\"", text))
    reasons |= set(re.findall(r'"([a-z_]+_fields)" if many else "([a-z_]+_fields)"', text)[0])
    section = (ROOT / "docs/errors.md").read_text().partition("## Why a row of a file was rejected")[2]
    assert {"malformed_row", "invalid_json", "too_few_fields", "nested_too_deeply"} <= reasons
    assert reasons == set(re.findall(r"`([a-z]+_[a-z_]+)`", section.partition("| --- |")[2]))
