"""Excel workbooks: what each kind of cell becomes, which sheet is read, and what a hostile workbook costs."""

from __future__ import annotations

import datetime
import io
import time
import tracemalloc
import zipfile
from typing import Any

import pytest

from api.ingest.job import FileFormat, ReadJob, ReadLimits, ReadOptions
from api.ingest.reading import FileReading
from tests.support.workbooks import empty_workbook, row, saved, text_cell, workbook, written_by_hand
from tests.unit.files import read_csv, refusal

LARGE = ReadLimits(max_bytes=1_000_000_000)


def test_cells_become_what_a_person_reads_in_them() -> None:
    values = [
        ("text", " spaced ", " spaced "),
        ("whole number", 12.0, "12"),
        ("number", 0.1 + 0.2, "0.3"),
        ("large", 4915112345678.0, "4915112345678"),
        ("negative", -1.5, "-1.5"),
        ("small", 1e-7, "1e-07"),
        ("date", datetime.date(2024, 2, 29), "2024-02-29"),
        ("moment", datetime.datetime(2024, 2, 29, 12, 30, 5), "2024-02-29T12:30:05"),
        ("midnight", datetime.datetime(2024, 2, 29), "2024-02-29"),
        ("time", datetime.time(8, 5), "08:05:00"),
        ("yes", True, "TRUE"),
        ("no", False, "FALSE"),
        ("error", "#REF!", "#REF!"),
        ("nothing", None, ""),
        ("zero", 0, "0"),
        ("last", "x", "x"),
    ]
    read = read_csv(workbook(Data=[[name for name, _, _ in values], [value for _, value, _ in values]]))
    assert read.records["1"] == {name: text for name, _, text in values}
    assert read.read_as["format"] == "xlsx"
    assert (read.read_as["sheet"], read.read_as["encoding"], read.read_as["delimiter"]) == (
        "Data",
        None,
        None,
    )


def test_formulas_count_by_the_value_that_was_saved_with_them() -> None:
    content = written_by_hand(
        row(1, text_cell("A1", "name"), text_cell("B1", "sum"), text_cell("C1", "broken"))
        + row(
            2,
            text_cell("A2", "Acme"),
            '<c r="B2"><f>1+1</f><v>2</v></c>',
            '<c r="C2" t="e"><f>1/0</f><v>#DIV/0!</v></c>',
        )
        + row(3, text_cell("A3", "Beta"), '<c r="B3" t="str"><f>A3</f><v>Beta</v></c>')
    )
    assert read_csv(content).rows == [["Acme", "2", "#DIV/0!"], ["Beta", "Beta", ""]]


def test_the_first_visible_sheet_is_read_or_the_one_that_the_caller_names() -> None:
    book = empty_workbook()
    hidden = book.create_sheet("Settings")
    hidden.append(["hidden", "sheet"])
    hidden.sheet_state = "hidden"
    for name in ("Kunden", "Leads"):
        sheet = book.create_sheet(name)
        sheet.append(["name", "city"])
        sheet.append([name, "Bonn"])
    content = saved(book)
    assert read_csv(content).rows == [["Kunden", "Bonn"]]
    assert read_csv(content, sheet="leads").read_as["sheet"] == "Leads"
    assert read_csv(content, sheet="3").rows == [["Leads", "Bonn"]]
    refused = refusal(content, sheet="Nobody")
    assert (refused.code, refused.details["sheets"]) == ("unreadable_file", ["Settings", "Kunden", "Leads"])


def test_titles_blank_rows_and_nameless_columns_are_treated_as_in_csv() -> None:
    rows: list[list[Any]] = [
        ["Account report", None, None],
        [],
        ["Company", "City", None, "Phone", None],
        ["Acme", "Bonn", None, 228],
        [],
        ["Beta", None, None, None],
        ["Gamma", "Ulm", None, 1, "too far"],
    ]
    read = read_csv(workbook(Data=rows))
    assert read.fields == ["Company", "City", "column_3", "Phone"]
    assert read.rows == [["Acme", "Bonn", "", "228"], ["Beta", "", "", ""]]
    assert read.rejected == {"3": ("too_many_fields", 7, "Gamma\tUlm\t\t1\ttoo far")}
    assert read.read_as["skipped_lines"] == 2
    assert read.columns[0] == {"name": "Company", "filled": 2, "capitals": 0, "lower_case": 0, "numeric": 0}


def test_the_caller_s_options_hold_for_workbooks() -> None:
    content = workbook(Data=[["x"], ["Acme", "Bonn"], ["Beta", "Ulm"]])
    assert read_csv(content, header=("a", "b"), skip_lines=1).rows == [["Acme", "Bonn"], ["Beta", "Ulm"]]
    assert read_csv(content, skip_lines=1).fields == ["Acme", "Bonn"]


