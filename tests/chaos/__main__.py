"""`make chaos` sends runs through every fault that it can cause, and checks the rules that must hold."""

from __future__ import annotations

import argparse
import random
import sys
import time

from tests.chaos.campaign import Plan, play
from tests.chaos.oracle import violations
from tests.chaos.report import report


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeats the faults of an earlier campaign")
    parser.add_argument("--runs", type=int, default=Plan.runs, help="default: %(default)s")
    parser.add_argument("--records", type=int, default=Plan.records, help="per run; default: %(default)s")
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    say(f"Seed {seed}. Starting a stack.")
    history = play(Plan(seed, options.runs, options.records), say)
    found = violations(history)
    print(f"\n{report(history)}\n")
    for violation in found:
        print(f"! {violation}", file=sys.stderr)
    print(f"Seed {seed}, {time.monotonic() - began:.0f} s: {len(found)} violations.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
