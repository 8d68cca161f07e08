"""Prints how far the requests got, and the wrong answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.fuzz.campaign import Finding, Results

_COLUMNS = ("2xx", "401", "403", "404", "405", "409", "413", "415", "422", "429", "5xx")
# Such a request did not get past the lookup or the validation.
_SHALLOW = {404, 422}


def report(results: Results) -> str:
    lines = [_row("endpoint", ["cases", "deep", *_COLUMNS])]
    lines += [_counted(name, counted) for name, counted in sorted(_by_endpoint(results).items())]
    lines += ["", _row("caller", ["cases", "deep", *_COLUMNS])]
    lines += [_counted(name, counted) for name, counted in _by_caller(results).items()]
    lines += ["", f"deep: the share of answers other than {' and '.join(map(str, sorted(_SHALLOW)))}."]
    for finding in results.findings.values():
        lines += ["", *_told(finding, results.times_found[finding.endpoint, finding.problem])]
    return "\n".join(lines)


def deep_share(counted: Counter[int]) -> float:
    return sum(count for status, count in counted.items() if status not in _SHALLOW) / counted.total()


def _by_endpoint(results: Results) -> dict[str, Counter[int]]:
    found: dict[str, Counter[int]] = {}
    for (endpoint, _, status), count in results.answers.items():
        found.setdefault(endpoint, Counter())[status] += count
    return found


def _by_caller(results: Results) -> dict[str, Counter[int]]:
    found: dict[str, Counter[int]] = {}
    for (_, caller, status), count in results.answers.items():
        found.setdefault(caller, Counter())[status] += count
    return found


def _counted(name: str, counted: Counter[int]) -> str:
    columns = Counter[str]()
    for status, count in counted.items():
        columns[str(status) if str(status) in _COLUMNS else f"{status // 100}xx"] += count
    cells = [str(columns[column] or "") for column in _COLUMNS]
    return _row(name, [str(counted.total()), f"{deep_share(counted):.0%}", *cells])


def _row(name: str, cells: list[str]) -> str:
    return f"{name:32}" + "".join(f"{cell:>7}" for cell in cells)


def _told(finding: Finding, times: int) -> Iterator[str]:
    yield f"! {finding.endpoint}, {times} times: {finding.problem.kind}: {finding.problem.sentence}"
    yield f"  first from: {finding.caller}"
    yield f"  sent:       {finding.request!r}"
    yield f"  answered:   {finding.answer!r}"
    if finding.raised:
        yield "  raised:     " + finding.raised.strip().replace("\n", "\n              ")
