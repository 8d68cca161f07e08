"""`make isolation` prints the matrix and writes the pages. `make mutants` takes the fences down in turn."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.isolation import matrix
from tests.isolation.findings import Report
from tests.isolation.mutants import judge, mutants, report
from tests.isolation.sweep import sweep_everything
from tests.isolation.table_rules import OWNER_COLUMNS
from tests.isolation.world import passing_world
from tests.support.sql_client import connect
from tests.support.stack import StackEnvironment, stack_for_tests


@contextmanager
def environment() -> Iterator[StackEnvironment]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        with stack_for_tests(Path(directory) / "stack", "supabase") as stack:
            yield stack


def show_isolation() -> int:
    with environment() as stack:
        found = sweep_everything(stack)
    for section in found:
        print(matrix.table(section.title, section.report, section.callers), end="\n\n")
    callers = {caller.code: caller for section in found for caller in section.callers}
    print(matrix.LEGEND, matrix.legend(callers.values()), sep="\n\n")
    total = Report().merge(section.report for section in found)
    for sentence in total.deviations:
        print(f"! {sentence}", file=sys.stderr)
    print(f"\n{total.attempts} attempts, {len(total.deviations)} leaks.")
    matrix.ISOLATION_PAGE.write_text(matrix.page(found))
    matrix.AUTH_PAGE.write_text(matrix.with_block(matrix.AUTH_PAGE.read_text(), matrix.roles()))
    return 1 if total.deviations else 0


def show_mutants() -> int:
    with (
        environment() as stack,
        connect(stack) as connection,
        passing_world(connection, OWNER_COLUMNS) as world,
    ):
        verdicts = [judge(world, mutant) for mutant in mutants(connection)]
    print(report(verdicts))
    return 1 if any(verdict.noticed_by is None for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit({"matrix": show_isolation, "mutants": show_mutants}[sys.argv[1]]())
