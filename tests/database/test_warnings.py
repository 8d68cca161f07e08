"""Warnings of runs, and which field took which column: from the steps, and from SQL when a run ends."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.support.pipeline import INLINE, Json, Run, create_blueprint, create_run, records, verdict
from tests.support.sql_client import Client, signed_in, violates
from tests.support.tenants import Company, Org, Tenants

PROFILE = {"filled": 2, "capitals": 0, "lower_case": 0, "numeric": 0}
WARNING = {"code": "no_column_recognised", "message": "No column is known.", "details": {"columns": ["x"]}}
USES = [{"name": "Firma", "field": "name"}, {"name": "Notiz", "field": None}]


@pytest.fixture
def run(worker: Client, tenants: Tenants) -> Run:
    """A claimed run of three records and two steps."""
    org = tenants.org
    run = create_run(worker, org, org.first, {"slug": INLINE}, {"slug": INLINE})
    run.take()
    return run


@pytest.fixture
def reader(run: Run, tenants: Tenants) -> Client:
    return signed_in(run.worker.connection, tenants.org.admin)


def get(reader: Client, run_id: str) -> Json:
    found: Json = reader.call("get_pipeline_run", pipeline_run_id=run_id)
    return found


def codes(run: Json) -> list[str]:
    return [warning["code"] for warning in run["warnings"]]


def end_step(run: Run, position: int, written: list[Json], dropped: list[Json], **remarks: Any) -> None:  # noqa: ANN401
    run.start(position)
    last = {"chunk_index": 0, "records": written, "rejected": [], "dropped": dropped}
    run.on_step("end_step", position, last_chunk=last, **remarks)


def upload(client: Client, company: Company, blueprint_id: str, rejected: int, **arguments: Any) -> Json:  # noqa: ANN401
    """An upload of ten rows; returns {submission, pipeline_run}."""
    opened = client.call("open_submission", company_id=company.id, blueprint_id=blueprint_id, source="csv")
    submission_id = opened["submission"]["id"]
    client.call(
        "append_submission_chunk",
        submission_id=submission_id,
        chunk_index=0,
        records=records(*range(rejected + 1, 11)),
        rejected=[verdict(row, "malformed_row") for row in range(1, rejected + 1)],
    )
    finished: Json = client.call("finalize_submission", submission_id=submission_id, **arguments)
    return finished


def executed(worker: Client, submitted: Json) -> Run:
    run = Run(worker, submitted["pipeline_run"], submitted["submission"])
    run.succeed()
    return run


def test_a_run_shows_the_warnings_of_its_steps_in_get_and_list(run: Run, reader: Client) -> None:
    end_step(run, 1, records(1, 2, 3), [], warnings=[WARNING], columns=USES)
    expected = [{**WARNING, "position": 1, "slug": INLINE}]
    assert get(reader, run.id)["warnings"] == expected
    run.pass_through(2)
    run.on_run("finish_pipeline_run")
    assert get(reader, run.id)["warnings"] == expected
    listed = reader.call("list_pipeline_runs", submission_id=run.submission["id"])["items"]
    assert [found["warnings"] for found in listed] == [expected]
    step = reader.call("get_step_result", step_result_id=run.step_id(1))
    assert (step["warnings"], step["columns"]) == ([WARNING], USES)
    (first, second) = reader.call("list_step_results", pipeline_run_id=run.id)["items"]
    assert (first["warnings"], first["columns"]) == ([WARNING], USES)
    assert (second["warnings"], second["columns"]) == ([], None)


def test_a_repeat_of_the_end_of_a_step_warns_once(run: Run, reader: Client) -> None:
    end_step(run, 1, records(1, 2, 3), [], warnings=[WARNING])
    run.on_step("end_step", 1, warnings=[WARNING])
    assert codes(get(reader, run.id)) == ["no_column_recognised"]


def test_a_run_whose_output_is_empty_says_so(run: Run, reader: Client) -> None:
    end_step(run, 1, [], [verdict(1), verdict(2), verdict(3)])
    run.pass_through(2)
    run.on_run("finish_pipeline_run")
    (warning,) = get(reader, run.id)["warnings"]
    assert warning["code"] == "empty_output"
    assert warning["details"] == {"record_count": 3, "records_rejected": 0, "records_dropped": 3}


def test_a_run_with_one_record_of_output_does_not(run: Run, reader: Client) -> None:
    end_step(run, 1, records(1), [verdict(2), verdict(3)])
    run.pass_through(2)
    run.on_run("finish_pipeline_run")
    assert get(reader, run.id)["warnings"] == []


def test_a_failed_run_has_no_output_to_warn_of(run: Run, reader: Client) -> None:
    end_step(run, 1, [], [verdict(1), verdict(2), verdict(3)])
    run.on_run("fail_pipeline_run", error={"code": "unknown_step", "message": "x"})
    assert codes(get(reader, run.id)) == []


@pytest.mark.parametrize(
    ("rejected", "share", "expected"),
    [
        (2, None, []),
        (3, None, ["rows_rejected_at_ingestion"]),
        (3, Decimal("0.3"), []),
        (1, Decimal(0), ["rows_rejected_at_ingestion"]),
        (0, Decimal(0), []),
    ],
)
def test_a_run_warns_when_more_than_a_share_of_the_rows_was_rejected(
    worker: Client, tenants: Tenants, rejected: int, share: Decimal | None, expected: list[str]
) -> None:
    org = tenants.org
    admin = signed_in(worker.connection, org.admin)
    blueprint = create_blueprint(admin, {"slug": INLINE})
    asked = {} if share is None else {"warn_rejected_share": share}
    submitted = upload(
        signed_in(worker.connection, org.first.member), org.first, blueprint["id"], rejected, **asked
    )
    assert submitted["pipeline_run"]["warnings"] == []
    found = get(admin, executed(worker, submitted).id)
    assert codes(found) == expected
    if expected:
        assert found["warnings"][0]["details"]["rejected_count"] == rejected
        assert found["warnings"][0]["details"]["row_count"] == 10


def test_a_run_warns_of_text_that_could_not_be_decoded(worker: Client, org: Org) -> None:
    admin = signed_in(worker.connection, org.admin)
    blueprint = create_blueprint(admin, {"slug": INLINE})
    cell = {"row": 2, "line": 3, "column": "Notiz"}
    read_as = {"format": "csv", "encoding": "utf-8", "notes": {"undecodable_cells": 1}, "noted_cells": [cell]}
    submitted = upload(admin, org.first, blueprint["id"], 0, read_as=Jsonb(read_as))
    (warning,) = get(admin, executed(worker, submitted).id)["warnings"]
    assert warning["code"] == "undecodable_text"
    assert warning["details"] == {"encoding": "utf-8", "undecodable_cells": 1, "first_cells": [cell]}


def test_a_retry_keeps_what_reused_steps_said(worker: Client, tenants: Tenants) -> None:
    org = tenants.org
    run = create_run(worker, org, org.first, {"slug": INLINE}, {"slug": INLINE})
    reader = signed_in(worker.connection, org.admin)
    run.take()
    end_step(run, 1, records(1, 2, 3), [], warnings=[WARNING], columns=USES)
    run.start(2)
    run.on_step("fail_step", 2, error={"code": "broken", "message": "It broke."})
    retried = reader.call("retry_pipeline_run", pipeline_run_id=run.id)
    assert retried["warnings"] == [{**WARNING, "position": 1, "slug": INLINE}]
    steps = reader.call("list_step_results", pipeline_run_id=retried["id"])["items"]
    assert (steps[0]["warnings"], steps[0]["columns"]) == ([WARNING], USES)
    assert (steps[1]["warnings"], steps[1]["columns"]) == ([], None)


def test_a_worker_gets_the_columns_of_the_submission_in_every_run(worker: Client, org: Org) -> None:
    admin = signed_in(worker.connection, org.admin)
    blueprint = create_blueprint(admin, {"slug": INLINE})
    columns = [{"name": "Firma", **PROFILE}, {"name": "Notiz", **PROFILE}]
    submitted = upload(admin, org.first, blueprint["id"], 0, columns=Jsonb(columns))
    run = Run(worker, submitted["pipeline_run"], submitted["submission"])
    assert run.take()["columns"] == columns
    run.on_run("fail_pipeline_run", error={"code": "unknown_step", "message": "x"})
    retried = Run(worker, admin.call("retry_pipeline_run", pipeline_run_id=run.id), run.submission)
    assert retried.take()["columns"] == columns


def test_a_submission_says_which_field_took_each_column_in_the_newest_run(worker: Client, org: Org) -> None:
    admin = signed_in(worker.connection, org.admin)
    blueprint = create_blueprint(admin, {"slug": INLINE}, {"slug": INLINE})
    columns = [{"name": name, **PROFILE} for name in ("Notiz", "Firma", "Ort")]
    submitted = upload(admin, org.first, blueprint["id"], 0, columns=Jsonb(columns))
    submission_id = submitted["submission"]["id"]

    def fields() -> tuple[str | None, list[str | None]]:
        found = admin.call("get_submission", submission_id=submission_id)
        assert [{**column, "field": None} for column in columns] == [
            {**column, "field": None} for column in found["columns"]
        ]
        return found["columns_reported_by"], [column["field"] for column in found["columns"]]

    assert fields() == (None, [None, None, None])
    run = Run(worker, submitted["pipeline_run"], submitted["submission"])
    run.take()
    kept = records(*range(1, 11))
    end_step(run, 1, kept, [], columns=USES)
    end_step(run, 2, kept, [], columns=[{"name": "Ort", "field": "of a later step"}])
    assert fields() == (run.id, [None, "name", None])
    run.on_run("finish_pipeline_run")
    again = Run(worker, admin.call("create_pipeline_run", submission_id=submission_id), run.submission)
    assert fields()[0] == run.id
    again.take()
    end_step(again, 1, kept, [], columns=[{"name": "Ort", "field": "city"}])
    assert fields() == (again.id, [None, None, "city"])


@pytest.mark.parametrize(
    "warnings",
    [
        {},
        [1],
        [WARNING] * 21,
        [WARNING | {"code": "Not so"}],
        [WARNING | {"code": "x" * 64}],
        [WARNING | {"message": ""}],
        [WARNING | {"message": "x" * 501}],
        [WARNING | {"details": []}],
        [WARNING | {"details": {"x": "y" * 4096}}],
        [WARNING | {"more": 1}],
        [{"code": "x", "message": "y"}],
    ],
    ids=lambda warnings: json.dumps(warnings)[:60],
)
def test_only_warnings_are_taken_for_warnings(run: Run, warnings: object) -> None:
    run.start(1)
    run.write(1, records(1, 2, 3))
    with violates(errors.CheckViolation):
        run.on_step("finish_step", 1, warnings=Jsonb(warnings))


def test_a_number_of_a_hundred_thousand_digits_is_refused_before_it_is_written_out(run: Run) -> None:
    """jsonb holds 1e131000 in a few bytes, and prints it in 131,000 digits."""
    run.start(1)
    run.write(1, records(1, 2, 3))
    huge = json.dumps([WARNING]).replace('"x"', ", ".join(["1e131000"] * 20))
    with violates(errors.CheckViolation):
        run.worker.value(
            "select worker.finish_step(%(step)s, %(claim)s, p_warnings => %(huge)s::jsonb)",
            {"step": run.step_id(1), "claim": run.claim_id, "huge": huge},
        )


@pytest.mark.parametrize(
    "columns",
    [
        {},
        ["Firma"],
        [{"name": "Firma"}],
        [{"name": "", "field": None}],
        [{"name": "x" * 256, "field": None}],
        [{"name": "Firma", "field": 1}],
        [{"name": "Firma", "field": "x" * 256}],
        [{"name": "Firma", "field": None, "more": 1}],
        [USES[0]] * 2001,
    ],
    ids=lambda columns: json.dumps(columns)[:60],
)
def test_only_uses_of_columns_are_taken_for_them(run: Run, columns: object) -> None:
    run.start(1)
    run.write(1, records(1, 2, 3))
    with violates(errors.CheckViolation):
        run.on_step("finish_step", 1, columns=Jsonb(columns))
