"""The figures of a campaign."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator

from tests.chaos.history import History


def report(history: History) -> str:
    return "\n".join(_lines(history))


def times_to_recover(history: History) -> list[float]:
    """The seconds from each kill of a part until each run that was under way wrote its next chunk or ended.

    Cancelled runs do not count.
    """
    found = []
    for fault in history.faults:
        for run in history.runs:
            if fault.back_at is None or run.started_at is None or run.status == "cancelled":
                continue
            moments = [chunk.written_at for chunk in run.chunks] + (
                [run.finished_at] if run.finished_at else []
            )
            later = [moment for moment in moments if moment > fault.at]
            if run.started_at < fault.at and later:
                found.append((min(later) - fault.at).total_seconds())
    return found


def repeated_deliveries(history: History) -> int:
    """Requests that a receiver recognises as repeats by their key."""
    return len(history.deliveries) - len({delivery.key for delivery in history.deliveries})


def _lines(history: History) -> Iterator[str]:
    faults = Counter(fault.kind for fault in history.faults)
    yield _counts("faults", faults)
    yield _counts("the receiver answered", Counter(delivery.answer for delivery in history.deliveries))
    outcomes = Counter(run.status for run in history.runs)
    yield _counts("runs", outcomes)
    codes = Counter(run.error_code or "" for run in history.runs if run.status == "failed")
    if codes:
        yield _counts("failed with", codes)
    yield _counts("repairs by the reconciler", Counter(history.repairs))
    restarts = [run.restart_count for run in history.runs]
    yield f"{'restarts of runs':28} {sum(restarts)}, at most {max(restarts, default=0)} of one run"
    yield f"{'parts restarted':28} {sum(fault.back_at is not None for fault in history.faults)}"
    records = sum(len(delivery.record_ids) for delivery in history.deliveries)
    yield (
        f"{'deliveries':28} {len(history.deliveries)} with {records} records, "
        f"{repeated_deliveries(history)} of them repeats, recognised by their key"
    )
    chunks = sum(len(run.chunks) for run in history.runs)
    yield f"{'chunks compared':28} {chunks}"
    times = times_to_recover(history)
    if times:
        told = f"median {statistics.median(times):.1f} s, worst {max(times):.1f} s"
        yield f"{'time to recover':28} {told} ({len(times)} interruptions)"


def _counts(what: str, counted: Counter[str]) -> str:
    told = ", ".join(f"{name} {times}" for name, times in counted.most_common())
    return f"{what:28} {sum(counted.values())}" + (f": {told}" if told else "")
