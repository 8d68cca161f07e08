"""The parts of the API's answers that the demo uses."""

from typing import Any

from pydantic import BaseModel


class AuthContext(BaseModel):
    org_id: str
    company_id: str | None
    role: str


class Blueprint(BaseModel):
    id: str
    name: str
    version: int


class BlueprintStep(BaseModel):
    slug: str
    config: dict[str, Any]


class BlueprintWithSteps(Blueprint):
    steps: list[BlueprintStep]


class ApiToken(BaseModel):
    token: str


class StepResult(BaseModel):
    id: str
    position: int
    slug: str
    status: str
    chunk_count: int | None
    chunks_written: int
    records_in: int
    records_added: int
    records_out: int
    records_rejected: int
    records_dropped: int
    error: dict[str, Any] | None

    @property
    def balances(self) -> bool:
        accounted_for = self.records_out + self.records_rejected + self.records_dropped
        return self.records_in + self.records_added == accounted_for


class RunWarning(BaseModel):
    """What people should check. Without a step it is about the run as a whole."""

    code: str
    message: str
    slug: str | None = None


class PipelineRun(BaseModel):
    id: str
    run_number: int
    status: str
    error: dict[str, Any] | None
    failed_steps: list[dict[str, Any]] = []
    warnings: list[RunWarning] = []
    record_count: int
    steps: list[StepResult] = []

    @property
    def finished(self) -> bool:
        return self.status in {"succeeded", "succeeded_with_errors", "failed", "cancelled"}


class RunSummary(BaseModel):
    id: str
    company_id: str


class Submission(BaseModel):
    id: str
    record_count: int
    rejected_count: int


class Submitted(BaseModel):
    submission: Submission
    pipeline_run: PipelineRun
    dispatched: bool


class Record(BaseModel):
    id: str
    data: dict[str, Any]


class Verdict(BaseModel):
    """A rejected or dropped record. Position 0 is ingestion."""

    id: str
    reason: str
    message: str
    details: dict[str, Any] | None = None
    data: Any = None
    position: int
    slug: str | None = None
