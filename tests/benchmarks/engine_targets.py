"""The targets of `make bench-engine`, and when it leaves one unjudged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["met", "missed", "not judged"]


@dataclass(frozen=True)
class Target:
    """A ratio and its bound.

    `at_database_speed` is the ratio if the Data API took no longer than Postgres works for it. It is None if
    no Data API is involved.
    """

    name: str
    bound: float
    kind: Literal["at least", "at most"]
    ratio: float
    at_database_speed: float | None = None

    def verdict(self, *, has_postgrest: bool) -> Verdict:
        """Targets apply to PostgREST. The stand-in is slower: a target that is met with it is met.

        The stand-in may be the reason for a miss if the target would be met at the database's speed.
        """
        if self._holds(self.ratio):
            return "met"
        best = None if has_postgrest else self.at_database_speed
        return "not judged" if best is not None and self._holds(best) else "missed"

    def line(self, *, has_postgrest: bool) -> str:
        best = self.at_database_speed
        shown = "" if best is None or has_postgrest else f", {best:.2f} at the database's speed"
        verdict = self.verdict(has_postgrest=has_postgrest)
        return f"{verdict:10}  {self.name}: {self.ratio:.2f}{shown}; {self.kind} {self.bound:.2f}"

    def _holds(self, ratio: float) -> bool:
        return ratio >= self.bound if self.kind == "at least" else ratio <= self.bound


def at_database_speed(wall: float, *, waiting: float, in_calls: float, in_database: float) -> float:
    """The time if each call to the Data API had taken no longer than Postgres worked for it.

    Every wait shrinks by the share of the calls' time in which Postgres did not work. The work of others in
    the same database counts as work too, so the result never flatters the engine.
    """
    return wall - waiting * (1 - min(1, in_database / in_calls))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed."""
    if not values:
        raise ValueError("There is no percentile of nothing.")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
