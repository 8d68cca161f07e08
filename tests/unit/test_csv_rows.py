"""What becomes of each row of a CSV file."""

from __future__ import annotations

import time

import pytest

from api.ingest import records
from api.ingest.header import field_names
from api.ingest.job import RaggedRow, ReadLimits
from api.ingest.rows import MAX_RAW_CHARACTERS, MAX_RECORD_BYTES, reject
from tests.unit.files import decode, read_csv, refusal


def unreadable(content: bytes | str) -> None:
    assert refusal(content).code == "unreadable_file"


def test_rows_become_records_with_their_number_as_id() -> None:
    read = read_csv("name,city\nAda,London\nJürgen,Köln\n")
    assert read.fields == ["name", "city"]
    assert read.records == {
        "1": {"name": "Ada", "city": "London"},
        "2": {"name": "Jürgen", "city": "Köln"},
    }
    assert read.rejected == {}


def test_values_stay_text_exactly_as_given() -> None:
    read = read_csv('a,b,c,d\n007, spaced ,,"null"\n1.50,TRUE,2026-01-01,""\n')
    assert read.records == {
        "1": {"a": "007", "b": " spaced ", "c": "", "d": "null"},
        "2": {"a": "1.50", "b": "TRUE", "c": "2026-01-01", "d": ""},
    }


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_is_found_in_the_header(delimiter: str) -> None:
    read = read_csv(f"a{delimiter}b\n1{delimiter}2\n")
    assert read.records == {"1": {"a": "1", "b": "2"}}


def test_delimiters_inside_quotes_do_not_count() -> None:
    assert read_csv('"a, b, c";"d"\n1;2\n').fields == ["a, b, c", "d"]


def test_single_column_needs_no_delimiter() -> None:
    assert read_csv("email\na@x.de\nb@x.de\n").records == {"1": {"email": "a@x.de"}, "2": {"email": "b@x.de"}}


def test_first_line_of_excel_may_name_the_delimiter() -> None:
    read = read_csv("sep=;\r\na,b;c\r\n1;2\r\n")
    assert read.fields == ["a,b", "c"]
    assert read.records == {"1": {"a,b": "1", "c": "2"}}


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_understood(line_end: str) -> None:
    read = read_csv(line_end.join(["a,b", "1,2", "3,4,5", "5,6", ""]))
    assert list(read.records) == ["1", "3"]
    assert read.rejected["2"][:2] == ("too_many_fields", 3)


def test_line_ends_may_be_mixed() -> None:
    assert read_csv("a,b\n1,2\r\n3,4\r5,6\n").rows == [["1", "2"], ["3", "4"], ["5", "6"]]


def test_last_line_needs_no_end() -> None:
    assert read_csv("a,b\n1,2").records == {"1": {"a": "1", "b": "2"}}


def test_blank_lines_are_skipped_and_take_no_number() -> None:
    read = read_csv("\n\n  \na,b\n\n1,2\n   \n3,4\n\r\n\n")
    assert read.records == {"1": {"a": "1", "b": "2"}, "2": {"a": "3", "b": "4"}}


def test_rows_of_empty_fields_are_rows() -> None:
    assert read_csv("a,b\n,\n").records == {"1": {"a": "", "b": ""}}
    assert read_csv("a\tb\n\t\n").records == {"1": {"a": "", "b": ""}}


def test_quoted_fields_may_hold_delimiters_quotes_and_line_ends() -> None:
    read = read_csv('a,b\n"x, ""y""\r\nz",2\n3,4\n')
    assert read.records == {"1": {"a": 'x, "y"\r\nz', "b": "2"}, "2": {"a": "3", "b": "4"}}


def test_a_stray_quote_in_an_unquoted_field_is_text() -> None:
    assert read_csv('size,item\n5" pipe,"x"\n').records == {"1": {"size": '5" pipe', "item": "x"}}


def test_header_is_trimmed_and_made_unique() -> None:
    assert read_csv("\ufeff Name , name,Name,, \n1,2,3,4,5\n").records == {
        "1": {"Name": "1", "name": "2", "Name_2": "3", "column_4": "4", "column_5": "5"}
    }


