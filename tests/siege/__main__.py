"""`make siege`: one tenant attacks while another one works; measures what that costs the other."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.siege.attacks import ATTACKS
from tests.siege.campaign import Plan, play
from tests.siege.report import misses, report


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.siege", description=__doc__)
    parser.add_argument("--only", metavar="WORD", help="the attacks whose name has this word")
    parser.add_argument("--seconds", type=float, default=Plan.attack_seconds, help="default: %(default)s")
    parser.add_argument("--quiet", type=float, default=Plan.quiet_seconds, help="default: %(default)s")
    options = parser.parse_args(arguments)
    names = tuple(attack.name for attack in ATTACKS if (options.only or "") in attack.name)
    if not names:
        parser.error("no attack has this word: " + "; ".join(attack.name for attack in ATTACKS))
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    say("Starting a stack.")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)  # PostgreSQL runs as another user
        plan = Plan(options.quiet, options.seconds, attacks=names)
        measured = play(Path(directory) / "stack", plan, say)
    print(f"\n{report(measured)}\n")
    missed = list(misses(measured))
    for sentence in missed:
        print(f"! {sentence}", file=sys.stderr)
    print(f"{time.monotonic() - began:.0f} s, {len(names)} attacks: {len(missed)} targets missed.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