def test_a_workbook_is_one_by_its_content_and_not_by_its_name() -> None:
    content = workbook(Data=[["a", "b"], [1, 2]])
    reading = FileReading(io.BytesIO(content), ReadJob(ReadOptions(format=FileFormat.CSV)))
    assert (reading.format, len(list(reading.rows()))) == (FileFormat.XLSX, 1)
    assert refusal(b"a,b\n1,2\n", format=FileFormat.XLSX).code == "unreadable_file"


@pytest.mark.parametrize("content", [workbook(Data=[]), workbook(Data=[["a", "b"]])])
def test_a_workbook_without_rows_is_refused(content: bytes) -> None:
    assert refusal(content).code in ("unreadable_file", "submission_empty")


def test_what_a_sheet_says_of_its_size_does_not_count() -> None:
    data = row(1, text_cell("A1", "a"), text_cell("B1", "b")) + row(
        2, text_cell("A2", "1"), text_cell("B2", "2")
    )
    assert read_csv(written_by_hand(data, before='<dimension ref="A1"/>')).rows == [["1", "2"]]
    assert read_csv(written_by_hand(data, before='<dimension ref="A1:XFD1048576"/>')).rows == [["1", "2"]]


# Broken and hostile workbooks ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        written_by_hand("<row"),
        written_by_hand('<row r="x"><c r="A1"><v>1</v></c></row>'),
        written_by_hand('<row r="1"><c r="A1" t="s"><v>99</v></c></row>'),
        written_by_hand('<row r="1"><c r="A1"><v>zwei</v></c></row>'),
        written_by_hand("", parts={"xl/workbook.xml": "<nothing/>"}),
        written_by_hand("", parts={"xl/workbook.xml": "no xml"}),
        written_by_hand("", parts={"[Content_Types].xml": "<Types/>"}),
        written_by_hand("", parts={"xl/_rels/workbook.xml.rels": "<Relationships/>"}),
        workbook(Data=[["a", "b"], [1, 2]])[:-200],
    ],
    ids=range(9),
)
def test_a_broken_workbook_is_refused(content: bytes) -> None:
    assert refusal(content).code == "unreadable_file"


def test_a_workbook_that_grows_too_large_is_refused_before_it_is_read() -> None:
    content = workbook(Data=[["a", "b"], *([number, "x" * 100] for number in range(20_000))])
    started = time.process_time()
    assert refusal(content, ReadLimits(max_bytes=1_000_000)).code == "payload_too_large"
    bomb = written_by_hand(row(1, text_cell("A1", "x" * 60_000_000)))
    assert len(bomb) < 100_000
    assert refusal(bomb, LARGE).code == "payload_too_large"
    shared = written_by_hand(
        "", parts={"xl/styles.xml": "<x>" + "".join(map(str, range(3_000_000))) + "</x>"}
    )
    assert refusal(shared, LARGE).code == "payload_too_large"
    assert time.process_time() - started < 20


def test_a_workbook_that_lies_about_its_sizes_gives_no_more_than_it_states() -> None:
    content = bytearray(written_by_hand(row(1, text_cell("A1", "x" * 30_000_000))))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        part = archive.getinfo("xl/worksheets/sheet1.xml")
    stated = part.file_size.to_bytes(4, "little")
    assert content.count(stated) == 2
    assert refusal(bytes(content.replace(stated, (1000).to_bytes(4, "little")))).code == "unreadable_file"


def test_entities_do_not_multiply() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    sheet = f'<!DOCTYPE x [<!ENTITY l0 "lol">{laughs}]><worksheet>&l11;</worksheet>'
    started = time.process_time()
    assert refusal(written_by_hand("", parts={"xl/worksheets/sheet1.xml": sheet})).code == "unreadable_file"
    assert time.process_time() - started < 5


def test_a_row_of_sixteen_thousand_cells_and_a_last_row_far_away_are_given_up() -> None:
    head = row(1, text_cell("A1", "a"))
    assert refusal(written_by_hand(head + row(2, text_cell("XFD2", "x")))).code == "unreadable_file"
    far = written_by_hand(head + row(1_048_576, text_cell("A1048576", "x")))
    assert refusal(far, ReadLimits(max_blank_lines=100_000)).code == "unreadable_file"


def test_rows_are_read_one_by_one_with_flat_memory() -> None:
    rows = ([f"Company {number}", "x" * 200, number] for number in range(10_000))
    content = workbook(Data=[["name", "note", "number"], *rows])
    job = ReadJob(ReadOptions(), ReadLimits())
    tracemalloc.start()
    try:
        found = sum(1 for _ in FileReading(io.BytesIO(content), job).rows())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == 10_000
    assert peak < 20_000_000
