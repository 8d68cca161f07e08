"""Prints the table of a siege."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.siege.measured import Measured, Targets, percentile

_HEAD = (
    f"{'':32}{'p50':>8}{'p95':>8}{'factor':>8}{'runs':>8}{'errors':>8}{'back':>7}"
    f"{'API':>7}{'backend':>9}{'worker':>8}{'loop':>8}  answered"
)


_LEGEND = """\
p50, p95   of the neighbour's requests, in ms; factor: its p95 to the quiet one
runs       95th percentile of its runs, from submission to end, in s
back       seconds after the attack until it is served as usual again
API, backend, worker   peak memory of one process, in MB
loop       99th percentile of the API's event-loop delay, in ms, seen from outside"""


def report(measured: Sequence[Measured]) -> str:
    """The first of `measured` is the quiet time."""
    quiet, *attacks = measured
    return "\n".join(
        [
            _HEAD,
            _row(quiet, quiet),
            *(_row(quiet, attack) for attack in attacks),
            "",
            _LEGEND,
        ]
    )


def misses(measured: Sequence[Measured], targets: Targets | None = None) -> Iterator[str]:
    quiet, *attacks = measured
    for attack in attacks:
        for missed in (targets or Targets()).missed(quiet, attack):
            yield f"{attack.name}: {missed}"


def _row(quiet: Measured, measured: Measured) -> str:
    p50, p95 = (percentile(measured.request_seconds, percent) for percent in (50, 95))
    factor = p95 / (percentile(quiet.request_seconds, 95) or 1)
    back = "never" if measured.settled_after is None else f"{measured.settled_after:.0f}"
    peaks = measured.peaks
    answered = ", ".join(f"{answer} {count}" for answer, count in measured.answers.most_common(5))
    runs, loop = percentile(measured.run_seconds, 95), measured.loop_delay * 1000
    return (
        f"{measured.name:32}{p50 * 1000:8.0f}{p95 * 1000:8.0f}{factor:8.1f}"
        f"{runs:8.1f}{measured.errors.total():8}{back:>7}"
        f"{peaks.api:7.0f}{peaks.backend:9.0f}{peaks.worker:8.0f}{loop:8.0f}  {answered}"
    )
