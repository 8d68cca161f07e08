"""The part of Trigger.dev that the database relies on: it keeps one run a key, and may forget them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class TriggerRun:
    id: str
    pipeline_run_id: str
    key: str
    alive: bool = True


class TriggerDev:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.runs: dict[str, TriggerRun] = {}

    def start(self, pipeline_run_id: str, key: str) -> TriggerRun:
        """A known key returns its run, whatever that run's state is."""
        for run in self.runs.values():
            if run.key == key:
                return run
        started = TriggerRun(f"run_{self._prefix}{len(self.runs)}", pipeline_run_id, key)
        self.runs[started.id] = started
        return started

    def finding(self, trigger_run_id: str | None, ended: bool) -> str | None:
        """The reconciler's finding on a suspect; None if it is alive."""
        if ended:
            return "quiet"
        run = self.runs.get(trigger_run_id or "")
        if run is None:
            return "unknown"
        return None if run.alive else "ended"

    def stop_all(self, pipeline_run_id: str) -> bool:
        """Returns whether one was alive."""
        alive = [run for run in self.runs.values() if run.pipeline_run_id == pipeline_run_id and run.alive]
        for run in alive:
            run.alive = False
        return bool(alive)

    def forget_all(self) -> None:
        """As if the control plane was killed."""
        self.runs.clear()
