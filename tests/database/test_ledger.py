"""The ledger: every record of an input chunk ends in exactly one place, and SQL counts the written rows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.pipeline import INLINE, Run, create_run, records, verdict
from tests.support.sql_client import Client, refused
from tests.support.tenants import Company, Org

COUNTS = ("records_in", "records_added", "records_out", "records_rejected", "records_dropped")


@pytest.fixture
def run(worker: Client, org: Org, company: Company) -> Run:
    """A run with two inline steps on records 1, 2, 3. The first step has started."""
    run = create_run(worker, org, company, {"slug": INLINE}, {"slug": INLINE})
    run.take()
    run.start(1)
    return run


def counts(run: Run, reader: Client, position: int = 1) -> tuple[int, ...]:
    result = reader.call("get_step_result", step_result_id=run.step_id(position))
    return tuple(result[name] for name in COUNTS)


def test_rejected_and_dropped_records_are_counted_from_the_written_chunk(run: Run, member: Client) -> None:
    run.write(1, records(1), rejected=[verdict(2)], dropped=[verdict(3)])
    assert counts(run, member) == (3, 0, 1, 1, 1)
    finished = run.on_step("finish_step", 1)
    assert tuple(finished[name] for name in COUNTS) == (3, 0, 1, 1, 1)
    assert (finished["status"], finished["chunks_written"]) == ("succeeded", 1)


def test_children_of_a_fan_out_count_as_added(run: Run, member: Client) -> None:
    run.write(
        1, records("1", "1.1", "1.2", "2.1"), rejected=[verdict("3.1")], dropped=[verdict(2), verdict(3)]
    )
    assert counts(run, member) == (3, 4, 4, 1, 2)
    run.on_step("finish_step", 1)
    run.start(2)
    run.write(2, records("1", "1.1", "1.1.1", "1.2", "2.1"))
    assert counts(run, member, 2) == (4, 1, 5, 0, 0)


def test_a_step_reads_the_output_of_the_step_before_it(run: Run, worker: Client, member: Client) -> None:
    run.write(1, [{"id": "3", "data": {"name": "changed"}}], dropped=[verdict(1), verdict(2)])
    run.on_step("finish_step", 1)
    taken = worker.call("worker.read_chunk", step_result_id=run.step_id(2), chunk_index=0)
    assert taken == {"chunk_index": 0, "records": [{"id": "3", "data": {"name": "changed"}}]}


@pytest.mark.parametrize(
    ("written", "verdicts", "details"),
    [
        (records(1, 2), {}, {"missing": ["3"]}),
        ([], {}, {"missing": ["1", "2", "3"]}),
        (records(1, 2, 3, 3), {}, {"repeated": ["3"]}),
        (records(1, 2, 3), {"rejected": [verdict(3)]}, {"repeated": ["3"]}),
        (records(1, 2, 3), {"dropped": [verdict(3)]}, {"repeated": ["3"]}),
        (records(1, 2), {"rejected": [verdict(3)], "dropped": [verdict(3)]}, {"repeated": ["3"]}),
        (records(1, 2), {"rejected": [verdict(3), verdict(3)]}, {"repeated": ["3"]}),
        (records(1, 2, 3, 4), {}, {"strange": ["4"]}),
        (records(1, 2, 3, "4.1"), {}, {"strange": ["4.1"]}),
        (records(1, 2, 3, "1.1.1"), {}, {"strange": ["1.1.1"]}),
        (records(1, 2, 3), {"dropped": [verdict("someone")]}, {"strange": ["someone"]}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) and value else "",
)
def test_a_chunk_that_loses_repeats_or_invents_a_record_is_refused(
    run: Run,
    member: Client,
    written: list[Any],
    verdicts: dict[str, Any],
    details: dict[str, list[str]],
) -> None:
    with refused(422, "ledger_unbalanced", details):
        run.write(1, written, **verdicts)
    assert counts(run, member) == (0, 0, 0, 0, 0)
    with refused(409, "step_incomplete"):
        run.on_step("finish_step", 1)


@pytest.mark.parametrize(
    "written",
    [
        {},
        ["text"],
        [{"id": 1, "data": {}}],
        [{"id": "0", "data": {}}],
        [{"id": "01", "data": {}}],
        [{"id": "1.", "data": {}}],
        [{"id": "1", "data": []}],
        [{"id": "1", "data": None}],
        [{"id": "1"}],
        [{"id": "1", "data": {}, "more": 1}],
        [{"id": "1234567890", "data": {}}],
    ],
    ids=str,
)
def test_a_record_has_an_id_and_an_object_and_nothing_else(run: Run, written: Any) -> None:  # noqa: ANN401
    with refused(422, "invalid_records"):
        run.write(1, written)


@pytest.mark.parametrize("place", ["rejected", "dropped"])
@pytest.mark.parametrize(
    "given",
    [
        {},
        ["text"],
        [{"id": "3", "message": "Why."}],
        [verdict(3, "Not A Code")],
        [{"id": "3", "reason": "because"}],
        [verdict("")],
        [{**verdict(3), "id": None}],
        [verdict(3, details="text")],
    ],
    ids=str,
)
def test_a_verdict_says_which_record_and_why(run: Run, place: str, given: Any) -> None:  # noqa: ANN401
    with refused(422, "invalid_records"):
        run.write(1, records(1, 2), **{place: given})


def test_a_repeated_chunk_changes_nothing(run: Run, member: Client) -> None:
    content: dict[str, Any] = {"rejected": [verdict(2, details={"a": 1})], "dropped": [verdict(3)]}
    assert run.write(1, records(1), **content) == {"written": True}
    assert run.write(1, records(1), **content) == {"written": False}
    assert counts(run, member) == (3, 0, 1, 1, 1)


def test_other_content_for_a_written_chunk_is_a_conflict(run: Run, member: Client) -> None:
    run.write(1, records(1), rejected=[verdict(2)], dropped=[verdict(3)])
    for written, rejected, dropped in (
        (records(1, 2, 3), [], []),
        ([{"id": "1", "data": {}}], [verdict(2)], [verdict(3)]),
        (records(1), [verdict(2, "other")], [verdict(3)]),
        (records(1), [verdict(3)], [verdict(2)]),
    ):
        with refused(409, "chunk_conflict"):
            run.write(1, written, rejected=rejected, dropped=dropped)
    assert counts(run, member) == (3, 0, 1, 1, 1)


def test_a_chunk_that_the_input_does_not_have_is_refused(run: Run, worker: Client) -> None:
    for index in (1, -1):
        with refused(404, "chunk_not_found"):
            run.write(1, [], index)
        with refused(404, "chunk_not_found"):
            worker.call("worker.read_chunk", step_result_id=run.step_id(1), chunk_index=index)


def test_chunks_of_a_step_that_does_not_run_are_refused(run: Run) -> None:
    run.write(1, records(1, 2, 3))
    with refused(409, "invalid_transition"):
        run.write(2, records(1, 2, 3))
    run.on_step("finish_step", 1)
    assert run.write(1, records(1, 2, 3)) == {"written": False}
    with refused(409, "chunk_conflict"):
        run.write(1, records(1, 2, 3, "1.1"))


def test_nobody_changes_written_records(run: Run, postgres: Client) -> None:
    run.write(1, records(1), rejected=[verdict(2)], dropped=[verdict(3)])
    for statement in (
        "update public.step_result_chunks set records = '[]'",
        "update public.rejected_records set reason = 'other'",
        "update public.submission_chunks set records = '[]'",
    ):
        with refused(409, "immutable"):
            postgres.change(statement)


def test_a_rejected_record_cannot_be_added_to_a_closed_chunk(run: Run, postgres: Client) -> None:
    run.write(1, records(1, 2, 3))
    statement = """
        insert into public.rejected_records
            (org_id, company_id, submission_id, step_result_id, chunk_index, record_id, reason, message)
        select org_id, company_id, %(submission)s, id, 0, '3', 'late', 'Too late.'
        from public.step_results where id = %(id)s
    """
    with refused(409, "immutable"):
        postgres.change(statement, {"id": run.step_id(1), "submission": run.submission["id"]})


def test_a_steps_success_counts_its_chunks_again(run: Run, postgres: Client, member: Client) -> None:
    run.write(1, records(1, 2, 3))
    statement = """
        update public.step_results
        set status = 'succeeded', records_in = 99, records_out = 99, chunks_written = 99
        where id = %(id)s
    """
    postgres.change(statement, {"id": run.step_id(1)})
    assert counts(run, member) == (3, 0, 3, 0, 0)


def test_a_chunk_may_grow_to_eight_megabytes(run: Run) -> None:
    def fat(size: int) -> list[dict[str, Any]]:
        return [{"id": str(number), "data": {"text": "x" * size}} for number in (1, 2, 3)]

    with refused(413, "chunk_too_large"):
        run.write(1, fat(2_800_000))
    run.write(1, fat(2_700_000))
