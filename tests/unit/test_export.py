"""Exports write all values of all pages, and break off when a page fails."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from api.bodies.answers import csv_value, render_csv, render_ndjson
from api.main import create_app
from api.settings import Settings
from tests.support.loopback import Answer, Loopback, Request, rpc_error
from tests.support.served_app import served
from tests.unit.conftest import session_token

RUN_ID = "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        ("text", "text"),
        ("007", "007"),
        (True, "true"),
        (0, "0"),
        (1.5, "1.5"),
        (12345678901234567890, "12345678901234567890"),
        ({"a": [1, "ü"]}, '{"a":[1,"ü"]}'),
        ([], "[]"),
    ],
)
def test_values_are_text_or_json(value: object, text: str) -> None:
    assert csv_value(value) == text


def test_csv_survives_delimiters_quotes_and_line_ends() -> None:
    nasty = 'a "quoted"; text,\r\nover\nlines'
    text = render_csv(["x", "y"], [{"id": "1.1", "data": {"y": nasty}}]).decode()
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["1.1", "", nasty]]


def test_csv_writes_only_the_named_fields_in_their_order() -> None:
    record = {"id": "1", "data": {"c": 3, "a": 1, "b": 2}}
    assert render_csv(["b", "a"], [record]) == b"1,2,1\r\n"


def test_ndjson_is_one_record_a_line() -> None:
    records = [{"id": "1", "data": {"a": "ü\n"}}, {"id": "2", "data": {}}]
    lines = render_ndjson(records).decode().splitlines()
    assert [json.loads(line) for line in lines] == records


def has_records(data_api: Loopback, count: int) -> None:
    """Answers the RPCs of an export. The cursor of a page is its position."""

    def page(request: Request) -> Answer:
        start = int(request.body["p_cursor"] or 0)
        end = min(start + request.body["p_limit"], count)
        items: list[dict[str, Any]] = [{"id": str(n + 1), "data": {"n": n}} for n in range(start, end)]
        return Answer(200, {"items": items, "next_cursor": str(end) if end < count else None})

    data_api.rpc("list_pipeline_run_records", page)
    data_api.rpc("list_pipeline_run_fields", Answer(200, {"fields": ["n"]}))


def export(client: TestClient, export_format: str) -> Any:  # noqa: ANN401 (a response)
    return client.post("/v1/pipeline-runs/export", json={"pipeline_run_id": RUN_ID, "format": export_format})


def test_csv_export_has_all_pages_under_one_header(client: TestClient, data_api: Loopback) -> None:
    has_records(data_api, 2500)
    answer = export(client, "csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="pipeline-run-{RUN_ID}.csv"'
    rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert rows[0] == ["record_id", "n"]
    assert rows[1:] == [[str(n + 1), str(n)] for n in range(2500)]
    pages = data_api.asked("/list_pipeline_run_records")
    assert [page.body["p_cursor"] for page in pages] == [None, "1000", "2000"]
    assert all(page.body["p_kind"] == "output" and page.body["p_limit"] == 1000 for page in pages)


def test_ndjson_export_has_all_pages(client: TestClient, data_api: Loopback) -> None:
    has_records(data_api, 1001)
    answer = export(client, "ndjson")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line)["id"] for line in answer.text.splitlines()] == [str(n) for n in range(1, 1002)]
    assert not data_api.asked("/list_pipeline_run_fields")


def test_export_of_no_records_is_a_header_or_nothing(client: TestClient, data_api: Loopback) -> None:
    has_records(data_api, 0)
    assert export(client, "csv").text == "record_id,n\r\n"
    assert export(client, "ndjson").text == ""


def test_refusal_of_the_first_page_is_a_proper_error(client: TestClient, data_api: Loopback) -> None:
    has_records(data_api, 1)
    refusal = rpc_error(409, "PT409", hint="pipeline_run_not_succeeded")
    data_api.rpc("list_pipeline_run_records", refusal)
    for export_format in ("csv", "ndjson"):
        answer = export(client, export_format)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "pipeline_run_not_succeeded")


def test_a_failure_of_a_later_page_breaks_off_the_answer(data_api: Loopback, settings: Settings) -> None:
    has_records(data_api, 2500)
    page = data_api.routes["/rest/v1/rpc/list_pipeline_run_records"]
    data_api.rpc(
        "list_pipeline_run_records",
        lambda request: rpc_error(500, "XX000") if request.body["p_cursor"] == "2000" else page(request),
    )
    headers = {"Authorization": f"Bearer {session_token(settings)}"}
    body = {"pipeline_run_id": RUN_ID, "format": "csv"}
    # The caller must see an incomplete answer, not a short file.
    with served(create_app(settings)) as url, pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{url}/v1/pipeline-runs/export", json=body, headers=headers, trust_env=False, timeout=30)


def test_page_that_was_unreachable_is_asked_for_once_more(client: TestClient, data_api: Loopback) -> None:
    has_records(data_api, 1500)
    page = data_api.routes["/rest/v1/rpc/list_pipeline_run_records"]
    failures = [rpc_error(503, "PGRST000")]

    def flaky(request: Request) -> Answer:
        return failures.pop() if request.body["p_cursor"] and failures else page(request)

    data_api.rpc("list_pipeline_run_records", flaky)
    assert len(export(client, "ndjson").text.splitlines()) == 1500


def test_csv_of_too_many_columns_is_refused_before_anything_is_sent(
    client: TestClient, data_api: Loopback
) -> None:
    data_api.rpc("list_pipeline_run_fields", Answer(200, {"fields": [str(n) for n in range(2001)]}))
    answer = export(client, "csv")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")
    assert "ndjson" in answer.json()["error"]["message"]
