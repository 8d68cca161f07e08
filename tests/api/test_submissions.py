"""Submissions of JSON and of files, repeated submissions, and submissions while Trigger.dev is down."""

from __future__ import annotations

import datetime
import gzip
import json
import threading
from typing import Any
from uuid import uuid4

import pytest

from tests.api.caller import Caller, Json, refusal
from tests.api.conftest import TRIGGER_PATH
from tests.support.loopback import Answer, Loopback
from tests.support.tenants import Org
from tests.support.workbooks import workbook


@pytest.fixture
def form(org: Org, admin: Caller) -> Json:
    return {"company_id": org.first.id, "blueprint_id": admin.blueprint()}


def input_records(caller: Caller, run: Json) -> list[Json]:
    body = {"pipeline_run_id": run["id"], "kind": "input", "limit": 1000}
    return [record for page in caller.pages("pipeline-runs/records", body) for record in page]


def test_records_are_submitted_and_their_run_is_dispatched(
    org: Org, member: Caller, form: Json, trigger: Loopback
) -> None:
    records = [{"b": "x", "a": {"nested": [1, None]}}, {"c": 3.5, "b": "ü"}]
    created = member.data("submissions/create", form | {"name": "import", "records": records})
    submission, run = created["submission"], created["pipeline_run"]
    assert created["dispatched"] is True
    assert (run["status"], run["trigger_run_id"], run["run_number"]) == ("queued", "run_abc123", 1)
    assert (submission["status"], submission["source"], submission["record_count"]) == ("received", "json", 2)
    assert submission["fields"] == ["b", "a", "c"]
    assert submission["created_by"] == org.first.member.id
    assert input_records(member, run) == [
        {"id": str(number), "data": data} for number, data in enumerate(records, 1)
    ]
    assert member.data("submissions/get", {"submission_id": submission["id"]}) == submission
    assert [column["filled"] for column in submission["columns"]] == [2, 1, 1]
    assert submission["read_as"] is None
    listed = submission | {"columns": None}
    assert listed in member.data("submissions/list", {"company_id": org.first.id})


def test_trigger_being_down_leaves_the_run_queued_and_undispatched(
    member: Caller, form: Json, trigger: Loopback
) -> None:
    trigger.routes[TRIGGER_PATH] = lambda _: Answer(503, b"")
    answer = member.post("submissions/create", form | {"records": [{"a": 1}]})
    assert answer.status_code == 202
    created = answer.json()["data"]
    assert created["dispatched"] is False
    run = member.data("pipeline-runs/get", {"pipeline_run_id": created["pipeline_run"]["id"]})
    assert (run["status"], run["dispatched"], run["trigger_run_id"]) == ("queued", False, None)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], (422, "invalid_request")),
        (["text"], (422, "invalid_request")),
        ([{"a": 1}, None], (422, "invalid_request")),
        ([{"a": "nul \x00"}], (422, "invalid_request")),
        ([{}] * 10_001, (422, "invalid_request")),
        ([{"a": "x" * 1_100_000}], (413, "record_too_large")),
    ],
    ids=lambda value: str(value)[:20],
)
def test_records_that_cannot_be_taken_are_refused(
    member: Caller, form: Json, records: list[Any], expected: tuple[int, str]
) -> None:
    assert member.refusal("submissions/create", form | {"records": records}) == expected
    assert member.data("submissions/list") == []


def test_a_body_over_ten_megabytes_is_refused(member: Caller, form: Json) -> None:
    records = [{"a": "x" * 1_000_000}] * 11
    assert member.refusal("submissions/create", form | {"records": records}) == (413, "payload_too_large")


def test_ten_thousand_records_are_taken_at_once(member: Caller, form: Json) -> None:
    created = member.submit(form["company_id"], form["blueprint_id"], 10_000)
    assert created["submission"]["chunk_count"] == 10
    assert created["submission"]["record_count"] == 10_000


# Uploads -----------------------------------------------------------------------------------------------

CSV = 'Name;City\nMüller;Köln\nwith;too;many\n;\nJürgen;"a;b"\n'
CSV_RECORDS = [
    {"id": "1", "data": {"Name": "Müller", "City": "Köln"}},
    {"id": "3", "data": {"Name": "", "City": ""}},
    {"id": "4", "data": {"Name": "Jürgen", "City": "a;b"}},
]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (CSV.encode(), "a.csv"),
        (CSV.encode("utf-8-sig"), "a.csv"),
        (CSV.encode("utf-16"), "a.csv"),
        (CSV.encode("cp1252"), "a.csv"),
        (CSV.replace("\n", "\r\n").encode("cp1252"), "a.txt"),
        (gzip.compress(CSV.encode("cp1252"), mtime=0), "a.csv.gz"),
    ],
    ids=["utf-8", "byte order mark", "utf-16", "windows-1252", "windows line ends", "gzip"],
)
def test_csv_is_taken_in_every_encoding(
    member: Caller, form: Json, trigger: Loopback, content: bytes, name: str
) -> None:
    answer = member.upload(form | {"name": "import"}, content, name)
    assert answer.status_code == 202, answer.text
    created = answer.json()["data"]
    submission, run = created["submission"], created["pipeline_run"]
    assert created["dispatched"] is True
    assert len(trigger.requests) == 1
    assert (submission["source"], submission["status"], submission["name"]) == ("csv", "received", "import")
    assert (submission["record_count"], submission["rejected_count"]) == (3, 1)
    assert submission["fields"] == ["Name", "City"]
    assert input_records(member, run) == CSV_RECORDS
    (rejected,) = member.data("pipeline-runs/records", {"pipeline_run_id": run["id"], "kind": "rejected"})
    assert rejected == {
        "id": "2",
        "reason": "too_many_fields",
        "message": rejected["message"],
        "details": {"line": 3, "expected_fields": 2, "found_fields": 3},
        "data": {"raw": "with;too;many"},
        "position": 0,
        "slug": None,
    }


