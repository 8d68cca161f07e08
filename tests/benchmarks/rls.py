"""The cost of row-level security: `make bench-rls`.

Compares lists and gets of pipeline runs under policy with the same statements filtered by hand as owner, at
10,000 and at 1,000,000 runs, for every caller that the policies treat differently. Exits with 1 if a target
is missed.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.rls_cases import Case, cases, create_counterparts
from tests.benchmarks.rls_measure import ROUNDS, Cost, Reads, answer, compare, reads, sides
from tests.benchmarks.rls_rows import load
from tests.support.sql_client import Connection, connect
from tests.support.stack import stack_for_tests

SIZES = {10_000: 10, 1_000_000: 1_000}  # runs → orgs: always 1,000 runs per org
MOST, REPEATS = 1.2, 3
MOST_GROWTH = 1.3
_HOW = f"""
A line is a request: the transaction that PostgREST makes of it, with its settings and one statement, over one
connection. Times are first deciles of {ROUNDS} rounds in microseconds; the sides take turns. "By hand" runs
as owner: it looks the caller up once, as every request must, and has the tenant condition in the statement.
"Ratio" compares the transactions, because they are the cost of a request at the database. It may be at most
{MOST}; a case beyond that is measured again, up to {REPEATS} times, and its best ratio is shown. "Statement"
compares the statements alone. "Told" compares with a transaction that knows the caller's org without looking
it up, as no request does.
"""


@dataclass(frozen=True)
class Result:
    case: Case
    costs: dict[str, Cost]
    reads: Reads

    @property
    def ratio(self) -> float:
        return self.costs["under policy"].transaction / self.costs["by hand"].transaction

    @property
    def line(self) -> str:
        under_policy, by_hand = self.costs["under policy"], self.costs["by hand"]
        told = self.costs.get("told")
        against_told = f"{under_policy.transaction / told.transaction:5.2f}" if told else "    -"
        alone = under_policy.statement / by_hand.statement
        return (
            f"{self.case.name:39} {self.case.kind:5} {by_hand.transaction:7.0f} "
            f"{under_policy.transaction:7.0f} "
            f"{self.ratio:6.2f} {alone:9.2f} {against_told} {self.reads.rows:5}"
        )


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="bench-rls-") as folder,
        stack_for_tests(Path(folder), "supabase", durable=True) as environment,
        connect(environment) as connection,
    ):
        create_counterparts(connection)
        small, large = (measure(connection, runs, orgs) for runs, orgs in SIZES.items())
    missed = findings(small, large)
    print("\n".join(missed) or f"All {len(large)} cases at both sizes are within the targets.")
    sys.exit(bool(missed))


def measure(connection: Connection, runs: int, orgs: int) -> list[Result]:
    print(f"\nLoading {orgs:,} orgs and {runs:,} pipeline runs …", flush=True)
    load(connection, orgs=orgs, runs=runs)
    print(_HOW)
    print(f"{'':45} {'by hand':>7} {'policy':>7} {'ratio':>6} {'statement':>9}  told  rows")
    results = []
    for case in cases(connection):
        found = sides(case)
        first, *others = (answer(connection, side) for side in found.values())
        if not first or any(other != first for other in others):
            raise AssertionError(f"{case.kind} {case.name}: the sides do not give the same answer")
        read = reads(connection, found["under policy"])
        result = Result(case, compare(connection, case), read)
        for _ in range(REPEATS):
            # Other load may cause a miss once; the cost of the policies causes one every time.
            if result.ratio > MOST:
                result = min(result, Result(case, compare(connection, case), read), key=lambda r: r.ratio)
        results.append(result)
        print(results[-1].line, flush=True)
    return results


def findings(small: list[Result], large: list[Result]) -> list[str]:
    """One sentence for each target that was missed."""
    found = []
    for few, many in zip(small, large, strict=True):
        for runs, result in zip(SIZES, (few, many), strict=True):
            name = f"{result.case.kind} {result.case.name} at {runs:,}"
            if result.ratio > MOST:
                found.append(f"{name}: {result.ratio:.2f} times by hand, more than {MOST}")
            if result.reads.sequential_scans:
                found.append(f"{name}: reads a large table from end to end")
            if result.reads.rows > result.case.rows:
                found.append(f"{name}: reads {result.reads.rows} rows, more than {result.case.rows}")
        if not many.reads.indexes & many.case.indexes:
            found.append(f"{many.case.kind} {many.case.name}: uses {', '.join(sorted(many.reads.indexes))}")
        if many.ratio / few.ratio > MOST_GROWTH:
            found.append(f"{many.case.kind} {many.case.name}: grows from {few.ratio:.2f} to {many.ratio:.2f}")
    return found


if __name__ == "__main__":
    main()
