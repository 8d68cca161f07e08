"""The rules that runs keep in every order: between any two looks at them, and in each look alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.database.interleavings.workers import outcome_of
from tests.support.sql_client import Client

Row = dict[str, Any]

FINAL_RUN = {"succeeded", "succeeded_with_errors", "failed", "cancelled"}
FINAL_STEP = {"succeeded", "failed", "cancelled", "skipped"}
RUN_PATHS = {"queued": {"running", "failed", "cancelled"}, "running": FINAL_RUN}
STEP_PATHS = {"pending": {"running", "skipped"}, "running": {"succeeded", "failed", "cancelled"}}
COUNTS = ("records_in", "records_added", "records_out", "records_rejected", "records_dropped")
_NEVER_LESS = ("attempt", "chunks_written", *COUNTS)


@dataclass(frozen=True)
class Look:
    """Runs, their step results and their chunks at one moment, each by its id."""

    runs: Mapping[str, Row]
    steps: Mapping[str, Row]
    chunks: Mapping[tuple[str, int], Row]
    most_in_flight: int
    now: str

    @property
    def rows(self) -> tuple[Any, ...]:
        """Everything but the time."""
        return self.runs, self.steps, self.chunks

    def steps_of(self, pipeline_run_id: str) -> list[Row]:
        of_run = [step for step in self.steps.values() if step["pipeline_run_id"] == pipeline_run_id]
        return sorted(of_run, key=lambda step: int(step["position"]))


def look(postgres: Client, org_id: str, since: datetime) -> Look:
    """Looks at all runs of the org that were created since, in one statement."""
    found = postgres.connection.execute(_LOOK, {"org": org_id, "since": since}).fetchone()
    assert found is not None
    runs, steps, chunks, limit, now = found
    return Look(
        {run["id"]: run for run in runs},
        {step["id"]: step for step in steps},
        {(chunk["step_result_id"], chunk["chunk_index"]): chunk for chunk in chunks},
        limit,
        now,
    )


_LOOK = """
with run as (
    select r.* from public.pipeline_runs r where r.org_id = %(org)s and r.created_at >= %(since)s
),
step as (
    select s.* from run join public.step_results s on s.pipeline_run_id = run.id
),
chunk as (
    select c.* from step join public.step_result_chunks c on c.step_result_id = step.id
)
select
    (select coalesce(jsonb_agg(to_jsonb(r) - 'blueprint_snapshot' order by r.created_at), '[]') from run r),
    (select coalesce(jsonb_agg(to_jsonb(s)), '[]') from step s),
    (select coalesce(jsonb_agg(to_jsonb(c) - 'records' - 'dropped'), '[]') from chunk c),
    (select o.max_runs_in_flight from public.orgs o where o.id = %(org)s),
    to_jsonb(now()) #>> '{}'
