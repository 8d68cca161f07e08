"""The options of a blueprint's steps: their bounds, and that runs keep them."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import errors

from tests.support.pipeline import INLINE, OUTSIDE, Run, create_blueprint, create_run, submit
from tests.support.sql_client import Client, Connection, refused, signed_in, violates
from tests.support.tenants import Company, Org

OPTIONS: dict[str, Any] = {
    "continue_on_error": True,
    "timeout_seconds": 30,
    "retry": {"max_attempts": 5, "backoff": {"initial_seconds": 0.5, "factor": 3}, "on": ["step_timeout"]},
    "run_if": "record.name != ''",
    "concurrency": 4,
}
DEFAULTS = {
    "continue_on_error": False,
    "timeout_seconds": None,
    "retry": None,
    "run_if": None,
    "concurrency": None,
}


@pytest.fixture
def admin(connection: Connection, worker: Client, org: Org) -> Client:
    return signed_in(connection, org.admin)


def options_of(step: dict[str, Any]) -> dict[str, Any]:
    return {name: step[name] for name in OPTIONS}


def test_a_blueprint_shows_the_options_of_its_steps(admin: Client) -> None:
    blueprint = create_blueprint(admin, {"slug": INLINE, **OPTIONS}, {"slug": OUTSIDE})
    assert [options_of(step) for step in blueprint["steps"]] == [OPTIONS, DEFAULTS]


def test_a_run_keeps_the_options_that_it_was_created_with(
    admin: Client, worker: Client, company: Company
) -> None:
    blueprint = create_blueprint(admin, {"slug": INLINE, **OPTIONS})
    submitted = submit(admin, company.id, blueprint["id"])
    run = Run(worker, submitted["pipeline_run"], submitted["submission"])
    admin.call("update_blueprint", blueprint_id=blueprint["id"], steps=[{"slug": INLINE}])
    (snapshot,) = admin.call("get_pipeline_run", pipeline_run_id=run.id)["blueprint_snapshot"]["steps"]
    (claimed,) = run.take()["steps"]
    assert options_of(snapshot) == options_of(claimed) == OPTIONS
    assert run.pipeline_run["steps"][0]["continue_on_error"] is True


@pytest.mark.parametrize(
    "option",
    [
        {"timeout_seconds": 0},
        {"timeout_seconds": 3601},
        {"concurrency": 0},
        {"concurrency": 21},
        {"run_if": ""},
        {"run_if": "  "},
        {"run_if": "x" * 2001},
        {"retry": {"max_attempts": 3, "backoff": {"factor": 0.5}}},
        {"retry": {"max_attempts": 3, "backoff": {"initial_seconds": "1"}}},
        {"retry": {"max_attempts": 3, "backoff": {"max_seconds": 0}}},
        {"retry": {"max_attempts": 3, "backoff": {"wait": 1}}},
        {"retry": {"max_attempts": 3, "backoff": [1]}},
        {"retry": {"max_attempts": 3, "on": []}},
        {"retry": {"max_attempts": 3, "on": ["Not A Code"]}},
        {"retry": {"max_attempts": 3, "on": [1]}},
        {"retry": {"max_attempts": 3, "on": "step_timeout"}},
        {"retry": {"on": ["step_timeout"]}},
    ],
    ids=str,
)
def test_an_option_out_of_bounds_is_refused(admin: Client, option: dict[str, Any]) -> None:
    with violates(errors.CheckViolation):
        create_blueprint(admin, {"slug": INLINE, **option})


def test_a_step_without_a_condition_is_not_skipped(worker: Client, org: Org, company: Company) -> None:
    run = create_run(worker, org, company, {"slug": INLINE}, {"slug": INLINE, "run_if": "false"})
    run.take()
    with refused(409, "invalid_transition"):
        run.on_step("skip_step", 1)
    # A step before its turn is not skipped either.
    with refused(409, "invalid_transition"):
        run.on_step("skip_step", 2)


def test_a_step_that_its_condition_skips_passes_its_input_on(
    worker: Client, org: Org, company: Company, member: Client
) -> None:
    run = create_run(
        worker, org, company, {"slug": INLINE}, {"slug": INLINE, "run_if": "false"}, {"slug": INLINE}
    )
    run.take()
    run.pass_through(1)
    first = run.on_step("skip_step", 2)
    assert (first["status"], first["skip_reason"]) == ("skipped", "condition")
    assert run.on_step("skip_step", 2) == first
    with refused(409, "immutable"):
        run.on_step("finish_step", 2)
    run.pass_through(3)
    assert run.on_run("finish_pipeline_run") == {"status": "succeeded"}
    steps = member.call("get_pipeline_run", pipeline_run_id=run.id)["steps"]
    assert [step["status"] for step in steps] == ["succeeded", "skipped", "succeeded"]
    assert steps[2]["input_step_result_id"] == run.step_id(1)
    assert (steps[2]["records_in"], steps[2]["records_out"]) == (3, 3)


def test_a_condition_knows_the_run_and_the_outcomes_of_the_steps_before(
    worker: Client, org: Org, company: Company
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE}, {"slug": OUTSIDE, "run_if": "true"})
    run.take()
    run.pass_through(1)
    known = worker.call("worker.read_condition_input", step_result_id=run.step_id(2))
    assert known == {
        "run": {"record_count": 3, "rejected_count": 0, "run_number": 1, "source": "json"},
        "steps": [
            {
                "position": 1, "slug": INLINE, "status": "succeeded",
                "records_in": 3, "records_out": 3, "records_rejected": 0, "records_dropped": 0,
            }
        ],
    }  # fmt: skip


@pytest.mark.parametrize(("cancelled", "reason"), [(True, "run_cancelled"), (False, "run_failed")])
def test_a_step_that_never_ran_says_why(
    worker: Client, org: Org, company: Company, member: Client, cancelled: bool, reason: str
) -> None:
    run = create_run(worker, org, company)
    run.take()
    if cancelled:
        member.call("cancel_pipeline_run", pipeline_run_id=run.id)
    else:
        run.on_run("fail_pipeline_run", error={"code": "broken", "message": "It broke."})
    steps = member.call("get_pipeline_run", pipeline_run_id=run.id)["steps"]
    assert [(step["status"], step["skip_reason"]) for step in steps] == [("skipped", reason)] * 2
