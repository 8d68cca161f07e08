"""What the demo reads after the run: records, export, deliveries, isolation; and checks of them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.demo.api_client import Api, ApiError
from local.demo.deliveries import Deliveries, read_deliveries
from local.demo.demo_org import SeededOrg, sign_in
from local.demo.models import PipelineRun, Record, RunSummary, Submission, Verdict
from local.demo.walkthrough import Demo, DemoRun
from local.demo_people import OUTSIDER

_PAGE = 1000


@dataclass(frozen=True)
class Example:
    """A record before and after the run."""

    id: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True)
class Isolation:
    """What a user of another company of the same org can see of the run."""

    runs_listed: int
    run: str
    records: str

    @property
    def holds(self) -> bool:
        return self.runs_listed == 0 and self.run == self.records == "404 pipeline_run_not_found"


@dataclass(frozen=True)
class DuplicateGroups:
    """The groups of equal records: how many, how large, and what differed within them."""

    count: int
    largest: int
    largest_kept: str | None
    """The record that was kept of the largest group."""
    differing: Mapping[str, int]
    """Field → dropped records that differed from the kept one there, the most frequent first."""

    @classmethod
    def of(cls, dropped: Sequence[Verdict]) -> DuplicateGroups:
        sizes = Counter(str((verdict.details or {}).get("duplicate_of")) for verdict in dropped)
        kept, duplicates = max(sizes.items(), key=lambda group: group[1], default=(None, -1))
        fields = Counter(
            field for verdict in dropped for field in (verdict.details or {}).get("differs_in", [])
        )
        return cls(len(sizes), duplicates + 1, kept, dict(fields.most_common()))


@dataclass(frozen=True)
class Findings:
    submission: Submission
    run: PipelineRun
    rejected: list[Verdict]
    dropped: list[Verdict]
    inputs: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Mapping[str, Any]]
    export: Path
    exported_rows: int
    deliveries: Deliveries
    isolation: Isolation

    def complaints(self) -> list[str]:
        """One sentence for each check that failed."""
        found = [
            f"The ledger of {step.slug} does not balance." for step in self.run.steps if not step.balances
        ]
        out = len(self.outputs)
        if self.run.steps[-1].records_out != out:
            found.append(f"The last step counted {self.run.steps[-1].records_out} records, {out} came back.")
        if self.exported_rows != out:
            found.append(f"The export has {self.exported_rows} rows instead of {out}.")
        if self.deliveries.records != out:
            found.append(f"The webhook received {self.deliveries.records} records instead of {out}.")
        if self.deliveries.refused:
            found.append("The webhook received requests that were not signed or not readable.")
        if not self.isolation.holds:
            found.append(f"{OUTSIDER.email}, of another company, can see the run.")
        return found

    def examples(self, count: int) -> list[Example]:
        """The records that changed most, one a country."""
        changed = sorted(
            (Example(id, self.inputs[id], after) for id, after in self.outputs.items() if id in self.inputs),
            key=lambda example: (-_changes(example), int(example.id)),
        )
        chosen: dict[Any, Example] = {}
        for example in changed:
            chosen.setdefault(example.after.get("country"), example)
        return list(chosen.values())[:count]


def gather(demo: Demo, demo_run: DemoRun, server: Api) -> Findings:
    """Reads and exports the run's records, and tries to read them as a user of another company."""
    run = demo_run.run
    run_id = {"pipeline_run_id": run.id}
    first_step = {"step_result_id": run.steps[0].id, "kind": "input"}
    return Findings(
        submission=demo_run.submitted.submission,
        run=run,
        rejected=list(
            server.every("/v1/pipeline-runs/records", {**run_id, "kind": "rejected"}, Verdict, page=_PAGE)
        ),
        dropped=list(
            server.every("/v1/pipeline-runs/records", {**run_id, "kind": "dropped"}, Verdict, page=_PAGE)
        ),
        inputs=_by_id(server, "/v1/step-results/records", first_step),
        outputs=_by_id(server, "/v1/pipeline-runs/records", {**run_id, "kind": "output"}),
        export=demo.export_file,
        exported_rows=_export(server, run.id, demo.export_file),
        deliveries=read_deliveries(demo.receiver_url, run.id),
        isolation=_read_as_outsider(demo, demo_run.org, run.id),
    )


def _by_id(server: Api, path: str, body: dict[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {record.id: record.data for record in server.every(path, body, Record, page=_PAGE)}


def _export(server: Api, pipeline_run_id: str, file: Path) -> int:
    """Streams the run's records into a CSV file and counts its rows."""
    body = {"pipeline_run_id": pipeline_run_id, "format": "csv"}
    with server.stream("/v1/pipeline-runs/export", body) as response, file.open("wb") as target:
        for piece in response.iter_bytes():
            target.write(piece)
    with file.open(encoding="utf-8-sig", newline="") as written:
        return sum(1 for _ in csv.DictReader(written))


def _read_as_outsider(demo: Demo, org: SeededOrg, pipeline_run_id: str) -> Isolation:
    run_id = {"pipeline_run_id": pipeline_run_id}
    with Api(demo.api_url, sign_in(demo.environment, OUTSIDER)) as outsider:
        listed = list(outsider.every("/v1/pipeline-runs/list", {}, RunSummary))
        own_company = org.company_ids[str(OUTSIDER.company)]
        return Isolation(
            runs_listed=sum(run.company_id != own_company for run in listed),
            run=_answer(outsider, "/v1/pipeline-runs/get", run_id),
            records=_answer(outsider, "/v1/pipeline-runs/records", run_id),
        )


def _answer(caller: Api, path: str, body: dict[str, Any]) -> str:
    try:
        caller.call_untyped(path, body)
    except ApiError as refusal:
        return f"{refusal.status} {refusal.code}"
    return "200"


def _changes(example: Example) -> int:
    before = {str(value) for value in example.before.values()}
    return sum(value is not None and str(value) not in before for value in example.after.values())
