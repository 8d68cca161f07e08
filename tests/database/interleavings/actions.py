"""Actions of clients and operators on an org's runs, and accidents that befall them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.database.interleavings.acting import Action
from tests.support.pipeline import Json
from tests.support.sql_client import Client

_LATER = "interval '3 minutes'"


def nothing() -> Action:
    return Action("nothing", "operator", lambda client: None)


def submit(
    company_id: str, blueprint_id: str, sizes: Sequence[int], answered: Callable[[Json], None]
) -> Action:
    """Submits records in chunks of these sizes."""

    def upload(member: Client) -> Json:
        opened = member.call(
            "open_submission", source="json", company_id=company_id, blueprint_id=blueprint_id
        )["submission"]
        row = 0
        for index, size in enumerate(sizes):
            records = [{"id": str(row + n), "data": {"n": row + n}} for n in range(1, size + 1)]
            member.call(
                "append_submission_chunk", submission_id=opened["id"], chunk_index=index, records=records
            )
            row += size
        finished: Json = member.call("finalize_submission", submission_id=opened["id"])
        return finished

    return Action(f"submission of {sizes}", "member", upload, answered=answered)


def of_a_client(function: str, pipeline_run_id: str, answered: Callable[[Any], None]) -> Action:
    return Action(
        f"{function} {pipeline_run_id[:8]}",
        "member",
        lambda member: member.call(function, pipeline_run_id=pipeline_run_id),
        answered=answered,
    )


def requeue(pipeline_run_id: str) -> Action:
    statement = "select ops.requeue_runs(%(id)s, dry_run => false)"
    return Action(
        f"requeue_runs {pipeline_run_id[:8]}",
        "operator",
        lambda operator: operator.rows(statement, {"id": pipeline_run_id}),
    )


def lose_heartbeat(pipeline_run_id: str) -> Action:
    statement = (
        "update public.pipeline_runs set lease_expires_at = now() - interval '1 second' "
        "where id = %(id)s and status = 'running'"
    )
    return Action(
        f"heartbeat of {pipeline_run_id[:8]} lost",
        "operator",
        lambda operator: operator.change(statement, {"id": pipeline_run_id}),
    )


def let_time_pass(org_id: str) -> Action:
    statement = f"""
        update public.pipeline_runs
        set lease_expires_at = lease_expires_at - {_LATER}, dispatched_at = dispatched_at - {_LATER},
            start_taken_at = start_taken_at - {_LATER}
        where org_id = %(org)s and finished_at is null
    """
    return Action("minutes pass", "operator", lambda operator: operator.change(statement, {"org": org_id}))
