"""What the run engine costs: `make bench-engine`.

There are four parts: (a) a step, beside Prefect and DBOS; (b) 100,000 records, beside a script that keeps
nothing; (c) the time to the first chunk; (d) submitting, with no runs and with 1,000,000 runs. All sides run
on the same machine in the same minutes. Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import engine_first_chunk, engine_records, engine_steps, engine_submissions
from tests.benchmarks.engine_stack import bench
from tests.benchmarks.engine_targets import Target

PARTS = "abcd"
_HOW = """
The targets apply to PostgREST; the Data API was {data_api}. The stand-in is slower, so a target that is
met with it is met. Another target is "not judged" if it would be met at the database's speed, with each call
as short as Postgres worked for it, and "missed" if not even then.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=PARTS, metavar="PARTS", help="some of the parts, such as `ab`")
    parts = set(parser.parse_args().only)
    if not parts <= set(PARTS):
        parser.error(f"the parts are {', '.join(PARTS)}")
    has_postgrest = bool(os.environ.get("POSTGREST_BIN"))
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-engine-") as folder:
        targets = asyncio.run(on_stack(Path(folder), parts)) if parts & set("abc") else []
        if "d" in parts:
            targets += engine_submissions.measure(Path(folder))
    print(_HOW.format(data_api="PostgREST" if has_postgrest else "its stand-in"))
    for target in targets:
        print(target.line(has_postgrest=has_postgrest))
    print(f"\n{time.monotonic() - started:.0f} seconds; load average {os.getloadavg()[0]:.1f}")
    sys.exit(exit_code(targets, has_postgrest=has_postgrest))


def exit_code(targets: list[Target], *, has_postgrest: bool) -> int:
    return int(any(target.verdict(has_postgrest=has_postgrest) == "missed" for target in targets))


async def on_stack(folder: Path, parts: set[str]) -> list[Target]:
    targets: list[Target] = []
    async with bench(folder) as benched:
        if "a" in parts:
            targets += await engine_steps.measure(benched)
        if "c" in parts:
            await engine_first_chunk.measure(benched)
        if "b" in parts:
            targets += await engine_records.measure(benched)
    return targets


if __name__ == "__main__":
    main()
