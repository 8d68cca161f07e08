"""Uploads: submissions that arrive chunk by chunk, with the rows that were rejected on the way."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.support.pipeline import Json, chunks_of, create_blueprint, records, verdict
from tests.support.sql_client import Client, Connection, denied, refused, signed_in, violates
from tests.support.tenants import Company, Org, Tenants


@pytest.fixture
def upload(member: Client, company: Company, blueprint_id: str) -> str:
    """The id of a submission that is receiving chunks."""
    opened = member.call(
        "open_submission", company_id=company.id, blueprint_id=blueprint_id, source="csv", name="Leads"
    )
    assert (opened["replayed"], opened["pipeline_run"]) == (False, None)
    return str(opened["submission"]["id"])


def append(client: Client, upload: str, index: int, given: Any, rejected: Any = None) -> Json:  # noqa: ANN401
    answer: Json = client.call(
        "append_submission_chunk",
        submission_id=upload,
        chunk_index=index,
        records=given,
        rejected=[] if rejected is None else rejected,
    )
    return answer


def test_chunks_come_in_order_and_finalizing_starts_the_first_run(
    member: Client, postgres: Client, upload: str
) -> None:
    assert append(member, upload, 0, records(1, 3)) == {"chunk_index": 0}
    append(member, upload, 1, [], [verdict(4, "malformed_row", details={"line": 5})])
    append(member, upload, 2, records(7), [verdict(2, "invalid_json", data={"raw": 1})])
    assert chunks_of(postgres, upload) == [(0, 2, 3), (1, 0, 3), (2, 1, 7)]
    finished = member.call("finalize_submission", submission_id=upload, fields=["b", "a"])
    submission, run = finished["submission"], finished["pipeline_run"]
    assert (submission["status"], submission["fields"]) == ("received", ["b", "a"])
    assert (submission["record_count"], submission["rejected_count"], submission["chunk_count"]) == (
        3,
        2,
        3,
    )
    assert submission["received_at"]
    assert (run["run_number"], run["record_count"], run["chunk_count"]) == (1, 3, 3)
    rejected = member.call("list_pipeline_run_records", pipeline_run_id=run["id"], kind="rejected")["items"]
    assert rejected == [
        {**verdict(4, "malformed_row", details={"line": 5}), "data": None, "position": 0, "slug": None},
        {**verdict(2, "invalid_json", details={}), "data": {"raw": 1}, "position": 0, "slug": None},
    ]


def test_a_chunk_out_of_order_is_a_conflict_that_names_the_next(member: Client, upload: str) -> None:
    for index in (1, 7):
        with refused(409, "conflict", {"next_chunk_index": 0}):
            append(member, upload, index, records(1))


@pytest.mark.parametrize("rows", [(2, 2), (2, 1), (1,), (5, 3)])
def test_row_numbers_increase_within_and_between_chunks(
    member: Client, upload: str, rows: tuple[int, ...]
) -> None:
    append(member, upload, 0, records(1))
    with refused(422, "invalid_records"):
        append(member, upload, 1, records(*rows))


@pytest.mark.parametrize(
    "given",
    [None, {}, records("1.1"), records("0"), [{"id": 1, "data": {}}], [{"id": "1", "data": "x"}]],
    ids=str,
)
def test_a_submitted_record_is_a_row_with_an_object(member: Client, upload: str, given: object) -> None:
    with refused(422, "invalid_records"):
        append(member, upload, 0, Jsonb(given))


@pytest.mark.parametrize("rejected", [{}, ["text"], [{"id": "1"}], [verdict(1, "Not A Code")]], ids=str)
def test_a_reject_says_which_row_and_why(member: Client, upload: str, rejected: Any) -> None:  # noqa: ANN401
    with refused(422, "invalid_records"):
        append(member, upload, 0, [], rejected)


def test_a_row_is_rejected_once(member: Client, upload: str) -> None:
    append(member, upload, 0, [], [verdict(1)])
    with violates(errors.UniqueViolation):
        append(member, upload, 1, [], [verdict(1)])


def test_a_repeated_chunk_changes_nothing(member: Client, postgres: Client, upload: str) -> None:
    rejects = [verdict(3, details={"line": 4}), verdict(2, data={"a": 1})]
    append(member, upload, 0, records(1), rejects)
    append(member, upload, 1, records(4))
    assert append(member, upload, 0, records(1), rejects) == {"chunk_index": 0}
    assert append(member, upload, 0, records(1), rejects[::-1]) == {"chunk_index": 0}
    now = member.call("get_submission", submission_id=upload)
    assert (now["record_count"], now["rejected_count"], now["chunk_count"]) == (2, 2, 2)


@pytest.mark.parametrize(
    ("given", "rejected"),
    [
        (records(2), [verdict(3)]),
        (records(1), []),
        (records(1), [verdict(3, "other")]),
        (records(1), [verdict(3), verdict(4)]),
        ([], [verdict(3)]),
    ],
    ids=str,
)
def test_other_content_for_a_written_chunk_is_a_conflict(
    member: Client, upload: str, given: list[Json], rejected: list[Json]
) -> None:
    append(member, upload, 0, records(1), [verdict(3)])
    with refused(409, "chunk_conflict"):
        append(member, upload, 0, given, rejected)


def test_a_chunk_holds_at_most_a_thousand_records_and_four_megabytes(member: Client, upload: str) -> None:
    with refused(413, "chunk_too_large"):
        append(member, upload, 0, records(*range(1, 1002)))
    with refused(413, "chunk_too_large"):
        append(member, upload, 0, [{"id": "1", "data": {"text": "x" * 4_194_304}}])
    append(member, upload, 0, records(*range(1, 1001)))


def test_an_upload_without_a_record_is_empty(member: Client, upload: str) -> None:
    append(member, upload, 0, [], [verdict(1)])
    with refused(422, "submission_empty", {"rejected_count": 1}):
        member.call("finalize_submission", submission_id=upload)


def test_a_received_submission_takes_nothing_more(member: Client, postgres: Client, upload: str) -> None:
    append(member, upload, 0, records(1))
    member.call("finalize_submission", submission_id=upload)
    with refused(409, "submission_not_receiving"):
        append(member, upload, 1, records(2))
    with refused(409, "submission_not_receiving"):
        member.call("finalize_submission", submission_id=upload)
    for client in (member, postgres):
        with refused(409, "submission_not_receiving"):
            client.change(
                "insert into public.submission_chunks (submission_id, chunk_index, records) "
                "values (%(id)s, 1, '[]')",
                {"id": upload},
            )
        with refused(409, "submission_not_receiving"):
            client.change(
                "insert into public.rejected_records "
                "(submission_id, chunk_index, record_id, reason, message) "
                "values (%(id)s, 1, '9', 'late', 'Late.')",
                {"id": upload},
            )
        with refused(409, "immutable"):
            client.change("update public.submissions set fields = '{x}' where id = %(id)s", {"id": upload})


def test_an_upload_cannot_run_before_it_is_received(member: Client, upload: str) -> None:
    with refused(409, "submission_receiving"):
        member.call("create_pipeline_run", submission_id=upload)


def test_another_member_may_not_write_to_an_upload_but_admins_may(
    connection: Connection, org: Org, company: Company, upload: str
) -> None:
    other = signed_in(connection, company.other_member)
    assert other.call("get_submission", submission_id=upload)["status"] == "receiving"
    with refused(403, "forbidden"):
        append(other, upload, 0, records(1))
    with refused(403, "forbidden"):
        other.call("finalize_submission", submission_id=upload)
    for table, columns, values in (
        ("submission_chunks", "submission_id, chunk_index, records", "%(id)s, 0, '[]'"),
        (
            "rejected_records",
            "submission_id, chunk_index, record_id, reason, message",
            "%(id)s, 0, '1', 'a', 'b'",
        ),
    ):
        with refused(403, "forbidden"):
            other.change(f"insert into public.{table} ({columns}) values ({values})", {"id": upload})
    assert other.change("update public.submissions set fields = '{x}'") == 0
    append(signed_in(connection, company.company_admin), upload, 0, records(1))
    append(signed_in(connection, org.admin), upload, 1, records(2))


@pytest.mark.parametrize(
    "change",
    ["record_count = 9", "rejected_count = 9", "chunk_count = 9", "received_at = now()", "name = 'other'",
     "company_id = company_id", "blueprint_id = blueprint_id", "created_by = created_by"],
)  # fmt: skip
def test_a_client_writes_no_count_and_no_origin(
    connection: Connection, org: Org, upload: str, change: str
) -> None:
    with denied():
        signed_in(connection, org.admin).change(f"update public.submissions set {change}")


def test_a_client_cannot_expire_a_submission(member: Client, upload: str) -> None:
    with denied():
        member.change("update public.submissions set status = 'expired'")


def test_nobody_moves_a_submission(postgres: Client, upload: str) -> None:
    for change in (
        "company_id = gen_random_uuid()",
        "blueprint_id = gen_random_uuid()",
        "source = 'json'",
    ):
        with refused(409, "immutable"):
            postgres.change(f"update public.submissions set {change} where id = %(id)s", {"id": upload})


def test_a_submission_received_past_the_rpc_can_still_run(member: Client, upload: str) -> None:
    with refused(422, "submission_empty"):
        member.change("update public.submissions set status = 'received'")
    append(member, upload, 0, records(1))
    assert member.change("update public.submissions set status = 'received'") == 1
    assert member.call("create_pipeline_run", submission_id=upload)["run_number"] == 1


def test_a_submission_past_the_rpc_belongs_to_its_creator_and_is_receiving(
    connection: Connection, tenants: Tenants, blueprint_id: str
) -> None:
    member = signed_in(connection, tenants.org.first.member)
    insert = """
        insert into public.submissions (company_id, blueprint_id, source)
        values (%(company)s, %(blueprint)s, 'json')
        returning created_by::text, status::text
    """
    (made,) = member.rows(insert, {"company": tenants.org.first.id, "blueprint": blueprint_id})
    assert made == {"created_by": tenants.org.first.member.id, "status": "receiving"}
    for company in (tenants.org.second, tenants.other.first):
        with denied():
            member.rows(insert, {"company": company.id, "blueprint": blueprint_id})
    foreign = create_blueprint(signed_in(connection, tenants.other.admin))
    with violates(errors.ForeignKeyViolation):
        member.rows(insert, {"company": tenants.org.first.id, "blueprint": foreign["id"]})
    with denied():
        member.change("insert into public.submissions (company_id, created_by) values (null, null)")
