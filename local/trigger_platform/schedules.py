"""Declarative schedules: a task with a cron pattern is triggered when it is due.

Schedules run only while the CLI is connected, as in a dev environment of Trigger.dev.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from croniter import croniter

from local.trigger_platform.clock import Timers, iso
from local.trigger_platform.ids import friendly, new_id
from local.trigger_platform.models import Task, Worker
from local.trigger_platform.packets import dump_json
from local.trigger_platform.trigger_request import Caller, TriggerOptions, TriggerRequest
from local.trigger_platform.triggering import Triggering

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Schedule:
    id: str
    task_id: str
    cron: str
    timezone: str
    last_run_at: datetime | None = None

    def after(self, moment: datetime, count: int) -> list[datetime]:
        """Return the next due times in UTC. The pattern is read in the schedule's own time zone."""
        pattern = croniter(self.cron, moment.astimezone(ZoneInfo(self.timezone)))
        return [pattern.get_next(datetime).astimezone(UTC) for _ in range(count)]

    def payload(self, moment: datetime) -> str:
        """Return ScheduledTaskPayload of `@trigger.dev/core` as Super JSON, which marks the dates."""
        upcoming = self.after(moment, 5)
        payload: dict[str, Any] = {
            "scheduleId": self.id,
            "type": "DECLARATIVE",
            "timestamp": iso(moment),
            "timezone": self.timezone,
            "upcoming": [iso(next_moment) for next_moment in upcoming],
        }
        dates = ["timestamp", *(f"upcoming.{index}" for index in range(len(upcoming)))]
        if self.last_run_at:
            payload["lastTimestamp"] = iso(self.last_run_at)
            dates.append("lastTimestamp")
        return dump_json({"json": payload, "meta": {"values": {name: ["Date"] for name in dates}}})


class Schedules:
    def __init__(self, triggering: Triggering, timers: Timers) -> None:
        self.is_connected: Callable[[], bool] = lambda: False
        self._triggering = triggering
        self._timers = timers
        self._schedules: dict[str, Schedule] = {}

    def sync(self, worker: Worker) -> None:
        """Replace the schedules by those of a new worker. An unchanged one keeps its id and its last run."""
        wanted = {task.id: task for task in worker.tasks.values() if task.cron}
        for task_id in [task_id for task_id in self._schedules if task_id not in wanted]:
            self._timers.cancel(("schedule", task_id))
            del self._schedules[task_id]
        for task in wanted.values():
            known = self._schedules.get(task.id)
            if known and (known.cron, known.timezone) == (task.cron, task.timezone):
                continue
            self._schedules[task.id] = self._new(task)
            self._plan(self._schedules[task.id])

    def _run(self, schedule: Schedule, moment: datetime) -> None:
        request = TriggerRequest(
            payload=schedule.payload(moment),
            options=TriggerOptions(payload_type="application/super+json"),
        )
        schedule.last_run_at = moment
        self._triggering.trigger(schedule.task_id, request, Caller(is_schedule=True))

    @staticmethod
    def _new(task: Task) -> Schedule:
        return Schedule(friendly("sched", new_id()), task.id, task.cron or "", task.timezone)

    def _plan(self, schedule: Schedule) -> None:
        moment = schedule.after(self._timers.now(), 1)[0]

        def due() -> None:
            self._plan(schedule)
            if self.is_connected():
                self._run(schedule, moment)
            else:
                logger.info("schedule of %s skipped: no CLI is connected", schedule.task_id)

        self._timers.at(("schedule", schedule.task_id), moment, due)
