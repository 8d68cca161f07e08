"""The short form of `make fuzz`: some hundred requests, always of the same seed."""

from __future__ import annotations

import os
from pathlib import Path

from tests.fuzz.campaign import play
from tests.fuzz.report import report
from tests.support.stack import stack_for_tests

SEED = int(os.environ.get("FUZZ_SEED", "20261128"))
CASES = int(os.environ.get("FUZZ_CASES", "500"))


def test_every_endpoint_answers_every_caller_as_documented(tmp_path: Path) -> None:
    # On the stack of other tests their unfinished runs would delay the claims of the seeded ones.
    with stack_for_tests(tmp_path / "stack", "supabase") as stack:
        results = play(stack, CASES, SEED)
    told = report(results)
    print(told)
    assert results.cases >= CASES * 0.9
    assert not results.findings, f"FUZZ_SEED={SEED} FUZZ_CASES={CASES} repeats it\n{told}"
