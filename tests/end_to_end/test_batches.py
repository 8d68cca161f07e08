"""A batch of JSON records from the submission to the customer's webhook and the export."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from uuid import uuid4

from tests.end_to_end.samples import CLEAN, companies
from tests.support.product import Product, assert_ledger_balances, statuses
from tests.support.tenants import Org
from tests.support.trigger_api import TriggerApi
from tests.support.webhook_receiver import Answer, Receiver

COUNTRY_IS_REQUIRED = {
    "type": "object",
    "required": ["country"],
    "properties": {"country": {"type": "string", "pattern": "^[A-Z]{2}$"}},
}
CLEANING = (
    CLEAN,
    {"slug": "validate-records", "config": {"schema": COUNTRY_IS_REQUIRED}},
    {"slug": "dedupe-records"},
)
COMPANIES = [
    {
        "Company": "  ACME   GMBH ",
        "Website": "https://www.acme.de/about",
        "Country": "Germany",
        "owner": "ada",
    },
    {"Company": "n/a", "Website": "", "Country": "France"},  # 2: neither name nor domain
    {"Company": "Globex", "Website": "globex.com", "Country": "nowhere land"},  # 3: no country
    {"Company": "Acme", "Website": "http://acme.de", "Country": "DE"},  # 4: the company of 1
    {"Company": "Initech", "Website": "initech.com", "Country": "United States"},
]


async def test_a_batch_is_normalised_validated_deduplicated_and_delivered(
    member: Product, admin: Product, org: Org, receiver: Receiver
) -> None:
    blueprint_id = await admin.blueprint(*CLEANING, receiver.step())
    accepted = await member.submit(org.first.id, blueprint_id, COMPANIES)
    assert accepted["dispatched"]
    assert accepted["submission"]["record_count"] == len(COMPANIES)
    run_id = accepted["pipeline_run"]["id"]
    run = await member.succeeded(run_id)

    assert_ledger_balances(run)
    ledger = [
        (step["records_in"], step["records_out"], step["records_rejected"], step["records_dropped"])
        for step in run["steps"]
    ]
    assert ledger == [(5, 4, 1, 0), (4, 3, 1, 0), (3, 2, 0, 1), (2, 2, 0, 0)]

    output = await member.records(run_id)
    assert [record["id"] for record in output] == ["1", "5"]
    acme, initech = (record["data"] for record in output)
    # Five records do not show that their column is written in capitals.
    assert (acme["name"], acme["domain"], acme["country"], acme["owner"]) == (
        "ACME GmbH", "acme.de", "DE", "ada",
    )  # fmt: skip
    assert (initech["name"], initech["domain"], initech["country"]) == ("Initech", "initech.com", "US")

    rejected = {record["id"]: record for record in await member.records(run_id, "rejected")}
    reasons = {id: (record["slug"], record["reason"]) for id, record in rejected.items()}
    assert reasons == {
        "2": ("normalize-company", "unidentifiable_company"),
        "3": ("validate-records", "schema_violation"),
    }
    assert rejected["2"]["data"] == COMPANIES[1]
    assert rejected["3"]["data"]["name"] == "Globex"
    (dropped,) = await member.records(run_id, "dropped")
    assert (dropped["id"], dropped["reason"], dropped["slug"]) == ("4", "duplicate", "dedupe-records")
    assert dropped["details"]["duplicate_of"] == "1"

    (delivery,) = receiver.deliveries
    assert delivery.is_signed
    assert delivery.body["type"] == "records.processed"
    assert delivery.pipeline_run_id == run_id
    assert delivery.records == output


async def test_the_export_holds_the_output_as_csv_and_as_ndjson(
    member: Product, admin: Product, org: Org
) -> None:
    blueprint_id = await admin.blueprint(*CLEANING)
    accepted = await member.submit(org.first.id, blueprint_id, COMPANIES)
    run_id = accepted["pipeline_run"]["id"]
    await member.succeeded(run_id)
    output = await member.records(run_id)

    lines = (await member.export(run_id, "ndjson")).splitlines()
    assert [json.loads(line) for line in lines] == output

    rows = list(csv.DictReader(io.StringIO(await member.export(run_id, "csv"))))
    assert [row["record_id"] for row in rows] == [record["id"] for record in output]
    for row, record in zip(rows, output, strict=True):
        assert row["name"] == record["data"]["name"]
        assert row["owner"] == (record["data"].get("owner") or "")


async def test_every_step_shows_what_went_in_and_came_out(member: Product, admin: Product, org: Org) -> None:
    blueprint_id = await admin.blueprint(*CLEANING)
    accepted = await member.submit(org.first.id, blueprint_id, COMPANIES)
    run = await member.succeeded(accepted["pipeline_run"]["id"])
    normalise, validate, dedupe = (step["id"] for step in run["steps"])
    assert [r["data"] for r in await member.step_records(normalise, "input")] == COMPANIES
    given = await member.step_records(normalise, "output")
    assert given == await member.step_records(validate, "input")
    assert await member.step_records(validate, "output") == await member.step_records(dedupe, "input")
    assert await member.step_records(dedupe, "output") == await member.records(run["id"])


async def test_a_busy_then_broken_webhook_is_tried_again_with_the_same_id(
    member: Product, admin: Product, org: Org, receiver: Receiver
) -> None:
    receiver.answers = [Answer(429, {"Retry-After": "1"}), Answer(500), Answer(200)]
    blueprint_id = await admin.blueprint(receiver.step(batch_size=2))
    accepted = await member.submit(org.first.id, blueprint_id, companies(3))
    run_id = accepted["pipeline_run"]["id"]
    await member.succeeded(run_id)
    ids = [delivery.webhook_id for delivery in receiver.of(run_id)]
    assert [delivery.status for delivery in receiver.of(run_id)] == [429, 500, 200, 200]
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert receiver.delivered_ids(run_id) == ["1", "2", "3"]
    receiver.assert_signed_and_repeated_only_as_they_were()


async def test_a_step_that_fails_ends_the_run_and_leaves_the_earlier_results_readable(
    member: Product, admin: Product, org: Org, receiver: Receiver
) -> None:
    receiver.answers = [Answer(400)]
    blueprint_id = await admin.blueprint(CLEAN, receiver.step(), {"slug": "dedupe-records"})
    accepted = await member.submit(org.first.id, blueprint_id, companies(3))
    run = await member.finished(accepted["pipeline_run"]["id"])

    assert run["status"] == "failed"
    error = run["error"]
    assert (error["code"], error["position"], error["slug"]) == ("webhook_rejected", 2, "deliver-webhook")
    assert run["steps"][1]["error"]["code"] == "webhook_rejected"
    assert statuses(run) == ["succeeded", "failed", "skipped"]
    assert [delivery.status for delivery in receiver.deliveries] == [400]

    kept = await member.step_records(run["steps"][0]["id"])
    assert [record["data"]["name"] for record in kept] == ["Company 1", "Company 2", "Company 3"]
    answer = await member.refusal("pipeline-runs/export", {"pipeline_run_id": run["id"], "format": "csv"})
    assert answer == (409, "pipeline_run_not_succeeded")


async def test_the_same_idempotency_key_makes_one_submission_one_run_and_one_execution(
    member: Product, admin: Product, org: Org, receiver: Receiver, trigger: TriggerApi
) -> None:
    blueprint_id = await admin.blueprint(receiver.step())
    key = uuid4().hex

    async def submit() -> tuple[str, str]:
        accepted = await member.submit(org.first.id, blueprint_id, companies(2), idempotency_key=key)
        return accepted["submission"]["id"], accepted["pipeline_run"]["id"]

    at_once = await asyncio.gather(submit(), submit())
    submission_id, run_id = await submit()
    assert set(at_once) == {(submission_id, run_id)}
    await member.succeeded(run_id)
    assert await submit() == (submission_id, run_id)

    assert [item["id"] for item in await member.every("submissions/list", {})] == [submission_id]
    assert [item["id"] for item in await member.every("pipeline-runs/list", {})] == [run_id]
    executions = [run["taskIdentifier"] for run in await trigger.runs_of(run_id)]
    assert executions == ["run-pipeline", "deliver-webhook"]
    assert receiver.delivered_ids(run_id) == ["1", "2"]