def test_a_byte_order_mark_before_a_quoted_name_is_no_part_of_it() -> None:
    assert read_csv('\ufeff"Name","City"\nA,B\n'.encode()).fields == ["Name", "City"]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (["a", "a", "a"], ["a", "a_2", "a_3"]),
        (["a", "a", "a_2"], ["a", "a_3", "a_2"]),
        (["a_2", "a", "a"], ["a_2", "a", "a_3"]),
        (["", "column_1"], ["column_1", "column_1_2"]),
        ([" a\u00a0", "\ta"], ["a", "a_2"]),
    ],
)
def test_names_that_are_unique_already_are_not_changed(header: list[str], names: list[str]) -> None:
    assert field_names(header) == names


# Rejected rows -----------------------------------------------------------------------------------------


def test_a_field_more_than_the_header_has_rejects_its_row_with_line_and_text() -> None:
    read = read_csv("a,b\n1,2,3\n4,5\n")
    assert read.rejected == {"1": ("too_many_fields", 2, "1,2,3")}
    assert read.records == {"2": {"a": "4", "b": "5"}}


def test_line_numbers_count_physical_lines() -> None:
    read = read_csv('a,b\n"x\ny\nz",2\n\n1,2,bad\n')
    assert read.rejected == {"2": ("too_many_fields", 6, "1,2,bad")}


