"""The demo complains about findings that do not add up, and about nothing else."""

from dataclasses import replace
from pathlib import Path

from local.demo.deliveries import Deliveries
from local.demo.findings import DuplicateGroups, Findings, Isolation
from local.demo.models import PipelineRun, StepResult, Submission, Verdict


def step(position: int, came: int, out: int, *, rejected: int = 0, dropped: int = 0) -> StepResult:
    return StepResult(
        id=f"step-{position}",
        position=position,
        slug=f"step-{position}",
        status="succeeded",
        chunk_count=1,
        chunks_written=1,
        records_in=came,
        records_added=0,
        records_out=out,
        records_rejected=rejected,
        records_dropped=dropped,
        error=None,
    )


def findings() -> Findings:
    """Five rows: one unreadable, one rejected, one dropped, two delivered."""
    run = PipelineRun(
        id="run",
        run_number=1,
        status="succeeded",
        error=None,
        record_count=4,
        steps=[step(1, 4, 3, rejected=1), step(2, 3, 2, dropped=1), step(3, 2, 2)],
    )
    countries = {"1": "DE", "2": "FR", "3": "DE", "4": "JP"}
    return Findings(
        submission=Submission(id="submission", record_count=4, rejected_count=1),
        run=run,
        rejected=[],
        dropped=[],
        inputs={id: {" Country ": name.lower(), "Name": id} for id, name in countries.items()},
        outputs={id: {"country": countries[id], "name": id} for id in ("1", "2")},
        export=Path("companies.clean.csv"),
        exported_rows=2,
        deliveries=Deliveries(batches=1, records=2, refused=0),
        isolation=Isolation(
            runs_listed=0, run="404 pipeline_run_not_found", records="404 pipeline_run_not_found"
        ),
    )


def test_a_run_that_adds_up_gives_no_complaint() -> None:
    assert findings().complaints() == []


def test_a_ledger_that_does_not_balance_is_named() -> None:
    good = findings()
    steps = [*good.run.steps[:1], step(2, 3, 2), *good.run.steps[2:]]
    broken = replace(good, run=good.run.model_copy(update={"steps": steps}))
    assert broken.complaints() == ["The ledger of step-2 does not balance."]


def test_a_record_that_the_webhook_did_not_get_is_a_complaint() -> None:
    short = Deliveries(batches=1, records=1, refused=0)
    assert "webhook" in " ".join(replace(findings(), deliveries=short).complaints())


def test_a_delivery_with_a_bad_signature_is_a_complaint() -> None:
    forged = Deliveries(batches=1, records=2, refused=1)
    assert "not signed" in " ".join(replace(findings(), deliveries=forged).complaints())


def test_an_export_with_a_missing_row_is_a_complaint() -> None:
    assert "export" in " ".join(replace(findings(), exported_rows=1).complaints())


def test_records_that_did_not_come_back_are_a_complaint() -> None:
    assert len(replace(findings(), outputs={}).complaints()) == 3


def test_a_stranger_who_can_see_the_run_is_a_complaint() -> None:
    unseen = findings().isolation
    for seen in (
        replace(unseen, runs_listed=1),
        replace(unseen, run="200"),
        replace(unseen, records="200"),
        replace(unseen, run="403 forbidden"),
    ):
        assert "can see the run" in " ".join(replace(findings(), isolation=seen).complaints())


def test_the_examples_come_from_different_countries_and_changed_most() -> None:
    good = findings()
    outputs = {
        "1": {"country": "DE", "name": "1"},
        "3": {"country": "DE", "name": "Three"},
        "4": {"country": "JP", "name": "4"},
    }
    chosen = replace(good, outputs=outputs).examples(5)
    assert [example.id for example in chosen] == ["3", "4"]


def duplicate(record_id: str, kept: str, *differs_in: str) -> Verdict:
    details = {"duplicate_of": kept, "differs_in": list(differs_in)}
    return Verdict(
        id=record_id, reason="duplicate", message="", details=details, position=3, slug="dedupe-records"
    )


def test_the_groups_of_duplicates_are_counted_with_what_differs_in_them() -> None:
    dropped = [duplicate("2", "1", "name", "phone"), duplicate("4", "3", "name"), duplicate("5", "3")]
    groups = DuplicateGroups.of(dropped)
    assert (groups.count, groups.largest, groups.largest_kept) == (2, 3, "3")
    assert list(groups.differing.items()) == [("name", 2), ("phone", 1)]


def test_without_duplicates_there_is_no_largest_group() -> None:
    groups = DuplicateGroups.of([])
    assert (groups.count, groups.largest, groups.largest_kept) == (0, 0, None)
