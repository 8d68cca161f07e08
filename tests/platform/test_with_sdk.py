"""The control plane driven by the real SDK client, in a Node process outside any task."""

import json
import os
import select
import subprocess
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.platform.bench import SECRET_KEY
from tests.platform.live import FINISHED, Cli, JsonObject, LivePlatform
from tests.support.waiting import wait_until


class SdkError(Exception):
    def __init__(self, name: str, status: int | None, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.status = status


class Sdk:
    """`project/sdk.mjs`: the answers are the SDK's own, read as JSON."""

    def __init__(self, platform: LivePlatform, cli: Cli) -> None:
        self._process = subprocess.Popen(
            ["node", "sdk.mjs"],
            cwd=cli.project,
            env={**os.environ, "TRIGGER_API_URL": platform.url, "TRIGGER_SECRET_KEY": SECRET_KEY},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def trigger(self, task_id: str, payload: object = None, **options: object) -> str:
        run_id: str = self._call("trigger", task_id, payload, options)["id"]
        return run_id

    def retrieve(self, run_id: str) -> JsonObject:
        run: JsonObject = self._call("retrieve", run_id)
        return run

    def cancel(self, run_id: str) -> None:
        self._call("cancel", run_id)

    def list_ids(self, **query: object) -> list[str]:
        return [run["id"] for run in self._call("list", query)]

    def until(self, run_id: str, *statuses: str) -> JsonObject:
        """Return the run as soon as it has one of the statuses; by default, as soon as it is over."""
        wanted = set(statuses) or FINISHED

        def probe() -> JsonObject | None:
            run = self.retrieve(run_id)
            return run if run["status"] in wanted else None

        return wait_until(f"{run_id} becomes {sorted(wanted)}", probe, seconds=10)

    def _call(self, *call: object) -> Any:  # noqa: ANN401 (JSON)
        sent, answers = self._process.stdin, self._process.stdout
        assert sent is not None
        assert answers is not None
        sent.write(json.dumps(call).encode() + b"\n")
        assert select.select([answers], [], [], 10)[0], f"no answer to {call} within 10 s"
        answer = json.loads(answers.readline())
        if "error" in answer:
            raise SdkError(**answer["error"])
        return answer["value"]


@pytest.fixture(scope="module")
def sdk(platform_with_cli: tuple[LivePlatform, Cli]) -> Iterator[Sdk]:
    made = Sdk(*platform_with_cli)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def name() -> str:
    """A key or tag that no other test uses."""
    return f"test:{uuid4()}"


@pytest.fixture
def blocker(sdk: Sdk, name: str) -> Iterator[str]:
    """An executing run that holds the one slot of the queue `narrow` for the concurrency key `name`."""
    run_id = sdk.trigger("slow", {"ms": 60_000}, queue="narrow", concurrencyKey=name)
    try:
        sdk.until(run_id, "EXECUTING")
        yield run_id
    finally:
        sdk.cancel(run_id)


def test_a_run_is_read_to_its_end_with_output_and_tags(sdk: Sdk, name: str) -> None:
    run_id = sdk.trigger("hello", {"name": "sdk"}, tags=[name, "second"])
    run = sdk.until(run_id)
    assert (run["status"], run["isSuccess"], run["attemptCount"]) == ("COMPLETED", True, 1)
    assert run["payload"] == {"name": "sdk"}
    assert (run["output"]["greeting"], run["output"]["runId"]) == ("hello sdk", run_id)
    assert set(run["tags"]) == {name, "second"}


def test_a_failed_run_is_read_with_its_error(sdk: Sdk) -> None:
    run = sdk.until(sdk.trigger("aborts"))
    assert (run["status"], run["error"]["message"]) == ("FAILED", "no use trying again")
    assert "output" not in run


def test_the_same_idempotency_key_returns_the_same_run_even_after_its_end(sdk: Sdk, name: str) -> None:
    first = sdk.trigger("hello", {"name": "one"}, idempotencyKey=name, tags=name)
    assert sdk.trigger("hello", {"name": "two"}, idempotencyKey=name, tags=name) == first
    assert sdk.until(first)["output"]["greeting"] == "hello one"
    assert sdk.trigger("hello", {"name": "three"}, idempotencyKey=name, tags=name) == first
    assert sdk.trigger("hello", {"name": "four"}, idempotencyKey=f"{name} other", tags=name) != first
    assert len(sdk.list_ids(tag=name)) == 2


def test_a_delayed_run_starts_when_its_time_has_come(sdk: Sdk) -> None:
    run_id = sdk.trigger("hello", {"name": "late"}, delay="1s")
    assert sdk.retrieve(run_id)["status"] == "DELAYED"
    run = sdk.until(run_id)
    assert run["status"] == "COMPLETED"
    created, started = (datetime.fromisoformat(run[moment]) for moment in ("createdAt", "startedAt"))
    assert 1 <= (started - created).total_seconds() < 3


def test_runs_of_one_concurrency_key_wait_for_each_other_and_for_no_other_key(
    sdk: Sdk, blocker: str, name: str
) -> None:
    waiting = sdk.trigger("hello", {"name": "same"}, queue="narrow", concurrencyKey=name)
    other = sdk.trigger("hello", {"name": "other"}, queue="narrow", concurrencyKey=f"{name} other")
    assert sdk.until(other)["status"] == "COMPLETED"
    assert sdk.retrieve(waiting)["status"] == "QUEUED"
    sdk.cancel(blocker)
    assert sdk.until(waiting)["output"]["greeting"] == "hello same"


def test_a_queued_run_expires_when_its_ttl_is_over(sdk: Sdk, blocker: str, name: str) -> None:
    run_id = sdk.trigger("hello", {"name": "x"}, queue="narrow", concurrencyKey=name, ttl=1)
    assert sdk.retrieve(run_id)["status"] == "QUEUED"
    run = sdk.until(run_id)
    assert (run["status"], run["ttl"], run["attemptCount"]) == ("EXPIRED", "1s", 0)
    assert "expiredAt" in run
    assert sdk.retrieve(blocker)["status"] == "EXECUTING"


def test_a_queued_run_is_cancelled_and_never_starts(sdk: Sdk, blocker: str, name: str) -> None:
    cancelled, behind = (
        sdk.trigger("hello", {"name": "x"}, queue="narrow", concurrencyKey=name) for _ in range(2)
    )
    sdk.cancel(cancelled)
    assert sdk.retrieve(cancelled)["status"] == "CANCELED"
    sdk.cancel(blocker)
    assert sdk.until(behind)["status"] == "COMPLETED"
    run = sdk.retrieve(cancelled)
    assert (run["status"], run["isCancelled"], run["attemptCount"]) == ("CANCELED", True, 0)
    assert "startedAt" not in run


def test_an_executing_run_is_cancelled_and_its_task_is_stopped(sdk: Sdk) -> None:
    run_id = sdk.trigger("slow", {"ms": 60_000})
    sdk.until(run_id, "EXECUTING")
    sdk.cancel(run_id)
    assert sdk.retrieve(run_id)["status"] == "CANCELED"
    run = wait_until("the worker confirms", lambda: finished(sdk, run_id), seconds=10)
    assert (run["isCancelled"], run["error"]) == (True, {"message": "Canceled by user"})


def test_runs_are_listed_by_tag_newest_first(sdk: Sdk, name: str) -> None:
    ids = [sdk.trigger("hello", {"name": "x"}, tags=[name, f"{name} {number}"]) for number in range(3)]
    assert sdk.list_ids(tag=name) == ids[::-1]
    assert sdk.list_ids(tag=f"{name} 1") == [ids[1]]
    assert sdk.list_ids(tag=f"{name} never") == []
    assert sdk.list_ids(tag=name, limit=2) == ids[:0:-1]


def test_a_refusal_reaches_the_caller_with_its_status(sdk: Sdk) -> None:
    with pytest.raises(SdkError) as absent:
        sdk.retrieve("run_never")
    assert absent.value.status == 404
    with pytest.raises(SdkError) as refused:
        sdk.trigger("hello", {}, tags=[str(number) for number in range(11)])
    assert refused.value.status == 422


def finished(sdk: Sdk, run_id: str) -> JsonObject | None:
    run = sdk.retrieve(run_id)
    return run if "finishedAt" in run else None
