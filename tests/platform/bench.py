"""A platform without network and with a clock that only moves when a test moves it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from local.trigger_platform.models import Run
from local.trigger_platform.platform import Platform
from local.trigger_platform.settings import Settings
from local.trigger_platform.trigger_request import BatchItem, Caller, TriggerRequest
from local.trigger_platform.workers import WorkerManifest

ACCESS_TOKEN = "tr_pat_platformtests"
SECRET_KEY = "tr_dev_platformtests"
PROJECT_REF = "proj_platformtests"

JsonObject = dict[str, Any]


class ManualClock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment


def make_settings(**overrides: object) -> Settings:
    fixed: JsonObject = {
        "trigger_access_token": ACCESS_TOKEN,
        "trigger_secret_key": SECRET_KEY,
        "trigger_project_ref": PROJECT_REF,
        "task_environment_file": None,
    }
    return Settings(**fixed | overrides)


def task(task_id: str, **settings: object) -> JsonObject:
    retry = {"maxAttempts": 3, "factor": 2, "minTimeoutInMs": 1000, "randomize": False}
    return {"id": task_id, "filePath": "src/tasks.ts", "retry": retry} | settings


class Bench:
    """Plays the API and the CLI. It calls the platform's objects directly."""

    def __init__(self, **settings: object) -> None:
        self.clock = ManualClock()
        self.platform = Platform(make_settings(**settings), "http://platform.test", self.clock)
        self.notified: list[str] = []
        self.platform.snapshots.notify = lambda run: self.notified.append(run.id)

    def advance(self, seconds: float) -> None:
        """Let time pass, and run every timer that falls due."""
        end = self.clock.moment + timedelta(seconds=seconds)
        while self.clock.moment < end:
            self.clock.moment = min(end, self.clock.moment + timedelta(milliseconds=100))
            self.platform.timers.run_due()

    def register(self, *tasks: JsonObject, content_hash: str = "one", queues: object = ()) -> str:
        manifest = {"tasks": list(tasks), "contentHash": content_hash, "queues": list(queues)}  # type: ignore[call-overload]
        return self.platform.register_worker(WorkerManifest.model_validate(manifest)).version

    def trigger(self, task_id: str, payload: object = None, **options: object) -> Run:
        return self.trigger_as(Caller(), task_id, payload, **options)[0]

    def trigger_as(
        self, caller: Caller, task_id: str, payload: object = None, **options: object
    ) -> tuple[Run, bool]:
        request = TriggerRequest.model_validate({"payload": payload, "options": options})
        return self.platform.triggering.trigger(task_id, request, caller)

    def child(self, parent: Run, task_id: str, **options: object) -> Run:
        """Trigger as `triggerAndWait` does inside a task."""
        waiting = {"parentRunId": parent.friendly_id, "resumeParentOnCompletion": True}
        return self.trigger(task_id, **waiting | options)

    def batch_items(self, *task_ids: str, **options: object) -> list[BatchItem]:
        return [
            BatchItem.model_validate({"index": index, "task": task_id, "options": options})
            for index, task_id in enumerate(task_ids)
        ]

    def take(self) -> list[Run]:
        self.platform.timers.run_due()
        return self.platform.dispatch.take()

    def start(self, run: Run) -> None:
        self.platform.engine.start_attempt(run, run.snapshot.id)

    def executing(self, task_id: str, **options: object) -> Run:
        """Trigger a run and start it. No other run may be waiting."""
        run = self.trigger(task_id, **options)
        assert self.take() == [run]
        self.start(run)
        return run

    def succeed(self, run: Run, output: str = "{}") -> str:
        completion = {"ok": True, "output": output, "outputType": "application/json"}
        return self.complete(run, completion)

    def fail(self, run: Run, error: JsonObject | None = None, delay_ms: float | None = None) -> str:
        error = error or {"type": "BUILT_IN_ERROR", "name": "Error", "message": "boom", "stackTrace": ""}
        retry = {"delay": delay_ms, "timestamp": 0} if delay_ms is not None else None
        return self.complete(run, {"ok": False, "error": error, "retry": retry})

    def complete(self, run: Run, completion: JsonObject) -> str:
        return self.platform.engine.complete_attempt(run, run.snapshot.id, completion)


def process_error(code: str, message: str = "") -> JsonObject:
    return {"type": "INTERNAL_ERROR", "code": code, "message": message}
