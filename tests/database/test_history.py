"""Chunks, runs, results and rejected records go only with their submission, even for the owner."""

from __future__ import annotations

import pytest

from tests.database.populated import populate
from tests.support.pipeline import Run, create_run
from tests.support.sql_client import Client, refused
from tests.support.tenants import Org

# Table → the condition for its rows below one submission.
HISTORY = {
    "submission_chunks": "submission_id = %(id)s",
    "pipeline_runs": "submission_id = %(id)s",
    "rejected_records": "submission_id = %(id)s",
    "step_results": "pipeline_run_id in (select id from public.pipeline_runs where submission_id = %(id)s)",
    "step_result_chunks": (
        "step_result_id in (select sr.id from public.step_results sr "
        "join public.pipeline_runs r on r.id = sr.pipeline_run_id where r.submission_id = %(id)s)"
    ),
}


@pytest.fixture
def run(worker: Client, org: Org) -> Run:
    """A finished run of a submission that has rows in each table."""
    return populate(worker, org)


def counts(postgres: Client, run: Run) -> dict[str, int]:
    return {
        table: postgres.value(
            f"select count(*) from public.{table} where {rows}", {"id": run.submission["id"]}
        )
        for table, rows in HISTORY.items()
    }


@pytest.mark.parametrize("table", HISTORY)
def test_the_owner_cannot_delete_a_part_of_a_submissions_history(
    postgres: Client, run: Run, table: str
) -> None:
    before = counts(postgres, run)
    assert before[table] > 0
    with refused(409, "immutable"):
        postgres.change(f"delete from public.{table} where {HISTORY[table]}", {"id": run.submission["id"]})
    assert counts(postgres, run) == before


def test_a_deleted_submission_takes_all_of_its_history_along_and_no_other(
    postgres: Client, worker: Client, run: Run, org: Org
) -> None:
    other = create_run(worker, org, org.second)
    of_other = counts(postgres, other)
    postgres.change("delete from public.submissions where id = %(id)s", {"id": run.submission["id"]})
    assert set(counts(postgres, run).values()) == {0}
    assert counts(postgres, other) == of_other


@pytest.mark.parametrize("table", ["submissions", *HISTORY])
def test_history_is_never_truncated(postgres: Client, run: Run, table: str) -> None:
    with refused(409, "immutable"):
        postgres.change(f"truncate public.{table} cascade")
