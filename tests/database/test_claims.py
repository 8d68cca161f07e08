"""Claims: one worker holds a run for the time of a lease, and a newer claim fences off the older one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.support.pipeline import INLINE, OUTSIDE, Json, Run, create_run, records, verdict
from tests.support.sql_client import Client, Connection, denied, refused, signed_in
from tests.support.tenants import Company, Org

ERROR = {"code": "broken", "message": "It broke."}

LAST_CHUNK = {"chunk_index": 0, "records": records(1, 2, 3), "rejected": [], "dropped": []}

# Every worker call that needs a claim.
CLAIMED_CALLS: dict[str, Callable[[Run], Any]] = {
    "heartbeat": lambda run: run.on_run("heartbeat"),
    "start_step": lambda run: run.start(1),
    "write_chunk": lambda run: run.write(1, records(1, 2, 3)),
    "finish_step": lambda run: run.on_step("finish_step", 1),
    "fail_step": lambda run: run.on_step("fail_step", 1, error=ERROR),
    "skip_step": lambda run: run.on_step("skip_step", 1),
    "end_step": lambda run: run.on_step("end_step", 1, last_chunk=LAST_CHUNK),
    "finish_pipeline_run": lambda run: run.on_run("finish_pipeline_run"),
    "fail_pipeline_run": lambda run: run.on_run("fail_pipeline_run", error=ERROR),
}


@pytest.fixture
def run(worker: Client, org: Org, company: Company) -> Run:
    return create_run(worker, org, company)


def let_the_lease_expire(run: Run) -> None:
    run.worker.connection.execute(
        "update public.pipeline_runs set lease_expires_at = now() - interval '1 second' where id = %s",
        (run.id,),
    )


def lease_seconds(postgres: Client, run: Run) -> int:
    lease = "extract(epoch from lease_expires_at - now())::int"
    statement = f"select {lease} from public.pipeline_runs where id = %(id)s"
    seconds: int = postgres.value(statement, {"id": run.id})
    return seconds


def test_every_function_that_takes_a_claim_is_tried_here(postgres: Client) -> None:
    taking = postgres.rows(
        "select proname::text as name from pg_proc "
        "where pronamespace = 'worker'::regnamespace and 'p_claim_id' = any (proargnames)"
    )
    assert {row["name"] for row in taking} == set(CLAIMED_CALLS)


def test_a_claim_returns_the_run_and_its_steps(run: Run, org: Org, company: Company) -> None:
    outcome = run.take("run_first")
    assert outcome["outcome"] == "claimed"
    assert outcome["pipeline_run"] == {
        name: run.pipeline_run[name]
        for name in ("id", "org_id", "company_id", "submission_id", "run_number", "blueprint_id",
                     "blueprint_version", "chunk_count", "record_count", "trace_id", "request_id",
                     "created_at")
    } | {"trace_sampled": True}  # fmt: skip
    assert outcome["steps"] == [
        step_of(run, 1, INLINE, "run-pipeline", {}),
        step_of(run, 2, OUTSIDE, OUTSIDE, {"secret_name": "signing"}),
    ]


def step_of(run: Run, position: int, slug: str, task_id: str, config: Json) -> Json:
    return {
        "step_result_id": run.step_id(position),
        "position": position,
        "slug": slug,
        "version": "1.0.0",
        "task_id": task_id,
        "execution_mode": "inline" if task_id == "run-pipeline" else "task",
        "config": config,
        "continue_on_error": False,
        "timeout_seconds": None,
        "retry": None,
        "run_if": None,
        "concurrency": None,
        "delivery_key": run.step_id(position).replace("-", ""),
        "status": "pending",
        "begun": False,
    }


def test_a_claim_starts_the_run(connection: Connection, run: Run, company: Company) -> None:
    run.take("run_first")
    now = signed_in(connection, company.member).call("get_pipeline_run", pipeline_run_id=run.id)
    assert (now["status"], now["trigger_run_id"], now["dispatched"]) == ("running", "run_first", True)
    assert now["started_at"]


def test_another_trigger_run_cannot_claim_a_run_that_is_alive(run: Run) -> None:
    run.take("run_first")
    assert run.take("run_second") == {"outcome": "claimed_elsewhere"}
    run.on_run("heartbeat")


def test_another_trigger_run_takes_over_when_the_lease_has_expired(run: Run) -> None:
    run.take("run_first")
    let_the_lease_expire(run)
    assert run.take("run_second")["outcome"] == "claimed"
    run.on_run("heartbeat")


def test_the_same_trigger_run_may_claim_again_at_once(run: Run) -> None:
    first = run.take("run_first")
    second = run.take("run_first")
    assert second["outcome"] == "claimed"
    assert second["claim_id"] != first["claim_id"]


@pytest.mark.parametrize("call", CLAIMED_CALLS)
def test_a_newer_claim_fences_the_older_one_off(run: Run, call: str) -> None:
    old = run.take("run_first")
    run.start(1)
    run.take("run_first")
    run.claim = old
    with refused(409, "claim_lost"):
        CLAIMED_CALLS[call](run)


@pytest.mark.parametrize("call", CLAIMED_CALLS)
def test_a_claim_that_was_never_given_is_lost(run: Run, call: str) -> None:
    run.claim = {"claim_id": str(uuid4())}
    with refused(409, "claim_lost"):
        CLAIMED_CALLS[call](run)
    run.take()
    run.claim = {"claim_id": str(uuid4())}
    with refused(409, "claim_lost"):
        CLAIMED_CALLS[call](run)


@pytest.mark.parametrize("call", CLAIMED_CALLS)
def test_a_cancelled_run_refuses_its_worker(
    connection: Connection, run: Run, company: Company, call: str
) -> None:
    run.take()
    run.start(1)
    signed_in(connection, company.member).call("cancel_pipeline_run", pipeline_run_id=run.id)
    with refused(409, "pipeline_run_cancelled"):
        CLAIMED_CALLS[call](run)
    assert run.take() == {"outcome": "finished", "status": "cancelled"}


@pytest.mark.parametrize("call", CLAIMED_CALLS)
def test_a_finished_run_refuses_its_worker(run: Run, call: str) -> None:
    run.succeed()
    with refused(409, "pipeline_run_finished"):
        CLAIMED_CALLS[call](run)
    assert run.take("run_second") == {"outcome": "finished", "status": "succeeded"}


def test_a_run_or_step_that_does_not_exist_is_not_found(worker: Client) -> None:
    ids = {"claim_id": str(uuid4())}
    with refused(404, "pipeline_run_not_found"):
        worker.call("worker.heartbeat", pipeline_run_id=str(uuid4()), **ids)
    with refused(404, "pipeline_run_not_found"):
        worker.call("worker.claim_pipeline_run", pipeline_run_id=str(uuid4()), trigger_run_id="run_1")
    with refused(404, "step_result_not_found"):
        worker.call("worker.start_step", step_result_id=str(uuid4()), **ids)


def test_every_call_renews_an_expired_lease_to_a_minute(run: Run, postgres: Client) -> None:
    run.take()
    for call in ("start_step", "write_chunk", "finish_step"):
        let_the_lease_expire(run)
        CLAIMED_CALLS[call](run)
        assert lease_seconds(postgres, run) == 60


def test_a_lease_with_55_seconds_left_is_not_renewed(run: Run, postgres: Client) -> None:
    run.take()
    for left, then in ((58, 58), (56, 56), (54, 60)):
        lease = f"now() + interval '{left} seconds'"
        postgres.change(
            f"update public.pipeline_runs set lease_expires_at = {lease} where id = %(id)s", {"id": run.id}
        )
        run.start(1)
        assert lease_seconds(postgres, run) == then


def test_a_heartbeat_sets_the_length_of_the_lease(run: Run, postgres: Client) -> None:
    run.take()
    run.on_run("heartbeat", lease_seconds=660)
    run.start(1)
    assert lease_seconds(postgres, run) == 660
    run.on_run("heartbeat")
    assert lease_seconds(postgres, run) == 60


@pytest.mark.parametrize("seconds", [0, -1, 3601, None])
def test_a_lease_is_between_a_second_and_an_hour(run: Run, seconds: int | None) -> None:
    run.take()
    with refused(422, "invalid_request"):
        run.on_run("heartbeat", lease_seconds=seconds)


def test_a_resumed_step_learns_which_chunks_are_written(worker: Client, org: Org, company: Company) -> None:
    run = create_run(worker, org, company, {"slug": INLINE}, count=1001)
    run.take("run_first")
    first = {"chunk_index": 0, "records": records(*range(1, 1001))}
    started = {"status": "running", "attempt": 1, "chunk_count": 2, "written_chunks": [], "next_chunk": first}
    assert run.start(1) == started
    run.write(1, records(1001), 1)
    run.take("run_first")
    assert run.start(1) == {**started, "attempt": 2, "written_chunks": [1]}
    run.write(1, records(*range(1, 1001)))
    finished = run.on_step("finish_step", 1)
    assert run.on_step("finish_step", 1) == finished
    done = {"status": "succeeded", "attempt": 2, "written_chunks": [0, 1], "next_chunk": None}
    assert run.start(1) == {**started, **done}
    with refused(409, "immutable"):
        run.on_step("fail_step", 1, error=ERROR)


def test_rejects_are_repeatable_after_a_takeover(run: Run) -> None:
    run.take("run_first")
    run.start(1)
    run.write(1, records(1, 2), rejected=[verdict(3)])
    let_the_lease_expire(run)
    run.take("run_second")
    assert run.write(1, records(1, 2), rejected=[verdict(3)]) == {"written": False}


def test_clients_call_no_function_of_the_workers(connection: Connection, postgres: Client, org: Org) -> None:
    functions = postgres.rows(
        "select oid::regprocedure::text as name from pg_proc where pronamespace = 'worker'::regnamespace"
    )
    assert len(functions) > 10
    for role, function in ((role, row["name"]) for row in functions for role in ("anon", "authenticated")):
        statement = "select has_function_privilege(%(role)s, %(function)s, 'execute')"
        assert postgres.value(statement, {"role": role, "function": function}) is False
    with denied():
        signed_in(connection, org.admin).call("worker.reconcile_pipeline_runs")


def test_the_service_credential_reaches_no_table(worker: Client, postgres: Client) -> None:
    tables = postgres.rows(
        "select oid::regclass::text as name from pg_class "
        "where relkind in ('r', 'v') and relnamespace in ('public'::regnamespace, 'private'::regnamespace)"
    )
    assert len(tables) > 10
    for row in tables:
        with denied():
            worker.rows(f"select * from {row['name']}")