@pytest.mark.parametrize("block_end", range(250_000, 262_145, 3001))
def test_a_record_across_two_blocks_keeps_its_lines(block_end: int) -> None:
    filler = "x,y\n" * (block_end // 4)
    read = read_csv(f'a,b\n{filler}"p\nq\nr",2,3\n5,6\n' + "x,y\n" * 5000)
    ((reason, line, raw),) = read.rejected.values()
    assert (reason, line, raw) == ("too_many_fields", block_end // 4 + 2, '"p\nq\nr",2,3')


def test_an_unclosed_quote_costs_one_row_and_not_the_rest_of_the_file() -> None:
    read = read_csv('a,b\n1,2\n3,"open\n5,6\n7,8\n')
    assert read.rejected == {"2": ("malformed_row", 3, '3,"open')}
    assert read.records == {
        "1": {"a": "1", "b": "2"},
        "3": {"a": "5", "b": "6"},
        "4": {"a": "7", "b": "8"},
    }


def test_an_unclosed_quote_that_meets_another_row_s_quote_costs_only_its_own_row() -> None:
    read = read_csv('a,b\n1,"open\n2,"closed"\n3,4\n')
    assert read.rejected == {"1": ("malformed_row", 2, '1,"open')}
    assert read.records == {"2": {"a": "2", "b": "closed"}, "3": {"a": "3", "b": "4"}}


def test_an_unclosed_quote_far_from_the_end_is_given_up_after_the_size_of_a_record() -> None:
    filler = f"{'x' * 1000},y\n" * (MAX_RECORD_BYTES // 1000 + 100)
    read = read_csv(f'a,b\n"open,1\n{filler}')
    assert read.rejected == {"1": ("malformed_row", 2, '"open,1')}
    assert len(read.records) == MAX_RECORD_BYTES // 1000 + 100


def test_a_file_made_of_unclosed_quotes_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line closes the quote of the line before and opens another: read naively, it takes hours."""
    monkeypatch.setattr(records, "MAX_REREAD_CHARACTERS", 5_000_000)
    started = time.process_time()
    unreadable("a,b\n" + 'x",,"\n' * 400_000)
    assert time.process_time() - started < 10


def test_nul_characters_go() -> None:
    read = read_csv("a,b\x00\n1\x00,2\n3,4\n")
    assert (read.fields, read.rows) == (["a", "b"], [["1", "2"], ["3", "4"]])
    assert read.notes == {"nul_characters": 2}


def test_a_byte_that_is_no_text_costs_its_cell_a_note() -> None:
    read = read_csv("a,b\nä,ö\n".encode() + b"bad \xff\xfe,2\n" + "ü,ß\n".encode())
    assert read.rejected == {}
    assert read.rows == [["ä", "ö"], ["bad \ufffd\ufffd", "2"], ["ü", "ß"]]
    assert read.notes == {"undecodable_cells": 1}
    assert read.read_as["noted_cells"] == [{"row": 2, "line": 3, "column": "a"}]


def test_windows_1252_is_decoded_and_its_undefined_bytes_are_noted() -> None:
    content = "a;b\nMüller;5 €\n".encode("cp1252") + b"x\x81;2\n" + "Jürgen;ß\n".encode("cp1252")
    read = read_csv(content)
    assert read.read_as["encoding"] == "cp1252"
    assert read.rows == [["Müller", "5 €"], ["x\ufffd", "2"], ["Jürgen", "ß"]]
    assert read.read_as["noted_cells"] == [{"row": 2, "line": 3, "column": "a"}]


def test_noted_cells_are_few_however_many_there_are() -> None:
    lines = "".join(f"ä{number},x\n" for number in range(1000)).encode() + b"\xff,\xff\n" * 100
    read = read_csv(b"a,b\n" + lines)
    assert read.notes == {"undecodable_cells": 200}
    assert len(read.read_as["noted_cells"]) == 20


def test_a_record_that_is_too_large_is_rejected_and_the_rest_goes_on() -> None:
    read = read_csv(f"a,b\n{'x' * (MAX_RECORD_BYTES + 10)},2\n3,4\n")
    reason, line, raw = read.rejected["1"]
    assert (reason, line, raw) == ("record_too_large", 2, "x" * MAX_RAW_CHARACTERS)
    assert read.records == {"2": {"a": "3", "b": "4"}}


def test_raw_text_that_was_cut_says_so() -> None:
    row = reject(1, 2, "malformed_row", "No.", "x" * (MAX_RAW_CHARACTERS + 1))
    assert decode(row)["details"] == {"line": 2, "raw_truncated": True}
    assert decode(reject(1, 2, "malformed_row", "No.", "x" * MAX_RAW_CHARACTERS))["details"] == {"line": 2}


def test_a_line_that_never_ends_is_not_held_in_memory() -> None:
    read = read_csv(f"a,b\n1,2\n{'x' * (5 * MAX_RECORD_BYTES)}")
    assert read.rejected["2"][0] == "record_too_large"
    assert list(read.records) == ["1"]


def test_a_quoted_field_larger_than_the_csv_module_s_default_is_fine() -> None:
    value = "x" * 500_000
    assert read_csv(f'a,b\n"{value}",2\n').records == {"1": {"a": value, "b": "2"}}


# Files without a usable header -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "\n\n  \n",
        "sep=;\n",
        '"never closed,b\n1,2\n',
        'a"b,"c"d\n1,2\n',
        ",".join(f"f{number}" for number in range(2001)),
        "x" * 256 + ",b\n",
        "x" * (MAX_RECORD_BYTES + 10),
        b"\xff\xfa\xff\xfb,\xff\n" + "ä,ö,ü,ß,é\n".encode() * 5,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_a_file_without_a_usable_header_is_unreadable(content: bytes | str) -> None:
    unreadable(content)


def test_a_header_alone_is_a_file_without_rows() -> None:
    assert refusal("a,b\n").code == "submission_empty"


# Rows that are longer or shorter than the header ---------------------------------------------------------


def test_a_short_row_is_padded() -> None:
    read = read_csv("a,b,c,d\n1,2\n3\n5,6,7,8\n")
    assert read.rows == [["1", "2", "", ""], ["3", "", "", ""], ["5", "6", "7", "8"]]
    assert read.notes == {"padded_rows": 2}


def test_lines_of_one_cell_at_the_end_are_a_footer_and_no_records() -> None:
    table = "Company,Country,City\nAcme\nBeta,DE,Bonn\n\n"
    footer = '"Confidential Information - Do Not Distribute"\nCopyright (c) CRM\n'
    read = read_csv(table + footer)
    assert read.rows == [["Acme", "", ""], ["Beta", "DE", "Bonn"]]
    assert list(read.rejected.values()) == [
        ("too_few_fields", 5, '"Confidential Information - Do Not Distribute"'),
        ("too_few_fields", 6, "Copyright (c) CRM"),
    ]
    assert list(read_csv(table + footer + "Gamma,US,Reno\n").rejected) == []
    assert len(read_csv(table + "Name\n" * 6).records) == 8
    assert read_csv("a,b\n1,2\n3\n").rejected == {}


def test_blank_fields_beyond_the_header_are_cut() -> None:
    read = read_csv("a,b\n1,2,, ,\n3,4,\n5,6\n")
    assert (read.rows, read.rejected) == ([["1", "2"], ["3", "4"], ["5", "6"]], {})
    assert read.notes == {"cut_rows": 2}


def test_ragged_rows_are_rejected_when_the_caller_wants_it() -> None:
    read = read_csv("a,b,c\n1,2\n3,4,5,\n6,7,8,,\n9,9,9\n", on_ragged_row=RaggedRow.REJECT)
    assert read.rows == [["3", "4", "5"], ["9", "9", "9"]]
    assert read.rejected == {"1": ("too_few_fields", 2, "1,2"), "3": ("too_many_fields", 4, "6,7,8,,")}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_delimiter_at_the_end_of_the_header_or_of_rows_is_no_field(delimiter: str) -> None:
    for content in ("a,b,\n1,2\n3,4\n", "a,b,\n1,2,\n3,4,\n", "a,b\n1,2,\n3,4,\n", "a,b,,,\n1,2\n3,4\n"):
        read = read_csv(content.replace(",", delimiter))
        assert (read.fields, read.rows) == (["a", "b"], [["1", "2"], ["3", "4"]]), content


def test_a_nameless_last_column_with_values_is_one() -> None:
    read = read_csv("a,b,\n1,2,x\n3,4,\n")
    assert (read.fields, read.rows) == (["a", "b", "column_3"], [["1", "2", "x"], ["3", "4", ""]])


def test_a_nameless_last_column_may_be_filled_late() -> None:
    read = read_csv("a,b,\n" + "1,2\n" * 500 + "3,4,x\n5,6\n")
    assert read.fields == ["a", "b", "column_3"]
    assert list(read.records["501"].values()) == ["3", "4", "x"]
    assert (list(read.records["1"]), list(read.records["502"])) == (["a", "b"], ["a", "b", "column_3"])
    assert [column["filled"] for column in read.columns] == [502, 502, 1]
    assert read.notes == {}


# What caller and limits say ------------------------------------------------------------------------------


def test_more_rows_or_blank_lines_than_a_file_may_have_refuse_it() -> None:
    limits = ReadLimits(max_rows=10, max_blank_lines=5)
    assert len(read_csv("a\n" + "1\n" * 10, limits).records) == 10
    assert refusal("a\n" + "1\n" * 11, limits).code == "payload_too_large"
    assert len(read_csv("\n\na\n\n\n\n1\n", limits).records) == 1
    assert refusal("a\n1\n" + "\n" * 6, limits).code == "unreadable_file"
    assert refusal("\n" * 6 + "a\n1\n", limits).code == "unreadable_file"


@pytest.mark.parametrize("blank", ["\n", "\r", "\r\n", " \n"])
def test_forty_megabytes_of_blank_lines_are_given_up_at_once(blank: str) -> None:
    started = time.process_time()
    assert refusal("a\n1\n" + blank * (40_000_000 // len(blank))).code == "unreadable_file"
    assert refusal(blank * (40_000_000 // len(blank))).code == "unreadable_file"
    assert time.process_time() - started < 5


def test_a_title_may_stand_far_below_blank_lines() -> None:
    read = read_csv("\n" * 300_000 + "a,b\n1,2\n")
    assert (read.fields, read.rows) == (["a", "b"], [["1", "2"]])
