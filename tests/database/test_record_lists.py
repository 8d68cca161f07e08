"""Results: the records of a run that clients can read, and from when on."""

from __future__ import annotations

import pytest

from tests.support.pipeline import INLINE, Json, Run, create_blueprint, create_run, records, verdict
from tests.support.sql_client import Client, Connection, refused, signed_in
from tests.support.tenants import Company, Org


@pytest.fixture
def run(worker: Client, org: Org, company: Company) -> Run:
    """A run on records 1, 2, 3. Its first step has rejected 2 and dropped 3; its second is not done yet."""
    run = create_run(worker, org, company, {"slug": INLINE}, {"slug": INLINE})
    run.take()
    run.start(1)
    run.write(1, records(1), rejected=[verdict(2, details={"field": "name"})], dropped=[verdict(3)])
    run.on_step("finish_step", 1)
    return run


def of_step(client: Client, run: Run, position: int, kind: str) -> list[Json]:
    items: list[Json] = client.call(
        "list_step_result_records", step_result_id=run.step_id(position), kind=kind
    )["items"]
    return items


def test_a_step_shows_its_input_output_rejected_and_dropped_records(run: Run, member: Client) -> None:
    place = {"position": 1, "slug": INLINE}
    assert of_step(member, run, 1, "input") == records(1, 2, 3)
    assert of_step(member, run, 1, "output") == records(1)
    assert of_step(member, run, 1, "rejected") == [
        verdict(2, details={"field": "name"}, data={"name": "Company 2"}) | place
    ]
    assert of_step(member, run, 1, "dropped") == [verdict(3, data={"name": "Company 3"}) | place]
    assert of_step(member, run, 2, "input") == records(1)
    assert of_step(member, run, 2, "output") == []


def test_a_run_has_no_output_before_it_has_succeeded(run: Run, member: Client) -> None:
    with refused(409, "pipeline_run_not_succeeded", {"status": "running"}):
        member.call("list_pipeline_run_records", pipeline_run_id=run.id)
    run.start(2)
    run.write(2, [{"id": "1", "data": {"name": "A", "domain": "a.example"}}])
    run.on_step("finish_step", 2)
    run.on_run("finish_pipeline_run")
    output = member.call("list_pipeline_run_records", pipeline_run_id=run.id)["items"]
    assert output == [{"id": "1", "data": {"name": "A", "domain": "a.example"}}]


def test_a_failed_run_still_shows_its_rejected_and_dropped_records(run: Run, member: Client) -> None:
    run.on_step("fail_step", 2, error={"code": "broken", "message": "It broke."})
    for kind, ids in (("input", ["1", "2", "3"]), ("rejected", ["2"]), ("dropped", ["3"])):
        items = member.call("list_pipeline_run_records", pipeline_run_id=run.id, kind=kind)["items"]
        assert [item["id"] for item in items] == ids


def test_the_rejects_of_one_run_are_not_those_of_another(run: Run, member: Client) -> None:
    again = member.call("create_pipeline_run", submission_id=run.submission["id"])
    rejected = member.call("list_pipeline_run_records", pipeline_run_id=again["id"], kind="rejected")
    assert rejected["items"] == []


def test_rows_that_were_rejected_at_ingestion_belong_to_every_run(
    connection: Connection, worker: Client, org: Org, company: Company, member: Client
) -> None:
    blueprint = create_blueprint(signed_in(connection, org.admin))
    upload = member.call(
        "open_submission", company_id=company.id, blueprint_id=blueprint["id"], source="ndjson"
    )["submission"]["id"]  # fmt: skip
    member.call(
        "append_submission_chunk",
        submission_id=upload,
        chunk_index=0,
        records=records(1),
        rejected=[verdict(2, "invalid_json")],
    )
    first = member.call("finalize_submission", submission_id=upload)["pipeline_run"]
    second = member.call("create_pipeline_run", submission_id=upload)
    for run_id in (first["id"], second["id"]):
        (rejected,) = member.call("list_pipeline_run_records", pipeline_run_id=run_id, kind="rejected")[
            "items"
        ]
        assert (rejected["id"], rejected["position"], rejected["slug"]) == ("2", 0, None)


def test_fields_keep_the_order_of_the_source_and_new_ones_follow(
    connection: Connection, worker: Client, org: Org, company: Company, member: Client
) -> None:
    blueprint = create_blueprint(signed_in(connection, org.admin), {"slug": INLINE})
    submitted = member.call(
        "create_submission",
        company_id=company.id,
        blueprint_id=blueprint["id"],
        records=[{"zip": 1, "name": "A", "gone": 1}],
        fields=["zip", "name", "gone"],
    )
    run = Run(worker, submitted["pipeline_run"], submitted["submission"])
    run.take()
    run.start(1)
    run.write(1, [{"id": "1", "data": {"name": "A", "zip": 1, "domain": "a", "city": "b"}}])
    run.on_step("finish_step", 1)
    run.on_run("finish_pipeline_run")
    fields = member.call("list_pipeline_run_fields", pipeline_run_id=run.id)
    assert fields == {"fields": ["zip", "name", "city", "domain"]}
