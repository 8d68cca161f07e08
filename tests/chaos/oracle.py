"""The rules that hold for every campaign, as pure functions over its history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from tests.chaos.history import Delivery, History, Run, Step

FINAL = {"succeeded", "succeeded_with_errors", "failed", "cancelled"}
_PATHS = {"queued": {"queued", "running"} | FINAL, "running": {"running"} | FINAL}
# The only errors that faults may cause: the receiver refused, or the worker was lost, too often in a row.
EXPLAINED = {"webhook_unavailable", "worker_lost", "step_task_failed"}


def violations(history: History) -> list[str]:
    """One sentence for each violation. It begins with the rule."""
    return [f"{name}: {found}" for name, rule in RULES.items() for found in rule(history)]


def _ends_by_itself(history: History) -> Iterator[str]:
    for run in history.runs:
        if run.status not in FINAL:
            yield f"run {run.id} is still {run.status}"


def _exists_if_accepted(history: History) -> Iterator[str]:
    present = [run.id for run in history.runs]
    if missing := set(history.accepted) - set(present):
        yield f"accepted but missing: {sorted(missing)}"
    if unknown := set(present) - set(history.accepted):
        yield f"present but never accepted: {sorted(unknown)}"


def _takes_one_path(history: History) -> Iterator[str]:
    for run in history.runs:
        seen = (*run.statuses, run.status)
        for before, after in pairwise(seen):
            if after not in _PATHS.get(before, {before}):
                yield f"run {run.id} went from {before} to {after}"


def _stays_cancelled(history: History) -> Iterator[str]:
    for run in history.runs:
        if run.cancel_confirmed and run.status != "cancelled":
            yield f"run {run.id} was cancelled and is {run.status}"
        if run.status == "cancelled" and not run.cancel_confirmed:
            yield f"run {run.id} is cancelled, and nobody cancelled it"


def _fails_for_a_reason(history: History) -> Iterator[str]:
    for run in history.runs:
        if run.status == "failed" and run.error_code not in EXPLAINED:
            yield f"run {run.id} failed with {run.error_code}"


def _accounts_for_each_record(history: History) -> Iterator[str]:
    for run in history.runs:
        given: int | None = run.record_count
        for step in run.steps:
            yield from _broken_ledger(run, step, given)
            if step.status == "succeeded":
                given = step.records_out
        open_steps = [step for step in run.steps if step.status in ("pending", "running")]
        if run.status in FINAL and open_steps:
            yield f"run {run.id} is {run.status}, and {open_steps[0].slug} is {open_steps[0].status}"


def _broken_ledger(run: Run, step: Step, given: int | None) -> Iterator[str]:
    what = f"run {run.id}, step {step.position}"
    left = step.records_out + step.records_rejected + step.records_dropped
    if step.records_in + step.records_added != left:
        yield f"{what}: {step.records_in} + {step.records_added} records came, {left} left"
    if step.chunks_written != sum(chunk.position == step.position for chunk in run.chunks):
        yield f"{what}: counts {step.chunks_written} chunks and has another number"
    if step.status == "succeeded":
        if step.records_in != given:
            yield f"{what}: got {step.records_in} of {given} records"
        if step.chunks_written != step.chunk_count:
            yield f"{what}: wrote {step.chunks_written} of {step.chunk_count} chunks"
        ids = [
            record for chunk in run.chunks if chunk.position == step.position for record in chunk.record_ids
        ]
        if len(ids) != step.records_out or len(set(ids)) != len(ids):
            yield f"{what}: has {len(set(ids))} of {step.records_out} records"


def _writes_what_it_always_writes(history: History) -> Iterator[str]:
    for run in history.runs:
        undisturbed = history.undisturbed[run.case]
        for chunk in run.chunks:
            if undisturbed.get((chunk.position, chunk.index)) != chunk.content:
                yield f"run {run.id}: chunk {chunk.index} of step {chunk.position} differs"


def _names_each_delivery(history: History) -> Iterator[str]:
    contents: dict[str, tuple[str, str]] = {}
    for delivery in history.deliveries:
        if not delivery.key or not delivery.is_signed:
            yield f"a delivery of run {delivery.run_id} has no key or signature"
        elif contents.setdefault(delivery.key, (delivery.run_id, delivery.content)) != (
            delivery.run_id,
            delivery.content,
        ):
            yield f"{delivery.key} names two contents"


def _delivers_under_one_key(history: History) -> Iterator[str]:
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for delivery in history.deliveries:
        for record_id in delivery.record_ids:
            keys[delivery.run_id, record_id].add(delivery.key)
    for (run_id, record_id), names in keys.items():
        if len(names) > 1:
            yield f"record {record_id} of run {run_id} was delivered under {sorted(names)}"


def _delivers_what_it_says(history: History) -> Iterator[str]:
    acknowledged: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in history.deliveries:
        if delivery.is_acknowledged:
            acknowledged[delivery.run_id].append(delivery)
    for run in history.runs:
        arrived = {record_id for delivery in acknowledged[run.id] for record_id in delivery.record_ids}
        for step in run.steps:
            if step.slug != "deliver-webhook":
                continue
            # This holds for a run that failed later too: a chunk is written once all of it is delivered.
            written = [chunk for chunk in run.chunks if chunk.position == step.position]
            lost = {record_id for chunk in written for record_id in chunk.record_ids} - arrived
            if lost:
                yield f"run {run.id}: {len(lost)} records never arrived, such as {min(lost)}"


def _answers_as_documented(history: History) -> Iterator[str]:
    yield from history.surprises


RULES: dict[str, Callable[[History], Iterator[str]]] = {
    "every run ends without an operator": _ends_by_itself,
    "the runs are exactly those that the API accepted": _exists_if_accepted,
    "a run's status takes one path": _takes_one_path,
    "a run is cancelled if and only if its cancelling was confirmed": _stays_cancelled,
    "a run fails only from a fault": _fails_for_a_reason,
    "the ledger accounts for every record": _accounts_for_each_record,
    "a chunk is what an undisturbed run writes": _writes_what_it_always_writes,
    "a delivery is signed and has a key, and a key has one content": _names_each_delivery,
    "a record is delivered under one key": _delivers_under_one_key,
    "a record that counts as delivered has arrived": _delivers_what_it_says,
    "the API answers as documented": _answers_as_documented,
}
