"""`make fuzz`: thousands of generated requests to every endpoint, by every kind of caller."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.campaign import play
from tests.fuzz.report import report
from tests.support.stack import stack_for_tests


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=12_000, help="default: %(default)s")
    parser.add_argument("--seed", type=int, help="of an earlier run, to repeat its requests")
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    say(f"Seed {seed}. Starting a database and its Data API.")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)  # PostgreSQL runs as another user
        with stack_for_tests(Path(directory) / "stack", "supabase") as stack:
            results = play(stack, options.cases, seed, say)
    print(f"\n{report(results)}\n")
    print(
        f"Seed {seed}, {time.monotonic() - began:.0f} s: {results.cases} requests, "
        f"{len(results.findings)} kinds of wrong answers."
    )
    return 1 if results.findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
