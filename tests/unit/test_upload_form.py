"""The form of an upload: options that say how to read the file, its format, and the submission's name."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.upload_form import default_name
from tests.support.loopback import Loopback
from tests.support.workbooks import workbook
from tests.unit.uploads import FORM, upload


def finalized(data_api: Loopback) -> dict[str, Any]:
    (request,) = data_api.asked("/finalize_submission")
    body: dict[str, Any] = request.body
    return body


def records(data_api: Loopback) -> list[Any]:
    chunks = [request.body for request in data_api.asked("/append_submission_chunk")]
    return [record["data"] for chunk in chunks for record in chunk["p_records"]]


def test_options_of_the_form_say_how_to_read_the_file(
    client: TestClient, data_api: Loopback, opened: dict[str, Any]
) -> None:
    content = "Titel\nŻabka:Łódź\nŚwiat\n".encode("iso8859-2")
    options: Any = {"encoding": "ISO-8859-2", "delimiter": ":", "skip_lines": "1", "header": "Firma, Ort"}
    answer = upload(client, content, **options, warn_rejected_share="0.5", name="Kunden")
    assert answer.status_code == 202, answer.text
    assert records(data_api) == [{"Firma": "Żabka", "Ort": "Łódź"}, {"Firma": "Świat", "Ort": ""}]
    finished = finalized(data_api)
    assert finished["p_warn_rejected_share"] == 0.5
    assert finished["p_read_as"]["encoding_source"] == finished["p_read_as"]["header"] == "option"


def test_ragged_rows_are_rejected_when_the_form_says_so(
    client: TestClient, data_api: Loopback, opened: dict[str, Any]
) -> None:
    assert upload(client, b"a,b\n1\n3,4\n", on_ragged_row="reject").status_code == 202
    assert records(data_api) == [{"a": "3", "b": "4"}]


@pytest.mark.parametrize("header", ['["a, b", "c"]', ' ["a, b","c"] '])
def test_names_for_a_file_without_a_header_may_be_a_json_list(
    client: TestClient, data_api: Loopback, opened: dict[str, Any], header: str
) -> None:
    assert upload(client, b"1;2\n", header=header).status_code == 202
    assert records(data_api) == [{"a, b": "1", "c": "2"}]


@pytest.mark.parametrize(("given", "delimiter"), [("tab", "\t"), ("\\t", "\t"), ("\t", "\t"), (" ", " ")])
def test_a_tab_may_be_spelled_out(
    client: TestClient, data_api: Loopback, opened: dict[str, Any], given: str, delimiter: str
) -> None:
    assert upload(client, f"a{delimiter}b\n1{delimiter}2\n".encode(), delimiter=given).status_code == 202
    assert records(data_api) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv", "a.xlsm"])
def test_a_workbook_is_read_whatever_its_name(
    client: TestClient, data_api: Loopback, opened: dict[str, Any], name: str
) -> None:
    content = workbook(Kunden=[["Firma", "PLZ"], ["Acme", 53113]], Andere=[["x"], [1]])
    assert upload(client, content, file_name=name, sheet="Kunden").status_code == 202
    assert records(data_api) == [{"Firma": "Acme", "PLZ": "53113"}]
    assert data_api.asked("/open_submission")[0].body["p_source"] == "xlsx"
    assert finalized(data_api)["p_read_as"]["sheet"] == "Kunden"


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("companies.csv", "companies.csv"),
        ("C:\\Users\\Ada\\Kunden 2024.csv", "Kunden 2024.csv"),
        ("/home/ada/a.csv", "a.csv"),
        (" \x00\x07a\u202e.csv ", "a.csv"),
        ("x" * 300, "x" * 200),
        ("", None),
        (None, None),
        ("folder/", None),
    ],
)
def test_a_submission_is_named_after_its_file(filename: str | None, name: str | None) -> None:
    assert default_name(filename) == name


def test_the_name_of_the_form_comes_before_that_of_the_file(
    client: TestClient, data_api: Loopback, opened: dict[str, Any]
) -> None:
    client.post("/v1/submissions/upload", data=FORM | {"name": "Leads"}, files={"file": ("a.csv", b"a\n1\n")})
    assert data_api.asked("/open_submission")[0].body["p_name"] == "Leads"


def test_an_option_makes_another_request_of_the_same_file(
    client: TestClient, data_api: Loopback, opened: dict[str, Any]
) -> None:
    for options in ({}, {"skip_lines": "0"}, {"on_ragged_row": "reject"}):
        upload(client, b"a\n1\n", headers={"Idempotency-Key": "k"}, **options)
    hashes = [request.body["p_request_hash"] for request in data_api.asked("/open_submission")]
    assert len(set(hashes)) == 3