"""


def broken_between(before: Look, after: Look) -> Iterator[str]:
    """The changes between two looks that no action may make."""
    for run_id, run in before.runs.items():
        now = after.runs.get(run_id)
        if now is None:
            yield f"run {run_id} is gone"
            continue
        yield from _broken_path(f"run {run_id}", run["status"], now["status"], RUN_PATHS)
        if run["status"] in FINAL_RUN and _but_for_cancelling(run) != _but_for_cancelling(now):
            yield f"run {run_id} was {run['status']}, which is final, and has changed"
        if run["admitted_at"] is not None and run["admitted_at"] != now["admitted_at"]:
            yield f"run {run_id} was admitted twice"
    for step_id, step in before.steps.items():
        now = after.steps[step_id]
        yield from _broken_path(f"step {step_id}", step["status"], now["status"], STEP_PATHS)
        if step["status"] in FINAL_STEP and step != now:
            yield f"step {step_id} was {step['status']}, which is final, and has changed"
        for name in _NEVER_LESS:
            if now[name] < step[name]:
                yield f"step {step_id}: {name} fell from {step[name]} to {now[name]}"
    for place, chunk in before.chunks.items():
        if after.chunks.get(place) != chunk:
            yield f"chunk {place} was written and has changed"


def broken_now(seen: Look) -> Iterator[str]:
    """The states that no look may show."""
    in_flight = [run for run in seen.runs.values() if run["admitted_at"] and not run["finished_at"]]
    if len(in_flight) > seen.most_in_flight:
        yield f"{len(in_flight)} runs of the org are in flight, more than {seen.most_in_flight}"
    for run_id, run in seen.runs.items():
        steps = seen.steps_of(run_id)
        yield from _broken_run(run, steps)
        for step in steps:
            yield from _broken_step(step, seen)


def _broken_path(what: str, before: str, after: str, paths: Mapping[str, set[str]]) -> Iterator[str]:
    reachable = {before} | paths.get(before, set())
    # Two actions at once, or one that changes a status twice, may take two steps of the path.
    reachable |= {status for first in reachable for status in paths.get(first, set())}
    if after not in reachable:
        yield f"{what} went from {before} to {after}"


def _but_for_cancelling(run: Row) -> Row:
    return {**run, "trigger_cancelled_at": None}


def _broken_run(run: Row, steps: list[Row]) -> Iterator[str]:
    statuses = [step["status"] for step in steps]
    what = f"run {run['id']} is {run['status']}"
    if run["status"] in FINAL_RUN and not FINAL_STEP.issuperset(statuses):
        yield f"{what} with steps {statuses}"
    if run["status"] == "queued" and any(step["attempt"] for step in steps):
        yield f"{what} although a step has started"
    if run["status"] == "running" and run["admitted_at"] is None:
        yield f"{what} although it was not admitted"
    for step in steps:
        skipped = step["skip_reason"]
        if run["status"] == "cancelled" and step["status"] == "skipped" and skipped == "run_failed":
            yield f"{what}, and a step was skipped by {skipped}"
        if run["status"] in ("succeeded", "succeeded_with_errors"):
            through = step["status"] == "succeeded" or skipped == "condition"
            if not through and not (step["status"] == "failed" and step["continue_on_error"]):
                yield f"{what} with steps {statuses}"
    if run["status"] == "succeeded" and "failed" in statuses:
        yield f"{what} with steps {statuses}"
    if statuses.count("running") > 1:
        yield f"{what} and works on two steps at once"


def _broken_step(step: Row, seen: Look) -> Iterator[str]:
    what = f"step {step['id']}"
    if step["reused_from"] is not None:
        return  # its counts are those of the chunks of an earlier run
    chunks = [chunk for (step_id, _), chunk in seen.chunks.items() if step_id == step["id"]]
    counted = {name: sum(chunk[name] for chunk in chunks) for name in COUNTS}
    if {name: step[name] for name in COUNTS} != counted or step["chunks_written"] != len(chunks):
        yield f"{what} has other counts than its chunks: {counted}"
    came = counted["records_in"] + counted["records_added"]
    if came != counted["records_out"] + counted["records_rejected"] + counted["records_dropped"]:
        yield f"{what} loses or invents records: {counted}"
    if step["status"] == "succeeded" and len(chunks) != step["chunk_count"]:
        yield f"{what} has succeeded with {len(chunks)} of {step['chunk_count']} chunks"
    if step["status"] == "pending" and chunks:
        yield f"{what} has chunks and has not started"


def broken_contents(postgres: Client, org_id: str, since: datetime) -> Iterator[str]:
    """The chunks that hold anything but what their step makes of its input, read anew row by row."""
    rows = postgres.rows(
        """
        select c.step_result_id::text as step, c.chunk_index, s.position, c.records, c.dropped,
            (
                select coalesce(jsonb_agg(
                    jsonb_build_object('id', j.record_id, 'reason', j.reason, 'message', j.message)
                    order by j.id
                ), '[]')
                from public.rejected_records j
                where j.step_result_id = c.step_result_id and j.chunk_index = c.chunk_index
            ) as rejected,
            coalesce(taken.records, submitted.records) as input
        from public.step_result_chunks c
        join public.step_results s on s.id = c.step_result_id
        join public.pipeline_runs r on r.id = s.pipeline_run_id
        left join public.step_result_chunks taken
            on taken.step_result_id = s.input_step_result_id and taken.chunk_index = c.chunk_index
        left join public.submission_chunks submitted
            on submitted.submission_id = r.submission_id and submitted.chunk_index = c.chunk_index
        where r.org_id = %(org)s and r.created_at >= %(since)s
        """,
        {"org": org_id, "since": since},
    )
    for row in rows:
        written = {name: row[name] for name in ("records", "rejected", "dropped")}
        if written != outcome_of(row["position"], row["input"]):
            yield f"chunk {row['step']}:{row['chunk_index']} is not what its step makes: {written}"
