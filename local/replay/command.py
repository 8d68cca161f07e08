"""The command `replay`: executes a run's steps again and compares their output with the recorded one."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from local.errors import StackError
from local.replay.differences import first_difference
from local.replay.recorded import Json, RecordedRun, Records
from local.settings import TRIGGER_FOLDER


@dataclass
class _Step:
    """What the replay has found about one step so far."""

    recorded: Json
    hashes: dict[int, str] = field(default_factory=dict)
    differences: dict[int, str] = field(default_factory=dict)
    decided: str | None = None  # the value of its condition, in words
    complaint: str | None = None
    unknown_answers: bool = False

    @property
    def differs(self) -> bool:
        return bool(self.differences) or self.complaint is not None

    def verdict(self) -> str:
        """The end of the step's line in the report."""
        chunks = len(self.recorded["recorded_chunks"])
        if self.complaint is not None:
            return f"DIFFERS: {self.complaint}"
        if self.differences:
            index = min(self.differences)
            rest = (
                f" ({len(self.differences)} of {chunks} chunks differ)" if len(self.differences) > 1 else ""
            )
            return f"DIFFERS: chunk {index}, {self.differences[index]}{rest}"
        if self.decided is not None and not chunks:
            return f"identical: {self.decided}"
        if self.unknown_answers:
            return "not replayed: the answers from outside are not recorded"
        if not chunks:
            return f"nothing recorded: {self.recorded['status']}"
        digest = hashlib.sha256("".join(self.hashes[index] for index in sorted(self.hashes)).encode())
        count = f"{chunks} {'chunk' if chunks == 1 else 'chunks'}"
        return f"identical  {count:>12}  sha256 {digest.hexdigest()}"


def main(environment: Mapping[str, str], run_id: UUID) -> int:
    """Prints a line for each step; 0 if nothing differs. Raises StackError if nothing can be compared."""
    records = Records(environment["DATABASE_URL"])
    try:
        run = records.run(run_id)
        print(f"Run {run_id}: {run.blueprint}, version {run.blueprint_version}, {run.status}", flush=True)
        steps = [_replay(step, events, records) for step, events in _executed(run, environment)]
    finally:
        records.close()
    return 1 if any(step.differs for step in steps) else 0


def _replay(recorded: Json, events: Iterator[Json], records: Records) -> _Step:
    step = _Step(recorded)
    for event in events:
        match event["event"]:
            case "chunk":
                compared = records.compare(recorded["recorded_id"], event)
                step.hashes[event["chunk_index"]] = compared.replayed_hash
                if not compared.is_identical:
                    step.differences[event["chunk_index"]] = first_difference(compared)
            case "condition":
                step.decided = f"its condition is {str(event['holds']).lower()} again"
                if event["holds"] is (recorded["skip_reason"] == "condition"):
                    step.complaint = f"its condition is {str(event['holds']).lower()} now"
            case "unknown_answers":
                step.unknown_answers = True
            case "failed":
                step.complaint = f"{event['code']}: {event['message']}"
    missing = set(recorded["recorded_chunks"]) - step.hashes.keys()
    if missing and not step.unknown_answers and step.complaint is None:
        step.complaint = f"chunk {min(missing)} was not written"
    print(f"{recorded['position']:>3}  {recorded['slug']:<24} {step.verdict()}", flush=True)
    return step


def _executed(run: RecordedRun, environment: Mapping[str, str]) -> Iterator[tuple[Json, Iterator[Json]]]:
    """Each step, with the events that the worker's own code prints while it executes the step."""
    variables = {**os.environ, **environment, "WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "true"}
    with subprocess.Popen(
        ["npm", "run", "--silent", "replay-run"],
        cwd=TRIGGER_FOLDER,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(run.work))
        process.stdin.close()
        lines = (json.loads(line) for line in process.stdout)
        for step in run.steps:
            yield step, _until_done(lines)
    if process.returncode != 0:
        raise StackError(f"The worker's code failed (exit code {process.returncode}); see above.")


def _until_done(lines: Iterator[Json]) -> Iterator[Json]:
    for event in lines:
        if event["event"] != "done":
            yield event
        if event["event"] in ("done", "failed"):
            return
    raise StackError("The worker's code stopped in the middle of a step; see above.")
