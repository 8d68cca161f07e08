"""The figures of a campaign follow from its history."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.chaos.history import Fault
from tests.chaos.report import repeated_deliveries, report, times_to_recover
from tests.chaos.test_oracle import AT, delivery, history, run


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def test_recovery_lasts_from_the_fault_to_the_next_chunk_of_a_run_that_was_under_way() -> None:
    under_way = replace(
        run(),
        started_at=AT,
        finished_at=AT + seconds(90),
        chunks=tuple(
            replace(chunk, written_at=AT + seconds(when))
            for chunk, when in zip(run().chunks, (5, 72), strict=True)
        ),
    )
    later = replace(run("b"), started_at=AT + seconds(11), finished_at=AT + seconds(12))
    cancelled = replace(under_way, id="c", status="cancelled")
    killed = Fault("CLI killed", AT + seconds(10), AT + seconds(15))
    harmless = Fault("run cancelled", AT + seconds(10))
    seen = history(runs=[under_way, later, cancelled], faults=[killed, harmless])
    assert times_to_recover(seen) == [62.0]


def test_a_repeat_is_recognised_by_its_key() -> None:
    seen = history(deliveries=[delivery("a"), delivery("b"), delivery("a")])
    assert repeated_deliveries(seen) == 1


def test_the_report_counts_outcomes_and_codes() -> None:
    failed = replace(run("b"), status="failed", error_code="worker_lost")
    told = report(history(runs=[run(), failed, run("c")], repairs={"restarted": 2}))
    lines = {line[:28].strip(): line[28:].strip() for line in told.splitlines()}
    assert lines["runs"] == "3: succeeded 2, failed 1"
    assert lines["failed with"] == "1: worker_lost 1"
    assert lines["repairs by the reconciler"] == "2: restarted 2"
