"""Background workers: the builds of the tasks that the CLI registered. The newest is current."""

from collections import OrderedDict
from typing import Self
from zoneinfo import available_timezones

from croniter import croniter
from pydantic import Field, model_validator

from local.trigger_platform.clock import Now
from local.trigger_platform.ids import friendly, new_id
from local.trigger_platform.models import JsonObject, Task, Worker
from local.trigger_platform.trigger_request import Body

_WORKERS_KEPT = 50
DEFAULT_MACHINE = "small-1x"


class QueueManifest(Body):
    name: str | None = None
    concurrency_limit: int | None = None


class ScheduleManifest(Body):
    cron: str
    timezone: str = "UTC"
    environments: list[str] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if not croniter.is_valid(self.cron):
            raise ValueError(f"{self.cron!r} is no cron pattern")
        if self.timezone not in available_timezones():
            raise ValueError(f"{self.timezone!r} is no time zone")
        return self


class TaskManifest(Body):
    id: str
    file_path: str
    export_name: str | None = None
    queue: QueueManifest | None = None
    retry: JsonObject | None = None
    max_duration: float | None = None
    ttl: str | int | None = None
    machine: JsonObject | None = None
    schedule: ScheduleManifest | None = None


class WorkerManifest(Body):
    """The part of the CLI's registration that the platform uses."""

    tasks: list[TaskManifest] = Field(min_length=1)
    queues: list[QueueManifest] | None = None
    content_hash: str
    runtime: str = "node"


class Workers:
    """The registered workers. The CLI names the newest build that it knows when it asks for runs."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._workers: OrderedDict[str, Worker] = OrderedDict()
        self._builds_of_day: tuple[str, int] = ("", 0)

    @property
    def current(self) -> Worker | None:
        return next(reversed(self._workers.values()), None)

    def register(self, manifest: WorkerManifest) -> Worker:
        """Make a build the current worker and return it. The same build twice in a row is one worker."""
        current = self.current
        if current and current.content_hash == manifest.content_hash:
            return current
        worker = Worker(
            id=new_id(),
            version=self._next_version(),
            content_hash=manifest.content_hash,
            runtime=manifest.runtime,
            tasks={task.id: _task(task) for task in manifest.tasks},
            queue_limits=_queue_limits(manifest),
        )
        self._workers[worker.id] = worker
        while len(self._workers) > _WORKERS_KEPT:
            self._workers.popitem(last=False)
        return worker

    def by_version(self, version: str) -> Worker | None:
        return next((worker for worker in self._workers.values() if worker.version == version), None)

    def is_current(self, friendly_id: str) -> bool:
        return self.current is not None and friendly("worker", self.current.id) == friendly_id

    def _next_version(self) -> str:
        day = self._now().strftime("%Y%m%d")
        count = self._builds_of_day[1] + 1 if self._builds_of_day[0] == day else 1
        self._builds_of_day = (day, count)
        return f"{day}.{count}"


def own_queue(task_id: str) -> str:
    return f"task/{task_id}"


def _task(manifest: TaskManifest) -> Task:
    schedule = manifest.schedule
    if schedule and schedule.environments and "DEVELOPMENT" not in schedule.environments:
        schedule = None
    return Task(
        id=manifest.id,
        file_path=manifest.file_path,
        export_name=manifest.export_name,
        queue=(manifest.queue.name if manifest.queue else None) or own_queue(manifest.id),
        retry=manifest.retry,
        max_duration=manifest.max_duration,
        ttl=manifest.ttl,
        machine=str((manifest.machine or {}).get("preset") or DEFAULT_MACHINE),
        cron=schedule.cron if schedule else None,
        timezone=schedule.timezone if schedule else "UTC",
    )


def _queue_limits(manifest: WorkerManifest) -> dict[str, int | None]:
    limits: dict[str, int | None] = {own_queue(task.id): None for task in manifest.tasks}
    for task in manifest.tasks:
        if task.queue:
            limits[task.queue.name or own_queue(task.id)] = task.queue.concurrency_limit
    # The limit of a queue that queue() declares counts; tasks on that queue may repeat only parts of it.
    limits.update({queue.name: queue.concurrency_limit for queue in manifest.queues or [] if queue.name})
    return limits
