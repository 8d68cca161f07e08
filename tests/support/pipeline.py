"""Steps, blueprints, submissions and runs for tests, created through the RPCs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.support.sql_client import Client, signed_in
from tests.support.tenants import Company, Org

# No real step has these names.
INLINE = "testing-inline"
OUTSIDE = "testing-outside"

Json = dict[str, Any]


def step(slug: str, version: str = "1.0.0", **changes: object) -> Json:
    return {
        "slug": slug,
        "version": version,
        "title": slug.capitalize(),
        "description": "For tests.",
        "execution_mode": "inline",
        "task_id": "run-pipeline",
        "config_schema": {"type": "object"},
        "input_schema": {"type": "object"},
        "output_schema": {"type": "object"},
        **changes,
    }


def publish_steps(worker: Client) -> None:
    outside = step(OUTSIDE, execution_mode="task", task_id=OUTSIDE)
    worker.call("worker.publish_steps", steps=[step(INLINE), outside])


def records(*ids: int | str) -> list[Json]:
    return [{"id": str(record_id), "data": {"name": f"Company {record_id}"}} for record_id in ids]


def verdict(record_id: int | str, reason: str = "not_wanted", **more: object) -> Json:
    return {"id": str(record_id), "reason": reason, "message": "It is not wanted.", **more}


def create_blueprint(admin: Client, *steps: Json, name: str | None = None) -> Json:
    """Creates a blueprint, by default with an inline step and an outside one."""
    wanted = list(steps) or [{"slug": INLINE}, {"slug": OUTSIDE, "config": {"secret_name": "signing"}}]
    blueprint: Json = admin.call("create_blueprint", name=name or f"Blueprint {uuid4()}", steps=wanted)
    return blueprint


def submit(client: Client, company_id: str, blueprint_id: str, count: int = 3, **arguments: object) -> Json:
    """Submits `count` records; returns {"submission", "pipeline_run"}."""
    submitted: Json = client.call(
        "create_submission",
        company_id=company_id,
        blueprint_id=blueprint_id,
        records=[{"name": f"Company {number}"} for number in range(1, count + 1)],
        **arguments,
    )
    return submitted


@dataclass
class Run:
    """A pipeline run, and the worker that executes it."""

    worker: Client
    pipeline_run: Json
    submission: Json
    claim: Json = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.pipeline_run["id"])

    @property
    def claim_id(self) -> str:
        return str(self.claim["claim_id"])

    def step_id(self, position: int) -> str:
        return str(self.pipeline_run["steps"][position - 1]["id"])

    def take(self, trigger_run_id: str = "run_first") -> Json:
        outcome: Json = self.worker.call(
            "worker.claim_pipeline_run", pipeline_run_id=self.id, trigger_run_id=trigger_run_id
        )
        if outcome["outcome"] == "claimed":
            self.claim = outcome
        return outcome

    def on_run(self, function: str, **arguments: Any) -> Json:  # noqa: ANN401
        result: Json = self.worker.call(
            f"worker.{function}", pipeline_run_id=self.id, claim_id=self.claim_id, **arguments
        )
        return result

    def on_step(self, function: str, position: int, **arguments: Any) -> Json:  # noqa: ANN401
        result: Json = self.worker.call(
            f"worker.{function}", step_result_id=self.step_id(position), claim_id=self.claim_id, **arguments
        )
        return result

    def start(self, position: int = 1) -> Json:
        return self.on_step("start_step", position)

    def write(self, position: int, written: list[Json], chunk_index: int = 0, **verdicts: Any) -> Json:  # noqa: ANN401
        """`verdicts` are the lists `rejected` and `dropped`."""
        return self.on_step("write_chunk", position, chunk_index=chunk_index, records=written, **verdicts)

    def pass_through(self, position: int) -> Json:
        """Executes a step that keeps every record unchanged."""
        self.start(position)
        for chunk_index in range(self.pipeline_run["chunk_count"]):
            taken = self.worker.call(
                "worker.read_chunk", step_result_id=self.step_id(position), chunk_index=chunk_index
            )
            self.write(position, taken["records"], chunk_index)
        return self.on_step("finish_step", position)

    def succeed(self) -> None:
        self.take()
        for position in range(1, len(self.pipeline_run["steps"]) + 1):
            self.pass_through(position)
        self.on_run("finish_pipeline_run")

    def statuses(self, reader: Client) -> tuple[str, list[str]]:
        """The statuses of the run and of its steps, as a client reads them."""
        now = reader.call("get_pipeline_run", pipeline_run_id=self.id)
        return now["status"], [step["status"] for step in now["steps"]]


def create_run(worker: Client, org: Org, company: Company, *steps: Json, count: int = 3) -> Run:
    """A queued run of a fresh blueprint and submission, made by the company's member."""
    blueprint = create_blueprint(signed_in(worker.connection, org.admin), *steps)
    submitted = submit(signed_in(worker.connection, company.member), company.id, blueprint["id"], count)
    return Run(worker, submitted["pipeline_run"], submitted["submission"])


def chunks_of(postgres: Client, submission_id: str) -> list[tuple[int, int, int]]:
    """Index, record count and last row of each chunk of a submission."""
    rows = postgres.rows(
        "select chunk_index, record_count, last_row from public.submission_chunks "
        "where submission_id = %(id)s order by chunk_index",
        {"id": submission_id},
    )
    return [(row["chunk_index"], row["record_count"], row["last_row"]) for row in rows]