def test_a_submission_tells_how_its_file_was_read(member: Caller, form: Json) -> None:
    content = "Kundenliste\n\nFirma;Miasto\nŻABKA GDAŃSK;Gdańsk\nŚwieży Świat;Kraków;\nZakłady Mięsne\n"
    answer = member.upload(form, content.encode("cp1250"), "klienci.csv")
    assert answer.status_code == 202, answer.text
    submission = answer.json()["data"]["submission"]
    assert submission["name"] == "klienci.csv"
    assert submission["columns"] == [
        {"name": "Firma", "filled": 3, "capitals": 1, "lower_case": 0, "numeric": 0, "field": None},
        {"name": "Miasto", "filled": 2, "capitals": 0, "lower_case": 0, "numeric": 0, "field": None},
    ]
    assert submission["read_as"] == submission["read_as"] | {
        "format": "csv",
        "encoding": "cp1250",
        "encoding_source": "detected",
        "delimiter": ";",
        "skipped_lines": 2,
        "header": "file",
        "notes": {"cut_rows": 1, "padded_rows": 1},
    }
    assert submission["read_as"]["encoding_confidence"] > 0.8
    assert member.data("submissions/get", {"submission_id": submission["id"]}) == submission


def test_a_workbook_is_taken_with_options_of_the_form(member: Caller, form: Json) -> None:
    content = workbook(Titel=[["x"]], Kunden=[["Acme", datetime.date(2024, 2, 29)], ["Beta", 1.0]])
    options = {"sheet": "Kunden", "header": "Firma,Seit", "warn_rejected_share": "0.5"}
    created = member.upload(form | options, content, "kunden.xlsx").json()["data"]
    assert created["submission"]["source"] == "xlsx"
    assert created["submission"]["read_as"]["sheet"] == "Kunden"
    assert created["submission"]["warn_rejected_share"] == 0.5
    assert input_records(member, created["pipeline_run"]) == [
        {"id": "1", "data": {"Firma": "Acme", "Seit": "2024-02-29"}},
        {"id": "2", "data": {"Firma": "Beta", "Seit": "1"}},
    ]


def test_records_nested_too_deeply_are_refused_before_they_are_stored(member: Caller, form: Json) -> None:
    deep: Any = 1
    for _ in range(150):
        deep = [deep]
    refused = member.post("submissions/create", form | {"records": [{"a": 1}, {"a": deep}]})
    assert refusal(refused) == (422, "invalid_request")
    lines = json.dumps({"a": deep}) + '\n{"a": 1}\n'
    created = member.upload(form, lines.encode(), "a.ndjson").json()["data"]
    assert (created["submission"]["record_count"], created["submission"]["rejected_count"]) == (1, 1)
    (row,) = member.data(
        "pipeline-runs/records", {"pipeline_run_id": created["pipeline_run"]["id"], "kind": "rejected"}
    )
    assert (row["reason"], row["data"]["raw"]) == ("nested_too_deeply", json.dumps({"a": deep}))


def test_a_field_without_a_name_has_no_profile(member: Caller, form: Json) -> None:
    records = [{"": 1, "a": "x", "n" * 300: 2}]
    created = member.data("submissions/create", form | {"records": records})
    assert [column["name"] for column in created["submission"]["columns"]] == ["a"]


@pytest.mark.parametrize("compressed", [False, True])
def test_ndjson_is_taken_over_several_chunks(member: Caller, form: Json, compressed: bool) -> None:
    lines = [json.dumps({"n": number, "z": None}) for number in range(1, 2501)]
    lines[1000] = "not json"
    content = "\n".join(lines).encode()
    name = "a.ndjson.gz" if compressed else "a.ndjson"
    answer = member.upload(form, gzip.compress(content) if compressed else content, name)
    created = answer.json()["data"]
    submission = created["submission"]
    assert (submission["chunk_count"], submission["record_count"]) == (3, 2499)
    assert submission["fields"] == ["n", "z"]
    ids = [record["id"] for record in input_records(member, created["pipeline_run"])]
    assert ids == [str(number) for number in range(1, 2501) if number != 1001]


