"""A part of the stack is killed during a run, and the run still ends correctly."""

from __future__ import annotations

import psycopg
import pytest

from tests.end_to_end.samples import CLEAN, companies
from tests.support.product import Product, assert_ledger_balances
from tests.support.stack import StackEnvironment
from tests.support.stack_processes import StackProcesses
from tests.support.tenants import Org
from tests.support.trigger_api import TriggerApi
from tests.support.webhook_receiver import Delivery, Receiver

RECORDS = companies(2_500)


async def hold_in_the_second_chunk(
    member: Product, admin: Product, org: Org, receiver: Receiver
) -> tuple[str, Delivery]:
    """A run that has delivered its first chunk and half of its second, while the receiver holds the next
    message."""
    blueprint_id = await admin.blueprint(CLEAN, receiver.step(batch_size=500), {"slug": "dedupe-records"})
    receiver.hold(after=3)
    accepted = await member.submit(org.first.id, blueprint_id, RECORDS)
    run_id = accepted["pipeline_run"]["id"]
    held = await receiver.held(run_id)
    assert (held.body["data"]["chunk_index"], held.body["data"]["batch_index"]) == (1, 1)
    return run_id, held


async def assert_nothing_was_lost_or_doubled(
    member: Product, receiver: Receiver, run_id: str, unheard: Delivery | None = None
) -> None:
    """`unheard` is a request whose sender was killed before the answer."""
    run = await member.succeeded(run_id)
    assert_ledger_balances(run)
    ids = [str(row) for row in range(1, len(RECORDS) + 1)]
    assert [record["id"] for record in await member.records(run_id)] == ids
    assert unheard is None or run["steps"][1]["attempt"] > 1

    receiver.assert_signed_and_repeated_only_as_they_were()
    heard = [delivery for delivery in receiver.of(run_id) if delivery is not unheard]
    messages = {delivery.webhook_id: delivery.records for delivery in heard}
    assert sorted((r["id"] for records in messages.values() for r in records), key=int) == ids
    # Chunks are checkpoints: a chunk that was written before the kill is not delivered again.
    assert [d.body["data"]["chunk_index"] for d in heard].count(0) == 2


async def test_a_run_whose_step_process_is_killed_goes_on_where_it_was(
    member: Product, admin: Product, org: Org, receiver: Receiver, processes: StackProcesses
) -> None:
    run_id, held = await hold_in_the_second_chunk(member, admin, org, receiver)
    processes.client(held.client_port).kill()
    receiver.release()
    await assert_nothing_was_lost_or_doubled(member, receiver, run_id, held)


async def test_a_run_whose_processes_are_all_killed_goes_on_where_it_was(
    member: Product, admin: Product, org: Org, receiver: Receiver, processes: StackProcesses
) -> None:
    run_id, held = await hold_in_the_second_chunk(member, admin, org, receiver)
    for process in processes.executing_tasks():
        process.kill()
    receiver.release()
    await assert_nothing_was_lost_or_doubled(member, receiver, run_id, held)


async def test_a_run_whose_cli_is_killed_is_finished_by_the_next_one(
    stack: StackEnvironment,
    member: Product,
    admin: Product,
    org: Org,
    receiver: Receiver,
    trigger: TriggerApi,
    processes: StackProcesses,
) -> None:
    run_id, held = await hold_in_the_second_chunk(member, admin, org, receiver)
    async with processes.killed("trigger-worker"):
        receiver.release()
    with psycopg.connect(stack.database_url) as connection:
        # As if a minute had passed without a heartbeat.
        expired = connection.execute(
            "update public.pipeline_runs set lease_expires_at = now() where id = %s and status = 'running'",
            (run_id,),
        )
        assert expired.rowcount == 1
    await trigger.reconcile()
    await assert_nothing_was_lost_or_doubled(member, receiver, run_id, held)


async def test_a_run_outlives_a_restart_of_the_data_api_and_a_submission_during_it_is_refused_whole(
    member: Product, admin: Product, org: Org, receiver: Receiver, processes: StackProcesses
) -> None:
    run_id, _ = await hold_in_the_second_chunk(member, admin, org, receiver)
    submission = await member.call("submissions/list", {})
    blueprint_id = submission[0]["blueprint_id"]
    async with processes.stopped("supabase"):
        receiver.release()
        body = {"company_id": org.first.id, "blueprint_id": blueprint_id, "records": RECORDS}
        assert await member.refusal("submissions/create", body) == (503, "data_api_unavailable")
    await assert_nothing_was_lost_or_doubled(member, receiver, run_id)
    assert await member.call("submissions/list", {}) == submission


@pytest.mark.long  # the schedule comes with the next minute
async def test_a_run_that_was_submitted_while_trigger_was_down_is_started_by_the_schedule(
    member: Product, admin: Product, org: Org, trigger: TriggerApi, processes: StackProcesses
) -> None:
    blueprint_id = await admin.blueprint(CLEAN)
    async with processes.killed("trigger-platform", "trigger-worker"):
        accepted = await member.submit(org.first.id, blueprint_id, companies(2))
        run_id = accepted["pipeline_run"]["id"]
        assert not accepted["dispatched"]
        assert (await member.run(run_id))["status"] == "queued"
    run = await member.succeeded(run_id, seconds=150)
    assert run["dispatched"]
    assert len(await trigger.runs_of(run_id)) == 1
