"""Uploads over HTTP: which RPCs are called, in which order, and which failures stop them."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.loopback import Answer, Loopback, Request, rpc_error
from tests.unit.conftest import pipeline_run, submission

FORM = {
    "company_id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10",
    "blueprint_id": "0d3e2b6e-3b1f-4a7d-9b57-2c0f5a6f1e21",
}


NO_HEADERS: Mapping[str, str] = {}


@pytest.fixture
def opened(data_api: Loopback) -> dict[str, Any]:
    """Answers the RPCs of an upload; returns the submission."""
    run, receiving = pipeline_run(), submission(status="receiving", received_at=None)
    data_api.rpc(
        "open_submission", Answer(200, {"submission": receiving, "replayed": False, "pipeline_run": None})
    )
    data_api.rpc(
        "append_submission_chunk", lambda request: Answer(200, {"chunk_index": request.body["p_chunk_index"]})
    )
    received = receiving | {"status": "received"}
    data_api.rpc("finalize_submission", Answer(200, {"submission": received, "pipeline_run": run}))
    data_api.rpc("mark_pipeline_run_dispatched", Answer(200, run | {"dispatched": True}))
    return receiving


def upload(
    client: TestClient,
    content: bytes,
    name: str = "a.csv",
    content_type: str = "",
    headers: Mapping[str, str] = NO_HEADERS,
    **form: Any,  # noqa: ANN401 (text, as the tests give it)
) -> Any:  # noqa: ANN401 (a response)
    file = (name, content, content_type) if content_type else (name, content)
    return client.post("/v1/submissions/upload", data=FORM | form, files={"file": file}, headers=headers)


def calls(data_api: Loopback) -> list[str]:
    names = [request.path.rpartition("/")[2] for request in data_api.requests]
    return [name for name in names if name not in ("auth_context", "reconciler_status")]


def code(answer: Any) -> tuple[int, str]:  # noqa: ANN401 (a response)
    return answer.status_code, answer.json()["error"]["code"]


def test_upload_is_opened_filled_chunk_by_chunk_and_finalized(
    client: TestClient, data_api: Loopback, trigger: Loopback, opened: dict[str, Any]
) -> None:
    rows = "".join(f"{number},x\n" for number in range(1, 2501))
    answer = upload(client, b"n,v\n" + rows.encode(), name="companies.csv")
    assert answer.status_code == 202, answer.text
    assert answer.json()["data"]["dispatched"] is True
    assert len(trigger.requests) == 1
    assert calls(data_api) == [
        "open_submission",
        *["append_submission_chunk"] * 3,
        "finalize_submission",
        "mark_pipeline_run_dispatched",
    ]
    (request,) = data_api.asked("/open_submission")
    assert request.body == {
        "p_company_id": FORM["company_id"],
        "p_blueprint_id": FORM["blueprint_id"],
        "p_name": None,
        "p_source": "csv",
        "p_fields": ["n", "v"],
    }
    chunks = [request.body for request in data_api.asked("/append_submission_chunk")]
    assert [chunk["p_chunk_index"] for chunk in chunks] == [0, 1, 2]
    assert {chunk["p_submission_id"] for chunk in chunks} == {opened["id"]}
    records = [record for chunk in chunks for record in chunk["p_records"]]
    assert [record["id"] for record in records] == [str(number) for number in range(1, 2501)]
    assert records[41] == {"id": "42", "data": {"n": "42", "v": "x"}}


def test_rejected_rows_are_sent_in_the_chunk_in_which_they_were_found(
    client: TestClient, data_api: Loopback, opened: dict[str, Any]
) -> None:
    upload(client, b"a,b\n1,2\nbad\n3,4\n")
    (request,) = data_api.asked("/append_submission_chunk")
    assert [record["id"] for record in request.body["p_records"]] == ["1", "3"]
    (rejected,) = request.body["p_rejected"]
    assert rejected["id"] == "2"
    assert rejected["reason"] == "too_few_fields"
    assert rejected["details"] == {"line": 3, "expected_fields": 2, "found_fields": 1}
    assert rejected["data"] == {"raw": "bad"}


def test_ndjson_gives_its_fields_at_the_end_and_its_numbers_as_written(
    client: TestClient, data_api: Loopback, opened: dict[str, Any]
) -> None:
    upload(client, b'{"b": 1.10}\n{"a": 2}\n', name="a.ndjson")
    assert "p_fields" not in data_api.asked("/open_submission")[0].body
    assert data_api.asked("/finalize_submission")[0].body["p_fields"] == ["b", "a"]


@pytest.mark.parametrize(
    ("name", "content_type", "form", "source"),
    [
        ("a.CSV", "", {}, "csv"),
        ("a.tsv", "", {}, "csv"),
        ("a.csv.gz", "application/gzip", {}, "csv"),
        ("a.jsonl", "", {}, "ndjson"),
        ("a.ndjson.gz", "", {}, "ndjson"),
        ("data", "text/csv; charset=utf-8", {}, "csv"),
        ("data", "application/x-ndjson", {}, "ndjson"),
        ("a.csv", "text/csv", {"format": "ndjson"}, "ndjson"),
        ("a.bin", "", {"format": "csv"}, "csv"),
    ],
)
def test_format_comes_from_the_form_else_from_the_name_else_from_the_type(
    client: TestClient,
    data_api: Loopback,
    opened: dict[str, Any],
    name: str,
    content_type: str,
    form: dict[str, Any],
    source: str,
) -> None:
    content = b'{"a": 1}\n' if source == "ndjson" else b"a\n1\n"
    content = gzip.compress(content) if name.endswith("gz") else content
    assert upload(client, content, name, content_type, **form).status_code == 202
    assert data_api.asked("/open_submission")[0].body["p_source"] == source


def test_an_unknown_format_is_refused(client: TestClient, data_api: Loopback) -> None:
    assert code(upload(client, b"a\n1\n", "data.bin")) == (415, "unsupported_media_type")
    assert calls(data_api) == []


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (b"", "a.csv", (422, "unreadable_file")),
        (b"a,b\n", "a.csv", (422, "submission_empty")),
        (b"\n\n", "a.ndjson", (422, "submission_empty")),
        (b"a,b\nbad\nworse\n", "a.csv", (422, "unreadable_file")),
        (b"PK\x03\x04", "a.csv", (415, "unsupported_media_type")),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-5], "a.csv", (422, "unreadable_file")),
    ],
    ids=repr,
)
def test_a_file_without_one_record_opens_no_submission(
    client: TestClient, data_api: Loopback, content: bytes, name: str, expected: tuple[int, str]
) -> None:
    assert code(upload(client, content, name)) == expected
    assert calls(data_api) == []


def test_unreadable_file_says_which_lines_and_why(client: TestClient) -> None:
    details = upload(client, b"a,b\n" + b"bad\n" * 50).json()["error"]["details"]
    assert details["rejected_count"] == 50
    assert len(details["first_rejected"]) == 10
    assert details["first_rejected"][0]["line"] == 2
    assert details["first_rejected"][0]["reason"] == "too_few_fields"


def test_first_record_may_come_late(client: TestClient, data_api: Loopback, opened: dict[str, Any]) -> None:
    assert upload(client, b"a,b\n" + b"bad\n" * 2500 + b"1,2\n").status_code == 202
    chunks = [request.body for request in data_api.asked("/append_submission_chunk")]
    assert [chunk["p_chunk_index"] for chunk in chunks] == [0, 1, 2]
    assert [len(chunk["p_rejected"]) for chunk in chunks] == [1000, 1000, 500]
    assert chunks[2]["p_records"] == [{"id": "2501", "data": {"a": "1", "b": "2"}}]


def test_a_long_file_without_one_record_is_never_finalized(
    client: TestClient, data_api: Loopback, opened: dict[str, Any]
) -> None:
    assert code(upload(client, b"a,b\n" + b"bad\n" * 12_000)) == (422, "unreadable_file")
    assert "finalize_submission" not in calls(data_api)


def test_failure_in_the_middle_leaves_the_submission_receiving(
    client: TestClient, data_api: Loopback, trigger: Loopback, opened: dict[str, Any]
) -> None:
    def second_fails(request: Request) -> Answer:
        index = request.body["p_chunk_index"]
        return rpc_error(500, "XX000") if index else Answer(200, {"chunk_index": 0})

    data_api.rpc("append_submission_chunk", second_fails)
    assert code(upload(client, b"a\n" + b"1\n" * 1500)) == (500, "internal_error")
    assert calls(data_api) == ["open_submission", "append_submission_chunk", "append_submission_chunk"]
    assert trigger.requests == []


def test_chunk_that_met_an_outage_is_sent_once_more(
    client: TestClient, data_api: Loopback, opened: dict[str, Any]
) -> None:
    answers = [rpc_error(503, "PGRST001"), Answer(200, {"chunk_index": 0})]
    data_api.rpc("append_submission_chunk", lambda _: answers.pop(0))
    assert upload(client, b"a\n1\n").status_code == 202
    first, second = data_api.asked("/append_submission_chunk")
    assert first.body == second.body


def test_finalize_is_never_repeated(client: TestClient, data_api: Loopback, opened: dict[str, Any]) -> None:
    data_api.rpc("finalize_submission", rpc_error(503, "PGRST001"))
    assert code(upload(client, b"a\n1\n")) == (503, "data_api_unavailable")
    assert calls(data_api).count("finalize_submission") == 1


def test_replayed_upload_sends_no_chunk_and_starts_nothing(
    client: TestClient, data_api: Loopback, trigger: Loopback
) -> None:
    run = pipeline_run(dispatched=True, status="succeeded", trigger_run_id="run_earlier")
    known = {"submission": submission(), "replayed": True, "pipeline_run": run}
    data_api.rpc("open_submission", Answer(200, known))
    answer = upload(client, b"a\n1\n", headers={"Idempotency-Key": "k"})
    assert answer.status_code == 202
    assert answer.json()["data"]["pipeline_run"]["id"] == run["id"]
    assert calls(data_api) == ["open_submission"]
    assert trigger.requests == []


def test_hash_of_an_upload_covers_content_and_form_but_not_compression(
    client: TestClient, data_api: Loopback, opened: dict[str, Any]
) -> None:
    key = {"Idempotency-Key": "k"}
    same = [b"a\n1\n", gzip.compress(b"a\n1\n", 1), gzip.compress(b"a\n1\n", 9)]
    for content in same:
        upload(client, content, headers=key)
    upload(client, b"a\n2\n", headers=key)
    upload(client, b"a\n1\n", headers=key, name_of_it="x")  # refused: the field is unknown
    upload(client, b"a\n1\n", headers=key, company_id=FORM["blueprint_id"])
    hashes = [request.body["p_request_hash"] for request in data_api.asked("/open_submission")]
    assert len(hashes) == 5
    assert len(set(hashes[:3])) == 1
    assert len(set(hashes)) == 3


def test_form_is_validated(client: TestClient) -> None:
    faulty: list[dict[str, Any]] = [{"company_id": "x"}, {"format": "xlsx"}, {"unknown": "1"}]
    for form in faulty:
        answer = upload(client, b"a\n1\n", **form)
        assert code(answer) == (422, "invalid_request")
        assert answer.json()["error"]["details"]["errors"][0]["path"] == next(iter(form))
    without_file = client.post("/v1/submissions/upload", data=FORM, files={"other": ("x", b"1")})
    assert code(without_file) == (422, "invalid_request")
    two_files = [("file", ("a.csv", b"a\n1\n")), ("file", ("b.csv", b"a\n1\n"))]
    assert code(client.post("/v1/submissions/upload", data=FORM, files=two_files)) == (422, "invalid_request")
    broken = client.post(
        "/v1/submissions/upload",
        content=b"no form",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert code(broken) == (422, "invalid_request")


def test_empty_form_fields_count_as_left_out(
    client: TestClient, data_api: Loopback, opened: dict[str, Any]
) -> None:
    assert upload(client, b"a\n1\n", name="a.csv", format="").status_code == 202


def test_caller_without_credential_is_refused_before_the_file_is_read(client: TestClient) -> None:
    too_large = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(10**12)}
    answer = client.post("/v1/submissions/upload", headers=too_large | {"Authorization": ""})
    assert code(answer) == (401, "missing_credential")
    assert code(client.post("/v1/submissions/upload", headers=too_large)) == (413, "payload_too_large")


def test_a_file_with_too_many_bad_rows_is_refused(
    client: TestClient, data_api: Loopback, opened: dict[str, Any]
) -> None:
    answer = upload(client, b"a,b\n1,2\n" + b"x\n" * 10_001)
    assert code(answer) == (422, "unreadable_file")
    assert "finalize_submission" not in calls(data_api)


def test_records_much_larger_than_their_file_are_refused(
    client: TestClient, data_api: Loopback, opened: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.app.state, "max_upload_bytes", 64 * 1024)  # type: ignore[attr-defined]
    header = ",".join(f"{number:04}{'x' * 250}" for number in range(100))
    answer = upload(client, f"{header}\n".encode() + b"," * 99 + b"\n" + (b"," * 99 + b"\n") * 300)
    assert code(answer) == (413, "payload_too_large")
    assert "finalize_submission" not in calls(data_api)
