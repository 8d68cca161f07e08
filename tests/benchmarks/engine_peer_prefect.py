"""Prefect's side of `make bench-engine`: 40 tasks in one flow. tests/benchmarks/.venv has its Python.

Each line of stdin runs the flow once; the answer is a line with the seconds that it took. PREFECT_API_URL
holds the address of the server.
"""

from __future__ import annotations

import sys
import time

from prefect import flow, task


@task
def fibo(n: int) -> int:
    return _fibo(n)


@flow
def forty_tasks(count: int) -> int:
    return sum(fibo(10) for _ in range(count))


def _fibo(n: int) -> int:
    return n if n < 2 else _fibo(n - 1) + _fibo(n - 2)


def main(count: int) -> None:
    for _ in sys.stdin:
        started = time.perf_counter()
        total = forty_tasks(count)
        seconds = time.perf_counter() - started
        if total != count * 55:
            raise AssertionError(f"{count} tasks gave {total}.")
        print(seconds, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
