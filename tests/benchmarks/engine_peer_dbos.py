"""DBOS's side of `make bench-engine`: 40 steps in one workflow. tests/benchmarks/.venv has its Python.

Each line of stdin runs the workflow once; the answer is a line with the seconds that it took.
DBOS_SYSTEM_DATABASE_URL holds the address of the database.
"""

from __future__ import annotations

import os
import sys
import time

from dbos import DBOS, DBOSConfig


@DBOS.step()
def fibo(n: int) -> int:
    return _fibo(n)


@DBOS.workflow()
def forty_steps(count: int) -> int:
    return sum(fibo(10) for _ in range(count))


def _fibo(n: int) -> int:
    return n if n < 2 else _fibo(n - 1) + _fibo(n - 2)


def main(count: int) -> None:
    config: DBOSConfig = {
        "name": "engine-benchmark",
        "system_database_url": os.environ["DBOS_SYSTEM_DATABASE_URL"],
    }
    DBOS(config=config)
    DBOS.launch()
    try:
        for _ in sys.stdin:
            started = time.perf_counter()
            total = forty_steps(count)
            seconds = time.perf_counter() - started
            if total != count * 55:
                raise AssertionError(f"{count} steps gave {total}.")
            print(seconds, flush=True)
    finally:
        DBOS.destroy()


if __name__ == "__main__":
    main(int(sys.argv[1]))
