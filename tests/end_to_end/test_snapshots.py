"""A run is bound to the blueprint as it was when the run was created."""

from __future__ import annotations

from tests.end_to_end.samples import CLEAN
from tests.support.product import Json, Product
from tests.support.stack_processes import StackProcesses
from tests.support.tenants import Org
from tests.support.webhook_receiver import Receiver

REFUSE_ALL = {"slug": "validate-records", "config": {"schema": {"required": ["no such field"]}}}
RECORDS = [{"name": "Globex"}, {"name": "Initech"}]


async def edit(admin: Product, blueprint_id: str, *steps: Json) -> None:
    edited = await admin.call("blueprints/update", {"blueprint_id": blueprint_id, "steps": list(steps)})
    assert edited["version"] == 2


async def test_an_edit_of_the_blueprint_does_not_touch_a_queued_run(
    member: Product, admin: Product, org: Org, processes: StackProcesses
) -> None:
    blueprint_id = await admin.blueprint(CLEAN)
    with processes.frozen("trigger-worker"):
        accepted = await member.submit(org.first.id, blueprint_id, RECORDS)
        run_id = accepted["pipeline_run"]["id"]
        await edit(admin, blueprint_id, REFUSE_ALL)
        queued = await member.run(run_id)
        assert queued["status"] == "queued"
    run = await member.succeeded(run_id)
    assert run["blueprint_version"] == 1
    assert run["blueprint_snapshot"] == queued["blueprint_snapshot"]
    assert [step["slug"] for step in run["steps"]] == ["normalize-company"]
    assert [record["data"]["name"] for record in await member.records(run_id)] == ["Globex", "Initech"]


async def test_an_edit_while_the_run_is_running_only_counts_for_the_next_run_of_the_submission(
    member: Product, admin: Product, org: Org, receiver: Receiver
) -> None:
    blueprint_id = await admin.blueprint(receiver.step(), CLEAN)
    receiver.hold()
    accepted = await member.submit(org.first.id, blueprint_id, RECORDS)
    first_id = accepted["pipeline_run"]["id"]
    await receiver.held(first_id)
    before = (await member.run(first_id))["blueprint_snapshot"]
    await edit(admin, blueprint_id, REFUSE_ALL)
    receiver.release()

    first = await member.succeeded(first_id)
    assert first["blueprint_version"] == 1
    assert first["blueprint_snapshot"] == before
    assert [step["slug"] for step in first["steps"]] == ["deliver-webhook", "normalize-company"]
    assert len(await member.records(first_id)) == 2

    created = await member.call("pipeline-runs/create", {"submission_id": accepted["submission"]["id"]})
    second = await member.succeeded(created["pipeline_run"]["id"])
    assert (second["run_number"], second["blueprint_version"]) == (2, 2)
    assert [step["slug"] for step in second["steps"]] == ["validate-records"]
    assert await member.records(second["id"]) == []
    assert [record["id"] for record in await member.records(second["id"], "rejected")] == ["1", "2"]
    assert len(await member.records(first_id)) == 2
