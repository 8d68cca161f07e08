"""Submissions that arrive whole: raw records become chunks and a first run."""

from __future__ import annotations

from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from tests.support.pipeline import chunks_of, create_blueprint, submit
from tests.support.sql_client import Client, Connection, refused, signed_in
from tests.support.tenants import Company, Org, Tenants


def test_records_are_numbered_from_one_in_chunks_of_a_thousand(
    member: Client, postgres: Client, company: Company, blueprint_id: str
) -> None:
    submitted = submit(member, company.id, blueprint_id, 2001, name="Leads", fields=["name"])
    submission, run = submitted["submission"], submitted["pipeline_run"]
    assert chunks_of(postgres, submission["id"]) == [(0, 1000, 1000), (1, 1000, 2000), (2, 1, 2001)]
    assert (submission["status"], submission["source"], submission["name"]) == (
        "received",
        "json",
        "Leads",
    )
    assert (submission["record_count"], submission["chunk_count"], submission["rejected_count"]) == (
        2001,
        3,
        0,
    )
    assert (submission["fields"], submission["created_by"]) == (["name"], company.member.id)
    assert (run["record_count"], run["chunk_count"], run["status"]) == (2001, 3, "queued")
    first = member.call("list_pipeline_run_records", pipeline_run_id=run["id"], kind="input", limit=1)
    assert first["items"] == [{"id": "1", "data": {"name": "Company 1"}}]


def test_chunks_stay_near_a_megabyte(
    member: Client, postgres: Client, company: Company, blueprint_id: str
) -> None:
    given = [{"text": "x" * 400_000}] * 5
    submitted = member.call(
        "create_submission", company_id=company.id, blueprint_id=blueprint_id, records=given
    )
    counts = [count for _, count, _ in chunks_of(postgres, submitted["submission"]["id"])]
    assert counts == [2, 2, 1]


@pytest.mark.parametrize("given", [[], {}, "text", None, [{"a": 1}, "text"], [[1]], [None]], ids=str)
def test_records_must_be_objects_and_at_least_one(
    member: Client, company: Company, blueprint_id: str, given: object
) -> None:
    with refused(422, "invalid_records"):
        member.call(
            "create_submission", company_id=company.id, blueprint_id=blueprint_id, records=Jsonb(given)
        )


def test_a_record_of_more_than_a_megabyte_is_too_large(
    member: Client, company: Company, blueprint_id: str
) -> None:
    with refused(413, "record_too_large", {"row": 2}):
        member.call(
            "create_submission",
            company_id=company.id,
            blueprint_id=blueprint_id,
            records=[{"text": "short"}, {"text": "x" * 1_048_576}],
        )


@pytest.mark.parametrize(
    "value",
    [
        "9007199254740993",
        "-9007199254740993",
        "9007199254740993.0",
        "9007199254740992.5",
        "12345678901234567890",
        "1e400",
        "-1e400",
        "1e-400",
        '[1, "2", [{"x": 9007199254740993}]]',
        '{"deep": [-12345678901234567890]}',
    ],
)
def test_a_number_that_the_worker_would_change_is_refused_by_row(
    member: Client, company: Company, blueprint_id: str, value: str
) -> None:
    # The JSON is text: Python would make 1e400 infinite and 9007199254740993.0 a double.
    rest = "".join(f', {{"crm_id": {row}}}' for row in range(1500))
    with refused(422, "invalid_records", {"row": 1502, "field": "crm_id"}):
        member.value(
            "select public.create_submission(%(company)s, %(blueprint)s, %(records)s::jsonb)",
            {
                "company": company.id,
                "blueprint": blueprint_id,
                "records": f'[{{"a": 1}}{rest}, {{"b": [0.5], "crm_id": {value}, "d": 9007199254740993}}]',
            },
        )


@pytest.mark.parametrize(
    "value",
    [
        "9007199254740991",
        "-9007199254740991",
        '"9007199254740993"',
        '{"9007199254740993": [" 9007199254740993", "-1e400"]}',
        "1e20",
        "-6.02214076e23",
        "1.0194956932231921e+18",
        # JavaScript and Python write these doubles with fewer digits than Postgres.
        "1.019495693223192e+18",
        "5.4e+22",
        "1.7976931348623157e308",
        "5e-324",
        "0.1234567890123456789012345678901234567890",
        "0.0",
    ],
)
def test_a_number_that_a_double_holds_passes(
    member: Client, company: Company, blueprint_id: str, value: str
) -> None:
    created = member.value(
        "select public.create_submission(%(company)s, %(blueprint)s, %(records)s::jsonb)",
        {"company": company.id, "blueprint": blueprint_id, "records": f'[{{"a": {value}, "b": [{value}]}}]'},
    )
    assert created["submission"]["record_count"] == 1


def test_a_chunk_of_an_upload_is_held_to_the_same_numbers(
    member: Client, company: Company, blueprint_id: str
) -> None:
    opened = member.call("open_submission", company_id=company.id, blueprint_id=blueprint_id, source="ndjson")
    upload = opened["submission"]["id"]
    given = [{"id": "7", "data": {"a": 1}}, {"id": "9", "data": {"crm_id": 2**53 + 1}}]
    with refused(422, "invalid_records", {"row": 9, "field": "crm_id"}):
        member.call("append_submission_chunk", submission_id=upload, chunk_index=0, records=given)
    given[1]["data"] = {"crm_id": 2**53}
    member.call("append_submission_chunk", submission_id=upload, chunk_index=0, records=given)


def test_more_than_ten_thousand_records_are_too_many(
    member: Client, company: Company, blueprint_id: str
) -> None:
    with refused(413, "payload_too_large"):
        submit(member, company.id, blueprint_id, 10_001)


def test_nothing_is_left_of_a_refused_submission(
    member: Client, postgres: Client, company: Company, blueprint_id: str
) -> None:
    with refused(422, "invalid_records"):
        member.call(
            "create_submission",
            company_id=company.id,
            blueprint_id=blueprint_id,
            records=[*[{"a": 1}] * 1500, "text"],
            idempotency_key="key",
        )
    assert (
        postgres.value(
            "select count(*) from public.submissions where company_id = %(id)s", {"id": company.id}
        )
        == 0
    )
    submit(member, company.id, blueprint_id, idempotency_key="key")


def test_a_foreign_company_or_blueprint_does_not_exist(
    connection: Connection, tenants: Tenants, blueprint_id: str
) -> None:
    member = signed_in(connection, tenants.org.first.member)
    for company in (tenants.org.second, tenants.other.first):
        with refused(404, "company_not_found"):
            submit(member, company.id, blueprint_id)
    foreign = create_blueprint(signed_in(connection, tenants.other.admin))
    for blueprint in (foreign["id"], str(uuid4())):
        with refused(404, "blueprint_not_found"):
            submit(member, tenants.org.first.id, blueprint)


def test_every_role_submits_for_its_company(connection: Connection, org: Org, blueprint_id: str) -> None:
    for user in (org.admin, org.first.company_admin, org.first.member):
        submitted = submit(signed_in(connection, user), org.first.id, blueprint_id)
        assert submitted["submission"]["created_by"] == user.id
