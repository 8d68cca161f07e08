"""Files as people have them, small: one of each kind that was once read wrongly, and what it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.files import ReadFile, read_csv, read_ndjson

SAMPLES = Path(__file__).parent / "samples"


def read(name: str) -> ReadFile:
    content = (SAMPLES / name).read_bytes()
    return read_ndjson(content) if name.endswith(".ndjson") else read_csv(content)


ROWS: dict[str, list[list[str]]] = {
    "polish-windows-1250.csv": [
        ["Zakłady Mięsne Łuków Sp. z o.o.", "Polska", "Łuków", "25 798 00 00", "biuro@firma-a.pl"],
        ["Żabka Gdańsk", "Polska", "Gdańsk", "58 300 00 00", "kontakt@firma-b.pl"],
        ["Świeży Świat S.A.", "Polska", "Kraków", "12 200 00 00", "info@firma-c.pl"],
    ],
    "japanese-cp932.csv": [
        ["株式会社ソフィア商事", "日本", "03-1234-5678", "info@example-sofia.co.jp"],
        ["髙島能力開発㈱", "日本", "06-6123-4567", "contact@example-taka.co.jp"],
    ],
    "french-macroman.csv": [
        ["Société Générale d’Électricité", "France", "Orléans"],
        ["Müller & Söhne GmbH", "Germany", "Köln"],
    ],
    "pipes.csv": [
        ["Acme Tools Ltd", "UK", "020 7946 0123", "acmetools.co.uk"],
        ["Nordwind AS", "Norway", "22 12 34 56", "nordwind.no"],
    ],
    "sep-line.csv": [["Acme", "US", "202-555-0143"]],
    "header-ends-with-comma.csv": [["Acme", "US", "Boston"], ["Globex", "US", "Reno"]],
    "rows-end-with-semicolon.csv": [["Acme GmbH", "DE", "Bonn, Beuel"], ["Beta GmbH", "DE", "Köln, Deutz"]],
    "short-rows.csv": [
        ["Acme", "US", "Boston", "", ""],
        ["Globex", "US", "Reno", "vip", "jane"],
        ["Initech", "US", "Austin", "", ""],
    ],
    "title-above-header.csv": [
        ["Acme", "US", "Boston", "(202) 555-0143"],
        ["Globex", "US", "Reno", "(202) 555-0144"],
    ],
    "lines-quoted-whole.csv": [["John", "Smith", "Acme"], ["Jane", "Doe", "Globex"]],
    "quotes-not-doubled.csv": [
        ['ACME "Best" Corp', "US", "x"],
        ["Smith & Sons", "US", '5" pipe'],
        ["Globex", "US", "ok"],
    ],
    "equals-guards.csv": [
        ["Acme Inc", "US", "2025550143", "acme.com"],
        ["Globex", "US", "2025550144", "globex.com"],
    ],
    "stray-byte.csv": [
        ["Café Nord", "FR", "ok"],
        ["Red Cross Chapter", "US", "the District.\ufffd and more"],
        ["Zoë & Söhne", "DE", "ok"],
    ],
}
FIELDS = {
    "sep-line.csv": ["Organization", "Country", "Phone"],
    "header-ends-with-comma.csv": ["Company", "Country", "City"],
    "title-above-header.csv": ["Company", "Country", "City", "Phone"],
    "lines-quoted-whole.csv": ["Name", "Family Name", "Organization"],
    "equals-guards.csv": ["Company", "Country", "Phone", "Website"],
}
READ_AS: dict[str, dict[str, object]] = {
    "polish-windows-1250.csv": {"encoding": "cp1250", "delimiter": ";"},
    "japanese-cp932.csv": {"encoding": "cp932", "encoding_source": "detected"},
    "french-macroman.csv": {"encoding": "mac-roman"},
    "pipes.csv": {"delimiter": "|", "encoding": "utf-8"},
    "sep-line.csv": {"delimiter": "|", "skipped_lines": 1},
    "rows-end-with-semicolon.csv": {"notes": {"cut_rows": 2}},
    "short-rows.csv": {"notes": {"padded_rows": 2}},
    "title-above-header.csv": {"skipped_lines": 3},
    "lines-quoted-whole.csv": {"notes": {"unwrapped_lines": 3}},
    "quotes-not-doubled.csv": {"notes": {"repaired_rows": 2}},
    "equals-guards.csv": {"notes": {"unguarded_cells": 8}},
    "stray-byte.csv": {
        "encoding": "cp1252",
        "notes": {"undecodable_cells": 1},
        "noted_cells": [{"row": 2, "line": 3, "column": "Note"}],
    },
}


@pytest.mark.parametrize("name", ROWS)
def test_a_sample_is_read_as_a_person_reads_it(name: str) -> None:
    found = read(name)
    assert (found.rows, found.rejected) == (ROWS[name], {})
    assert found.fields == FIELDS.get(name, found.fields)
    assert found.read_as == found.read_as | READ_AS.get(name, {})


def test_one_column_needs_no_delimiter_and_takes_none_for_one() -> None:
    found = read("one-column.csv")
    assert found.fields == ["email"]
    assert found.rows[3] == ["mike@oneal-roofing.com;"]
    assert found.read_as["delimiter"] is None


def test_a_line_end_within_a_cell_stays() -> None:
    found = read("line-end-in-cell.csv")
    assert found.rows[5] == ["Zeta Inc", "US", "202-555-0143\n202-555-0144"]
    assert len(found.rows) == 10


def test_a_record_too_deep_to_be_given_back_costs_its_row() -> None:
    found = read("deeply-nested.ndjson")
    assert list(found.records) == ["2"]
    assert found.rejected["1"][:2] == ("nested_too_deeply", 1)