def test_rows_of_a_megabyte_are_a_chunk_each(member: Caller, form: Json) -> None:
    answer = member.upload(form, "a\n{0}\n{0}\n".format("ä" * 450_000).encode())
    assert answer.json()["data"]["submission"]["chunk_count"] == 2


def test_files_without_a_record_leave_no_submission(member: Caller, form: Json) -> None:
    assert refusal(member.upload(form, b"")) == (422, "unreadable_file")
    assert refusal(member.upload(form, b"a,b\n")) == (422, "submission_empty")
    assert refusal(member.upload(form, b"a,b\n1,2,3\n")) == (422, "unreadable_file")
    assert refusal(member.upload(form, b"PK\x03\x04")) == (422, "unreadable_file")
    assert refusal(member.upload(form, bytes(range(1, 256)) * 9)) == (422, "undecodable_file")
    assert member.data("submissions/list") == []


def test_files_over_the_limit_are_refused(member: Caller, form: Json) -> None:
    large = b"a\n" + b"x" * 2_100_000
    assert refusal(member.upload(form, large)) == (413, "payload_too_large")
    assert refusal(member.upload(form, gzip.compress(large), "a.csv.gz")) == (413, "payload_too_large")
    assert member.data("submissions/list") == []


# Idempotency -------------------------------------------------------------------------------------------


def test_repeated_submit_returns_the_first_and_another_body_is_a_conflict(
    member: Caller, form: Json, trigger: Loopback
) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    body = form | {"records": [{"a": 1}]}
    first, again = (member.data("submissions/create", body, key) for _ in range(2))
    assert first["submission"]["id"] == again["submission"]["id"]
    assert first["pipeline_run"]["id"] == again["pipeline_run"]["id"]
    assert again["dispatched"] is True
    assert len(trigger.requests) == 1
    other = form | {"records": [{"a": 2}]}
    assert member.refusal("submissions/create", other, key) == (409, "idempotency_key_reused")
    assert len(member.data("submissions/list")) == 1


def test_repeated_submit_dispatches_what_could_not_be_dispatched_before(
    member: Caller, form: Json, trigger: Loopback
) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    takes = trigger.routes[TRIGGER_PATH]
    trigger.routes[TRIGGER_PATH] = lambda _: Answer(500, b"")
    assert member.data("submissions/create", form | {"records": [{"a": 1}]}, key)["dispatched"] is False
    trigger.routes[TRIGGER_PATH] = takes
    assert member.data("submissions/create", form | {"records": [{"a": 1}]}, key)["dispatched"] is True


def test_repeated_upload_returns_the_first_and_another_file_is_a_conflict(
    member: Caller, form: Json, trigger: Loopback
) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    first = member.upload(form, b"a\n1\n", headers=key).json()["data"]
    again = member.upload(form, gzip.compress(b"a\n1\n"), headers=key).json()["data"]
    assert first["submission"] == again["submission"]
    assert first["pipeline_run"]["id"] == again["pipeline_run"]["id"]
    assert len(trigger.requests) == 1
    assert refusal(member.upload(form, b"a\n2\n", headers=key)) == (409, "idempotency_key_reused")


def test_keys_of_two_users_do_not_meet(org: Org, member: Caller, admin: Caller, form: Json) -> None:
    key = {"Idempotency-Key": "the same"}
    body = form | {"records": [{"a": 1}]}
    ids = {caller.data("submissions/create", body, key)["submission"]["id"] for caller in (member, admin)}
    assert len(ids) == 2


def test_submits_with_one_key_at_the_same_time_make_one_submission(member: Caller, form: Json) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    ids: list[str] = []

    def submit() -> None:
        created = member.data("submissions/create", form | {"records": [{"a": 1}]}, key)
        ids.append(created["submission"]["id"])

    threads = [threading.Thread(target=submit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 6
    assert len(set(ids)) == 1


def test_other_creating_calls_can_be_repeated_too(admin: Caller, form: Json) -> None:
    submission_id = admin.submit(form["company_id"], form["blueprint_id"])["submission"]["id"]
    steps = [{"slug": "testing-probe", "config": {"note": "a"}}]
    creating: list[tuple[str, Json, Json]] = [
        ("companies/create", {"name": "x"}, {"name": "y"}),
        ("blueprints/create", {"name": f"b {uuid4()}", "steps": steps}, {"name": "c", "steps": steps}),
        ("pipeline-runs/create", {"submission_id": submission_id}, {"submission_id": str(uuid4())}),
    ]
    for path, body, other in creating:
        key = {"Idempotency-Key": str(uuid4())}
        first, again = (admin.data(path, body, key) for _ in range(2))
        assert first.get("pipeline_run", first)["id"] == again.get("pipeline_run", again)["id"]
        assert admin.refusal(path, other, key) == (409, "idempotency_key_reused")
