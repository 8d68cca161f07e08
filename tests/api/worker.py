"""Calls the worker's functions over the Data API, so that runs finish without Trigger.dev."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.api.caller import PROBE, Json
from tests.support.stack import StackEnvironment

PROBE_STEP = {
    "slug": PROBE,
    "version": "1.0.0",
    "title": "Probe",
    "description": "For tests.",
    "execution_mode": "inline",
    "task_id": PROBE,
    "config_schema": {
        "type": "object",
        "properties": {"note": {"type": "string"}},
        "required": ["note"],
        "additionalProperties": False,
    },
    "input_schema": {},
    "output_schema": {},
}


@dataclass(frozen=True)
class Worker:
    environment: StackEnvironment
    http: httpx.Client = field(repr=False)

    def call(self, function: str, **arguments: Any) -> Json:  # noqa: ANN401
        answer = self.http.post(
            f"{self.environment.supabase_url}/rest/v1/rpc/{function}",
            json={f"p_{name}": value for name, value in arguments.items()},
            headers={
                "apikey": self.environment.secret_key,
                "Authorization": f"Bearer {self.environment.secret_key}",
                "Content-Profile": "worker",
            },
        )
        assert answer.is_success, f"{function} answered {answer.status_code}: {answer.text}"
        result: Json = answer.json()
        return result

    def publish_probe(self) -> None:
        self.call("publish_steps", steps=[PROBE_STEP])

    def finish(self, run_id: str, reject: str | None = None, drop: str | None = None) -> None:
        """Finishes the run. The first step rejects and drops the given ids, all other records pass."""
        run = self.call("claim_pipeline_run", pipeline_run_id=run_id, trigger_run_id="run_of_the_tests")
        claim = {"claim_id": run["claim_id"]}
        for step in run["steps"]:
            on_step = claim | {"step_result_id": step["step_result_id"]}
            started = self.call("start_step", **on_step)
            for index in set(range(started["chunk_count"])) - set(started["written_chunks"]):
                taken = self.call("read_chunk", step_result_id=step["step_result_id"], chunk_index=index)[
                    "records"
                ]
                first = step["position"] == 1
                verdict = {"reason": "not_wanted", "message": "It is not wanted.", "details": {}}
                self.call(
                    "write_chunk",
                    **on_step,
                    chunk_index=index,
                    records=[r for r in taken if not first or r["id"] not in (reject, drop)],
                    rejected=[verdict | {"id": r["id"]} for r in taken if first and r["id"] == reject],
                    dropped=[verdict | {"id": r["id"]} for r in taken if first and r["id"] == drop],
                )
            self.call("finish_step", **on_step)
        self.call("finish_pipeline_run", pipeline_run_id=run_id, **claim)

    def fail_first_step(self, run_id: str, reject: str) -> None:
        """Fails the first step after its first chunk, in which nothing is rejected."""
        run = self.call("claim_pipeline_run", pipeline_run_id=run_id, trigger_run_id="run_of_the_tests")
        step = run["steps"][0]
        on_step = {"claim_id": run["claim_id"], "step_result_id": step["step_result_id"]}
        self.call("start_step", **on_step)
        taken = self.call("read_chunk", step_result_id=step["step_result_id"], chunk_index=0)["records"]
        verdict = {"id": reject, "reason": "not_wanted", "message": "It is not wanted.", "details": {}}
        kept = [record for record in taken if record["id"] != reject]
        self.call("write_chunk", **on_step, chunk_index=0, records=kept, rejected=[verdict])
        self.call("fail_step", **on_step, error={"code": "broken", "message": "It is broken."})

    def end(self, run_id: str) -> None:
        claim = self.call("claim_pipeline_run", pipeline_run_id=run_id, trigger_run_id="run_of_the_tests")
        self.call("finish_pipeline_run", pipeline_run_id=run_id, claim_id=claim["claim_id"])

    def fail(self, run_id: str) -> None:
        claim = self.call("claim_pipeline_run", pipeline_run_id=run_id, trigger_run_id="run_of_the_tests")
        error = {"code": "broken", "message": "It is broken."}
        self.call("fail_pipeline_run", pipeline_run_id=run_id, claim_id=claim["claim_id"], error=error)
