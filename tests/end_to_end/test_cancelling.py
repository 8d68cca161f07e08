"""Cancelling a run that waits, and a run in progress."""

from __future__ import annotations

import asyncio
import time

from tests.end_to_end.samples import CLEAN, companies
from tests.support.product import Product, assert_ledger_balances, statuses
from tests.support.stack_processes import StackProcesses
from tests.support.tenants import Org
from tests.support.trigger_api import TriggerApi, all_have_status, are_over
from tests.support.webhook_receiver import Receiver

LONGEST_CANCEL_SECONDS = 5


async def run_another_to_its_end(member: Product, company_id: str, blueprint_id: str) -> None:
    """When a later run has ended, the worker is done with the earlier ones."""
    accepted = await member.submit(company_id, blueprint_id, companies(1))
    await member.succeeded(accepted["pipeline_run"]["id"])


async def test_a_run_that_is_cancelled_in_the_queue_never_starts(
    member: Product,
    admin: Product,
    org: Org,
    receiver: Receiver,
    trigger: TriggerApi,
    processes: StackProcesses,
) -> None:
    blueprint_id = await admin.blueprint(CLEAN, receiver.step())
    with processes.frozen("trigger-worker"):
        accepted = await member.submit(org.first.id, blueprint_id, companies(3))
        run_id = accepted["pipeline_run"]["id"]
        cancelled = await member.cancel(run_id)
        assert cancelled["status"] == "cancelled"
        assert statuses(cancelled) == ["skipped", "skipped"]
    await trigger.runs_when(run_id, all_have_status("CANCELED"))
    await run_another_to_its_end(member, org.first.id, blueprint_id)

    after = await member.run(run_id)
    assert after["status"] == "cancelled"
    assert after["started_at"] is None
    assert [step["attempt"] for step in after["steps"]] == [0, 0]
    assert receiver.of(run_id) == []
    assert [run["taskIdentifier"] for run in await trigger.runs_of(run_id)] == ["run-pipeline"]


async def test_a_run_that_is_cancelled_in_the_middle_of_a_delivery_stops_there(
    member: Product,
    admin: Product,
    org: Org,
    receiver: Receiver,
    trigger: TriggerApi,
    processes: StackProcesses,
) -> None:
    blueprint_id = await admin.blueprint(CLEAN, receiver.step(batch_size=1), {"slug": "dedupe-records"})
    receiver.hold(after=1)
    accepted = await member.submit(org.first.id, blueprint_id, companies(4))
    run_id = accepted["pipeline_run"]["id"]
    held = await receiver.held(run_id)

    cancelled = await member.cancel(run_id)
    assert cancelled["status"] == "cancelled"
    assert statuses(cancelled) == ["succeeded", "cancelled", "skipped"]
    stopped = await trigger.runs_when(run_id, are_over)
    assert [run["taskIdentifier"] for run in stopped] == ["run-pipeline", "deliver-webhook"]
    # The pending request is aborted, although it has no answer.
    await processes.disconnected(held.client_port)
    receiver.release()
    await run_another_to_its_end(member, org.first.id, blueprint_id)

    assert len(receiver.of(run_id)) == 2
    after = await member.run(run_id)
    assert {name: after[name] for name in cancelled} == cancelled
    assert await member.step_records(after["steps"][1]["id"]) == []
    assert await member.cancel(run_id) == cancelled


async def test_a_delivery_that_an_operator_cancels_at_trigger_dev_goes_on_and_delivers_each_record_once(
    member: Product,
    admin: Product,
    org: Org,
    receiver: Receiver,
    trigger: TriggerApi,
    processes: StackProcesses,
) -> None:
    """The run is not cancelled, only the task of its step: attempted again, or replaced under a new claim."""
    blueprint_id = await admin.blueprint(receiver.step(batch_size=500), CLEAN)
    receiver.hold(after=3)
    accepted = await member.submit(org.first.id, blueprint_id, companies(2_500))
    run_id = accepted["pipeline_run"]["id"]
    held = await receiver.held(run_id)

    (delivering,) = [
        run for run in await trigger.runs_of(run_id) if run["taskIdentifier"] == "deliver-webhook"
    ]
    await trigger.cancel(delivering["id"])
    await processes.disconnected(held.client_port)
    receiver.release()

    assert_ledger_balances(await member.succeeded(run_id, seconds=150))
    receiver.assert_signed_and_repeated_only_as_they_were()
    heard = [delivery for delivery in receiver.of(run_id) if delivery is not held]
    messages = {delivery.webhook_id: delivery.records for delivery in heard}
    delivered = sorted(int(record["id"]) for records in messages.values() for record in records)
    assert delivered == list(range(1, 2_501))
    # A chunk is the checkpoint: no second task delivered what was written already.
    assert [delivery.body["data"]["chunk_index"] for delivery in heard].count(0) == 2
    await trigger.runs_when(run_id, are_over)


async def test_a_task_that_nobody_tells_stops_within_five_seconds(
    member: Product,
    admin: Product,
    org: Org,
    receiver: Receiver,
    trigger: TriggerApi,
    processes: StackProcesses,
) -> None:
    """Trigger.dev is down. The task's heartbeat finds the cancellation and aborts the pending request."""
    blueprint_id = await admin.blueprint(receiver.step(batch_size=1), CLEAN)
    receiver.hold(after=1)
    accepted = await member.submit(org.first.id, blueprint_id, companies(4))
    run_id = accepted["pipeline_run"]["id"]
    held = await receiver.held(run_id)

    with processes.frozen("trigger-platform"):
        started = time.monotonic()
        cancelling = asyncio.create_task(member.cancel(run_id))
        await processes.disconnected(held.client_port)
        assert time.monotonic() - started < LONGEST_CANCEL_SECONDS
        cancelled = await cancelling
        assert statuses(cancelled) == ["cancelled", "skipped"]
    receiver.release()
    # When Trigger.dev is back, it has no unfinished run either.
    await trigger.runs_when(run_id, are_over, seconds=120)
    assert (await member.run(run_id))["status"] == "cancelled"
    assert len(receiver.of(run_id)) == 2


async def test_a_finished_run_cannot_be_cancelled(member: Product, admin: Product, org: Org) -> None:
    accepted = await member.submit(org.first.id, await admin.blueprint(CLEAN), companies(1))
    run_id = accepted["pipeline_run"]["id"]
    await member.succeeded(run_id)
    answer = await member.refusal("pipeline-runs/cancel", {"pipeline_run_id": run_id})
    assert answer == (409, "pipeline_run_finished")
