"""A worker's calls for a run, one at a time, so that other actors can come between any two of them.

A worker is a generator: it yields a call and is sent the answer. A refusal ends it.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from tests.support.pipeline import Json, verdict

ERROR = {"code": "broken", "message": "It broke."}

Work = Generator["Call", Json, None]


@dataclass(frozen=True)
class Call:
    """A call of a function of schema worker for a run. `claim_id` is the claim that it writes with."""

    pipeline_run_id: str
    function: str
    arguments: Json = field(default_factory=dict)
    claim_id: str | None = None

    def __str__(self) -> str:
        told = {name: value for name, value in self.arguments.items() if name in ("chunk_index", "error")}
        place = self.arguments.get("step_result_id", "")[:8]
        return f"{self.function} {place} {told or ''} claim {(self.claim_id or '-')[:8]}"

    @property
    def named_arguments(self) -> Json:
        return {**self.arguments, **({"claim_id": self.claim_id} if self.claim_id else {})}


@dataclass
class Claimed:
    """The answer to a claim: enough to call with, even after the claim is lost."""

    pipeline_run_id: str
    claim_id: str
    chunk_count: int
    steps: list[Json]

    def on_run(self, function: str, **arguments: Any) -> Call:  # noqa: ANN401
        arguments["pipeline_run_id"] = self.pipeline_run_id
        return Call(self.pipeline_run_id, function, arguments, self.claim_id)

    def on_step(self, function: str, step: Json, **arguments: Any) -> Call:  # noqa: ANN401
        arguments["step_result_id"] = step["step_result_id"]
        return Call(self.pipeline_run_id, function, arguments, self.claim_id)


def outcome_of(position: int, records: list[Json]) -> Json:
    """What the step at this position makes of a chunk, always the same: it rejects some records, drops some,
    and doubles some."""
    kept: list[Json] = []
    rejected: list[Json] = []
    dropped: list[Json] = []
    for record in records:
        number = int(record["id"].replace(".", "")) + position
        if number % 7 == 0:
            rejected.append(verdict(record["id"], "of_seven"))
        elif number % 5 == 0:
            dropped.append(verdict(record["id"], "of_five"))
        else:
            kept.append({"id": record["id"], "data": {**record["data"], f"step_{position}": number}})
            if number % 3 == 0:
                kept.append({"id": f"{record['id']}.1", "data": {"of": record["id"]}})
    return {"records": kept, "rejected": rejected, "dropped": dropped}


def work(
    pipeline_run_id: str, trigger_run_id: str, luck: random.Random, known: list[Claimed], *, fails: float
) -> Work:
    """Works as run-pipeline does: claim, each step in order, finish. `fails` is the probability per chunk."""
    arguments = {"pipeline_run_id": pipeline_run_id, "trigger_run_id": trigger_run_id}
    outcome = yield Call(pipeline_run_id, "claim_pipeline_run", arguments)
    if outcome["outcome"] != "claimed":
        return
    claimed = Claimed(
        pipeline_run_id, outcome["claim_id"], outcome["pipeline_run"]["chunk_count"], outcome["steps"]
    )
    known.append(claimed)
    for step in claimed.steps:
        if step["status"] in ("succeeded", "skipped", "failed"):
            continue
        if step["run_if"] is not None and not step["begun"]:
            yield claimed.on_step("skip_step", step)
            continue
        if not (yield from _work_on(claimed, step, luck, fails)):
            return
    yield claimed.on_run("finish_pipeline_run")


def _work_on(claimed: Claimed, step: Json, luck: random.Random, fails: float) -> Generator[Call, Json, bool]:
    """Works on a step. Returns whether the run continues."""
    started = yield claimed.on_step("start_step", step)
    if started["status"] != "running":
        return started["status"] != "failed" or bool(step["continue_on_error"])
    unwritten = [index for index in range(claimed.chunk_count) if index not in started["written_chunks"]]
    luck.shuffle(unwritten)  # as a step with `concurrency` may
    for chunk_index in unwritten:
        if luck.random() < fails:
            failed = yield claimed.on_step("fail_step", step, error=ERROR)
            return bool(failed["continues"])
        arguments = {"step_result_id": step["step_result_id"], "chunk_index": chunk_index}
        read = yield Call(claimed.pipeline_run_id, "read_chunk", arguments)
        made = outcome_of(step["position"], read["records"])
        yield claimed.on_step("write_chunk", step, chunk_index=chunk_index, **made)
    yield claimed.on_step("finish_step", step)
    return True


def intrusion(claimed: Claimed, luck: random.Random) -> Call:
    """Any call at any moment, with a claim that may be lost. It writes a record that no step makes."""
    step = luck.choice(claimed.steps)
    anything = {"records": [{"id": "1", "data": {"intruded": True}}]}
    return luck.choice(
        [
            claimed.on_run("heartbeat"),
            claimed.on_step("start_step", step),
            claimed.on_step("finish_step", step),
            claimed.on_step("fail_step", step, error=ERROR),
            claimed.on_step("skip_step", step),
            claimed.on_step("write_chunk", step, chunk_index=luck.randrange(claimed.chunk_count), **anything),
            claimed.on_run("finish_pipeline_run"),
            claimed.on_run("fail_pipeline_run", error=ERROR),
        ]
    )
