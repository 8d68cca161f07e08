"""One call ends a step: it writes the last chunk, finishes the step and starts the next."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.pipeline import INLINE, Json, Run, create_run, records, verdict
from tests.support.sql_client import Client, refused, signed_in
from tests.support.tenants import Tenants


@pytest.fixture
def run(worker: Client, tenants: Tenants) -> Run:
    """A run of three steps on one chunk of three records. The first step has started."""
    org = tenants.org
    run = create_run(worker, org, org.first, *[{"slug": INLINE} for _ in range(3)])
    run.take()
    run.start()
    return run


def chunk(written: list[Json], **verdicts: Any) -> Json:  # noqa: ANN401
    return {"chunk_index": 0, "records": written, "rejected": [], "dropped": [], **verdicts}


def end(run: Run, position: int, last_chunk: Json | None, starts: int | None = None) -> Json:
    following = {"next_step_result_id": run.step_id(starts)} if starts else {}
    last = {"last_chunk": last_chunk} if last_chunk else {}
    return run.on_step("end_step", position, **last, **following)


def test_a_start_gives_the_first_chunk_that_is_not_written(run: Run) -> None:
    again = run.start()
    assert again["next_chunk"] == {"chunk_index": 0, "records": records(1, 2, 3)}
    run.write(1, records(1, 2, 3))
    assert run.start()["next_chunk"] is None


def test_one_call_writes_the_chunk_ends_the_step_and_starts_the_next(run: Run, tenants: Tenants) -> None:
    reader = signed_in(run.worker.connection, tenants.org.admin)
    started = end(run, 1, chunk(records(1, 2), rejected=[verdict(3)]), starts=2)["next"]
    assert run.statuses(reader) == ("running", ["succeeded", "running", "pending"])
    assert (started["status"], started["attempt"], started["written_chunks"]) == ("running", 1, [])
    assert started["next_chunk"] == {"chunk_index": 0, "records": records(1, 2)}
    first = reader.call("get_pipeline_run", pipeline_run_id=run.id)["steps"][0]
    assert (first["records_in"], first["records_out"], first["records_rejected"]) == (3, 2, 1)


def test_a_step_ends_without_a_chunk_and_without_a_next_step(run: Run, tenants: Tenants) -> None:
    run.write(1, records(1, 2, 3))
    assert end(run, 1, None) == {"next": None}
    reader = signed_in(run.worker.connection, tenants.org.admin)
    assert run.statuses(reader) == ("running", ["succeeded", "pending", "pending"])


def test_a_repeat_changes_nothing_but_the_attempts_of_the_next_step(run: Run) -> None:
    last = chunk(records(1, 2), dropped=[verdict(3)])
    once = end(run, 1, last, starts=2)["next"]
    twice = end(run, 1, last, starts=2)["next"]
    assert twice == {**once, "attempt": 2}


@pytest.mark.parametrize(
    ("last_chunk", "starts", "status", "code"),
    [
        (chunk(records(1, 2)), 2, 422, "ledger_unbalanced"),
        (chunk(records(1, 2, 3), rejected=None), 2, 422, "invalid_records"),
        (None, 2, 409, "step_incomplete"),
        (chunk(records(1, 2, 3)), 3, 409, "invalid_transition"),
    ],
)
def test_a_refused_call_leaves_everything_undone(
    run: Run, tenants: Tenants, last_chunk: Json | None, starts: int, status: int, code: str
) -> None:
    with refused(status, code):
        end(run, 1, last_chunk, starts)
    reader = signed_in(run.worker.connection, tenants.org.admin)
    assert run.statuses(reader) == ("running", ["running", "pending", "pending"])
    assert run.start()["written_chunks"] == []


def test_other_content_for_a_written_chunk_is_a_conflict(run: Run) -> None:
    run.write(1, records(1, 2, 3))
    with refused(409, "chunk_conflict"):
        end(run, 1, chunk(records(1, 2), dropped=[verdict(3)]), starts=2)


def test_a_step_of_another_run_is_not_started(run: Run, worker: Client, tenants: Tenants) -> None:
    other = create_run(worker, tenants.org, tenants.org.first)
    other.take()
    with refused(409, "claim_lost"):
        run.on_step("end_step", 1, last_chunk=chunk(records(1, 2, 3)), next_step_result_id=other.step_id(1))


def test_an_older_claim_ends_no_step(run: Run) -> None:
    older = run.claim_id
    run.take()
    with refused(409, "claim_lost"):
        run.worker.call(
            "worker.end_step",
            step_result_id=run.step_id(1),
            claim_id=older,
            last_chunk=chunk(records(1, 2, 3)),
        )
