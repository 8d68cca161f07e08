"""Options of steps, retries of runs and of rejected records, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.api.caller import PROBE, Caller, Json
from tests.api.worker import Worker
from tests.support.loopback import Loopback
from tests.support.tenants import Org, Tenants, Token, User

OPTIONS: Json = {
    "continue_on_error": True,
    "timeout_seconds": 30,
    "retry": {"max_attempts": 5, "backoff": {"factor": 3}, "on": ["step_timeout"]},
    "run_if": "record.n > 1",
    "concurrency": 4,
}


def blueprint(admin: Caller, **options: Any) -> Json:  # noqa: ANN401 (JSON)
    step = {"slug": PROBE, "config": {"note": "a"}, **options}
    created: Json = admin.data("blueprints/create", {"name": f"b {uuid4()}", "steps": [step]})
    return created


def submit(org: Org, admin: Caller, member: Caller, **options: Any) -> Json:  # noqa: ANN401 (JSON)
    found: Json = member.submit(org.first.id, blueprint(admin, **options)["id"])["pipeline_run"]
    return found


def test_the_options_of_a_step_are_saved_shown_and_kept(org: Org, admin: Caller, member: Caller) -> None:
    created = blueprint(admin, **OPTIONS)
    (step,) = admin.data("blueprints/get", {"blueprint_id": created["id"]})["steps"]
    assert {name: step[name] for name in OPTIONS} == OPTIONS
    run = member.submit(org.first.id, created["id"])["pipeline_run"]
    steps = [{"slug": PROBE, "config": {"note": "a"}}]
    changed = admin.data("blueprints/update", {"blueprint_id": created["id"], "steps": steps})
    assert changed["steps"][0]["run_if"] is None
    found = member.data("pipeline-runs/get", {"pipeline_run_id": run["id"]})
    (kept,) = found["blueprint_snapshot"]["steps"]
    assert {name: kept[name] for name in OPTIONS} == OPTIONS


@pytest.mark.parametrize(
    "option",
    [
        {"timeout_seconds": 0},
        {"concurrency": 21},
        {"run_if": "x" * 2001},
        {"retry": {"max_attempts": 3, "on": []}},
        {"retry": {"max_attempts": 3, "on": None}},
        {"retry": {"max_attempts": 3, "backoff": {"factor": 0}}},
        {"retry": {"max_attempts": 3, "backoff": None}},
        {"continue_on_error": None},
        {"on_error": "continue"},
    ],
    ids=str,
)
def test_an_option_out_of_bounds_is_an_invalid_request(admin: Caller, option: Json) -> None:
    body = {"name": "b", "steps": [{"slug": PROBE, "config": {"note": "a"}, **option}]}
    assert admin.refusal("blueprints/create", body) == (422, "invalid_request")


def test_a_faulty_condition_is_refused_with_its_place(admin: Caller) -> None:
    probe = {"slug": PROBE, "config": {"note": "a"}}
    steps = [probe, probe | {"run_if": "record.n >"}, probe | {"run_if": "recrd.n > 1"}]
    answer = admin.post("blueprints/create", {"name": "b", "steps": steps})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "invalid_run_if")
    found = [(fault["position"], fault["line"], fault["column"]) for fault in error["details"]["steps"]]
    assert found == [(2, 1, 11), (3, 1, 6)]
    created = admin.blueprint()
    body = {"blueprint_id": created, "steps": steps}
    assert admin.refusal("blueprints/update", body) == (422, "invalid_run_if")
    assert admin.data("blueprints/get", {"blueprint_id": created})["version"] == 1


def test_a_run_that_went_on_without_a_step_says_so(
    org: Org, admin: Caller, member: Caller, worker: Worker
) -> None:
    run = submit(org, admin, member, continue_on_error=True)
    worker.fail_first_step(run["id"], reject="2")
    worker.end(run["id"])
    failed = [{"position": 1, "slug": PROBE, "code": "broken", "message": "It is broken."}]
    found = member.data("pipeline-runs/get", {"pipeline_run_id": run["id"]})
    (listed,) = member.data("pipeline-runs/list", {"status": "succeeded_with_errors"})
    assert found["status"] == listed["status"] == "succeeded_with_errors"
    assert found["failed_steps"] == listed["failed_steps"] == failed
    body = {"pipeline_run_id": run["id"]}
    assert [record["id"] for record in member.data("pipeline-runs/records", body)] == ["1", "2", "3"]
    exported = member.post("pipeline-runs/export", body | {"format": "ndjson"})
    assert len(exported.text.splitlines()) == 3


def test_a_failed_run_is_taken_up_and_dispatched(
    org: Org, admin: Caller, member: Caller, worker: Worker, trigger: Loopback
) -> None:
    run = submit(org, admin, member)
    worker.fail_first_step(run["id"], reject="2")
    trigger.requests.clear()
    body = {"pipeline_run_id": run["id"]}
    answer = member.post("pipeline-runs/retry", body, {"Idempotency-Key": "once"})
    assert answer.status_code == 202
    created = answer.json()["data"]
    again = created["pipeline_run"]
    assert (again["retry_of"], again["run_number"], created["dispatched"]) == (run["id"], 2, True)
    assert again["steps"][0]["resumed_from"] == run["steps"][0]["id"]
    assert again["steps"][0]["delivery_key"] == run["steps"][0]["delivery_key"]
    assert len(trigger.requests) == 1
    repeated = member.data("pipeline-runs/retry", body, {"Idempotency-Key": "once"})
    assert repeated["pipeline_run"]["id"] == again["id"]
    assert member.refusal("pipeline-runs/retry", body) == (409, "pipeline_run_retried")
    worker.finish(again["id"])
    found = member.data("pipeline-runs/get", {"pipeline_run_id": again["id"]})
    assert (found["status"], found["failed_steps"]) == ("succeeded", [])
    output = member.data("pipeline-runs/records", {"pipeline_run_id": again["id"]})
    assert [record["id"] for record in output] == ["1", "3"]


def test_a_run_that_did_not_fail_is_not_retried(
    org: Org, admin: Caller, member: Caller, worker: Worker
) -> None:
    run = submit(org, admin, member)
    body = {"pipeline_run_id": run["id"]}
    assert member.refusal("pipeline-runs/retry", body) == (409, "pipeline_run_not_retryable")
    assert member.refusal("pipeline-runs/retry-rejected", body) == (409, "pipeline_run_unfinished")
    worker.finish(run["id"])
    assert member.refusal("pipeline-runs/retry", body) == (409, "pipeline_run_not_retryable")
    assert member.refusal("pipeline-runs/retry-rejected", body) == (409, "no_rejected_records")


def test_rejected_records_are_submitted_once_more(
    org: Org, admin: Caller, member: Caller, worker: Worker, trigger: Loopback
) -> None:
    run = submit(org, admin, member)
    worker.finish(run["id"], reject="2")
    trigger.requests.clear()
    body = {"pipeline_run_id": run["id"], "name": "Once more"}
    answer = member.post("pipeline-runs/retry-rejected", body)
    assert answer.status_code == 202
    created = answer.json()["data"]
    submission = created["submission"]
    assert (submission["name"], submission["record_count"]) == ("Once more", 1)
    assert submission["retry_of_run_id"] == run["id"]
    assert created["dispatched"]
    assert len(trigger.requests) == 1
    worker.finish(created["pipeline_run"]["id"])
    output = member.data("pipeline-runs/records", {"pipeline_run_id": created["pipeline_run"]["id"]})
    assert output == [{"id": "2", "data": {"name": "Company 2", "n": 2}}]


@pytest.mark.parametrize("verb", ["retry", "retry-rejected"])
def test_what_cannot_be_seen_is_not_retried(
    fresh: Tenants, org: Org, admin: Caller, member: Caller, nobody: Caller, worker: Worker,
    as_: Callable[[User | Token], Caller], verb: str,
) -> None:  # fmt: skip
    run = submit(org, admin, member)
    worker.fail_first_step(run["id"], reject="2")
    body = {"pipeline_run_id": run["id"]}
    for user in (fresh.other.admin, org.second.member):
        assert as_(user).refusal(f"pipeline-runs/{verb}", body) == (404, "pipeline_run_not_found")
    assert nobody.refusal(f"pipeline-runs/{verb}", body) == (401, "missing_credential")
    assert len(member.data("pipeline-runs/list")) == 1
