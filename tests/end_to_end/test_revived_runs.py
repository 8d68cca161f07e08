"""Trigger.dev may attempt a cancelled run again. Nothing takes it for dead, and nothing works twice.

The stand-in of these tests revives every run whose first attempt is cancelled.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.end_to_end.samples import CLEAN, companies
from tests.support.product import Product, assert_ledger_balances, statuses
from tests.support.stack import StackEnvironment, stack_for_tests
from tests.support.stack_processes import StackProcesses
from tests.support.tenants import Org
from tests.support.trigger_api import Json, TriggerApi, are_over
from tests.support.webhook_receiver import Delivery, Receiver

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackEnvironment]:
    if os.environ.get("TEST_AGAINST_SERVICES"):
        pytest.skip("a platform that exists already cannot be told to revive runs")
    directory = tmp_path_factory.mktemp("reviving")
    settings = {"TRIGGER_REVIVES_CANCELLED_RUNS": "true"}
    with stack_for_tests(directory, "all", settings=settings) as environment:
        yield environment


async def hold_the_second_delivery(
    member: Product, admin: Product, org: Org, receiver: Receiver
) -> tuple[str, Delivery]:
    blueprint_id = await admin.blueprint(CLEAN, receiver.step(batch_size=1), {"slug": "dedupe-records"})
    receiver.hold(after=1)
    accepted = await member.submit(org.first.id, blueprint_id, companies(4))
    run_id = accepted["pipeline_run"]["id"]
    return run_id, await receiver.held(run_id)


async def task_of(trigger: TriggerApi, run_id: str, task_id: str) -> Json:
    (found,) = [run for run in await trigger.runs_of(run_id) if run["taskIdentifier"] == task_id]
    return found


async def revived(trigger: TriggerApi, run_id: str) -> list[str]:
    """The tasks of the run that ended otherwise, although they were cancelled while they executed."""
    runs = await trigger.runs_when(run_id, are_over, seconds=120)
    return [run["taskIdentifier"] for run in runs if run["status"] == "COMPLETED"]


async def test_a_cancelled_run_stays_cancelled_although_its_tasks_are_attempted_again(
    member: Product,
    admin: Product,
    org: Org,
    receiver: Receiver,
    trigger: TriggerApi,
    processes: StackProcesses,
) -> None:
    run_id, held = await hold_the_second_delivery(member, admin, org, receiver)
    cancelled = await member.cancel(run_id)
    assert statuses(cancelled) == ["succeeded", "cancelled", "skipped"]
    await processes.disconnected(held.client_port)
    receiver.release()
    assert "run-pipeline" in await revived(trigger, run_id)
    await trigger.reconcile()

    after = await member.run(run_id)
    assert {name: after[name] for name in cancelled} == cancelled
    assert len(receiver.of(run_id)) == 2


async def test_a_delivery_whose_cancelled_task_is_attempted_again_delivers_each_record_once(
    member: Product,
    admin: Product,
    org: Org,
    receiver: Receiver,
    trigger: TriggerApi,
    processes: StackProcesses,
) -> None:
    run_id, held = await hold_the_second_delivery(member, admin, org, receiver)
    await trigger.cancel((await task_of(trigger, run_id, "deliver-webhook"))["id"])
    await trigger.reconcile()
    await processes.disconnected(held.client_port)
    receiver.release()

    assert_ledger_balances(await member.succeeded(run_id, seconds=120))
    assert await revived(trigger, run_id) == ["run-pipeline", "deliver-webhook"]
    receiver.assert_signed_and_repeated_only_as_they_were()
    messages = {delivery.webhook_id: delivery.records for delivery in receiver.of(run_id)}
    assert sorted(record["id"] for records in messages.values() for record in records) == ["1", "2", "3", "4"]


async def test_a_run_whose_task_an_operator_cancels_fails_and_its_next_attempt_does_nothing(
    member: Product,
    admin: Product,
    org: Org,
    receiver: Receiver,
    trigger: TriggerApi,
    processes: StackProcesses,
) -> None:
    run_id, held = await hold_the_second_delivery(member, admin, org, receiver)
    await trigger.cancel((await task_of(trigger, run_id, "run-pipeline"))["id"])
    failed = await member.finished(run_id, seconds=120)
    assert failed["error"]["code"] == "trigger_run_cancelled"
    await processes.disconnected(held.client_port)
    receiver.release()
    assert "run-pipeline" in await revived(trigger, run_id)
    assert (await member.run(run_id))["status"] == "failed"
    assert len(receiver.of(run_id)) == 2
