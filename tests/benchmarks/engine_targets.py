"""What `make bench-engine` holds the engine to, and when it says that it cannot tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["met", "missed", "not judged"]


@dataclass(frozen=True)
class Target:
    """A ratio and its bound; `without_waiting` is the ratio as it were if the Data API answered at once."""

    name: str
    bound: float
    kind: Literal["at least", "at most"]
    ratio: float
    without_waiting: float | None = None

    def verdict(self, *, has_postgrest: bool) -> Verdict:
        """Targets are for PostgREST. The stand-in is slower: what holds with it holds.

        What does not may be the stand-in's fault, if it would hold had the worker never waited for it.
        """
        if self._holds(self.ratio):
            return "met"
        excused = not has_postgrest and self.without_waiting is not None and self._holds(self.without_waiting)
        return "not judged" if excused else "missed"

    def line(self, *, has_postgrest: bool) -> str:
        without = "" if self.without_waiting is None else f", {self.without_waiting:.2f} without waiting"
        verdict = self.verdict(has_postgrest=has_postgrest)
        return f"{verdict:10}  {self.name}: {self.ratio:.2f}{without}; {self.kind} {self.bound:.2f}"

    def _holds(self, ratio: float) -> bool:
        return ratio >= self.bound if self.kind == "at least" else ratio <= self.bound


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that is not below `percent` of them."""
    if not values:
        raise ValueError("There is no percentile of nothing.")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
