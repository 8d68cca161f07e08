"""The part of Trigger.dev that the database relies on: it keeps starts by key, and may forget them."""

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
        """A known key returns the run that was started under it, even if that run has ended."""
        for run in self.runs.values():
            if run.key == key:
                return run
        started = TriggerRun(f"run_{self._prefix}{len(self.runs)}", pipeline_run_id, key)
        self.runs[started.id] = started
        return started

    def finding(self, trigger_run_id: str | None, ended: bool) -> str | None:
        """What the reconciler reports about a suspect, or None if it is alive."""
        if ended:
            return "quiet"
        run = self.runs.get(trigger_run_id or "")
        if run is None:
            return "unknown"
        return None if run.alive else "ended"

    def stop_all(self, pipeline_run_id: str) -> bool:
        """Stops every start of the run. Returns whether any was alive."""
        alive = [run for run in self.runs.values() if run.pipeline_run_id == pipeline_run_id and run.alive]
        for run in alive:
            run.alive = False
        return bool(alive)

    def forget_all(self) -> None:
        """Forgets every start, as a killed control plane does."""
        self.runs.clear()
