"""Two calls at once: the second waits for the first."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tests.support.sql_client import Connection, owner
from tests.support.waiting import wait_until


def overlap(
    first: Connection,
    do_first: Callable[[], Any],
    second: Connection,
    do_second: Callable[[], Any],
    *,
    roll_back: bool = False,
) -> tuple[Any, Future[Any]]:
    """Returns both results. The first call's transaction ends only when the second call waits for it."""
    with ThreadPoolExecutor(1) as pool:
        with first.transaction(force_rollback=roll_back):
            result = do_first()
            future = pool.submit(do_second)
            _until_it_waits(second.info.backend_pid, first, future)
        future.exception(timeout=10)
    return result, future


def _until_it_waits(pid: int, observer: Connection, future: Future[Any]) -> None:
    waits = "select wait_event_type = 'Lock' from pg_stat_activity where pid = %(pid)s"

    def is_waiting() -> bool:
        assert not future.done(), f"it did not wait: {future.result()}"
        return owner(observer).value(waits, {"pid": pid}) is True

    wait_until("it waits, or ends", is_waiting, seconds=10)
