"""What follows a failed attempt: another attempt, the end of the run, or its cancellation."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from local.trigger_platform import task_errors
from local.trigger_platform.models import JsonObject

MAX_ATTEMPTS = 250
# The worker process waits out shorter delays itself. For longer ones the run returns to its queue.
IMMEDIATE_RETRY_LIMIT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Cancel:
    """The worker confirms that it stopped the run on request."""


@dataclass(frozen=True, slots=True)
class Fail:
    """No more attempts."""


@dataclass(frozen=True, slots=True)
class Retry:
    at: datetime
    in_queue: bool
    machine: str | None = None


def after_failure(
    error: JsonObject,
    *,
    now: datetime,
    attempt_number: int,
    max_attempts: int | None,
    worker_retry: JsonObject | None,
    task_retry: JsonObject | None,
    machine: str | None,
) -> Cancel | Fail | Retry:
    """Decide as Trigger.dev's run engine does.

    `worker_retry` is `{timestamp, delay}` in milliseconds, computed by the worker process from the task's
    policy. A process that died sends none; then `task_retry`, the policy itself, decides.
    """
    if task_errors.is_cancellation(error):
        return Cancel()
    if task_errors.is_out_of_memory(error):
        return _retry_on_larger_machine(now, attempt_number, task_retry, machine)
    if not task_errors.is_retryable(error) or not max_attempts:
        return Fail()
    if attempt_number >= min(max_attempts, MAX_ATTEMPTS):
        return Fail()
    if worker_retry:
        delay = timedelta(milliseconds=float(worker_retry["delay"]))
        return Retry(now + delay, in_queue=delay >= IMMEDIATE_RETRY_LIMIT)
    if not task_errors.needs_retry_lookup(error) or not task_retry:
        return Fail()
    policy_delay = next_delay(task_retry, attempt_number)
    return Retry(now + policy_delay, in_queue=True) if policy_delay else Fail()


def next_delay(policy: JsonObject, attempt_number: int) -> timedelta | None:
    """Return the delay before the next attempt, or None if the policy allows none."""
    if attempt_number >= _setting(policy, "maxAttempts", 3):
        return None
    spread = random.uniform(1, 2) if policy.get("randomize", True) else 1  # noqa: S311 (jitter)
    milliseconds = min(
        _setting(policy, "maxTimeoutInMs", 60_000),
        spread
        * _setting(policy, "minTimeoutInMs", 1_000)
        * _setting(policy, "factor", 2) ** (attempt_number - 1),
    )
    return timedelta(milliseconds=round(milliseconds))


def _setting(policy: JsonObject, name: str, default: float) -> float:
    value = policy.get(name)
    return default if value is None else float(value)


def _retry_on_larger_machine(
    now: datetime, attempt_number: int, task_retry: JsonObject | None, machine: str | None
) -> Fail | Retry:
    larger = ((task_retry or {}).get("outOfMemory") or {}).get("machine")
    if not larger or larger == machine:
        return Fail()
    delay = next_delay(task_retry or {}, attempt_number)
    return Retry(now + delay, in_queue=True, machine=larger) if delay else Fail()
