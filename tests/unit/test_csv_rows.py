"""Which rows of a CSV file become records, and which are rejected."""

from __future__ import annotations

import time

import pytest

from api.errors import ApiError
from api.ingest import csv_rows
from api.ingest.csv_rows import field_names
from api.ingest.rows import MAX_RAW_CHARACTERS, MAX_RECORD_BYTES, reject
from tests.unit.files import decode, read_csv


def unreadable(content: bytes | str) -> None:
    with pytest.raises(ApiError) as raised:
        read_csv(content)
    assert raised.value.code == "unreadable_file"


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
    read = read_csv(line_end.join(["a,b", "1,2", "3", "5,6", ""]))
    assert list(read.records) == ["1", "3"]
    assert read.rejected["2"][:2] == ("too_few_fields", 3)


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


def test_too_few_and_too_many_fields_are_rejected_with_line_and_text() -> None:
    read = read_csv("a,b\n1\n1,2,3\n4,5\n1,2,\n")
    assert read.rejected == {
        "1": ("too_few_fields", 2, "1"),
        "2": ("too_many_fields", 3, "1,2,3"),
        "4": ("too_many_fields", 5, "1,2,"),
    }
    assert read.records == {"3": {"a": "4", "b": "5"}}


def test_line_numbers_count_physical_lines() -> None:
    read = read_csv('a,b\n"x\ny\nz",2\n\nbad\n')
    assert read.rejected == {"2": ("too_few_fields", 6, "bad")}


def test_an_unclosed_quote_rejects_one_row_and_not_the_rest_of_the_file() -> None:
    read = read_csv('a,b\n1,2\n3,"open\n5,6\n7,8\n')
    assert read.rejected == {"2": ("malformed_row", 3, '3,"open')}
    assert read.records == {
        "1": {"a": "1", "b": "2"},
        "3": {"a": "5", "b": "6"},
        "4": {"a": "7", "b": "8"},
    }


def test_text_after_a_closing_quote_is_rejected() -> None:
    read = read_csv('a,b\n"ACME "Best" Corp",2\n3,4\n')
    assert read.rejected == {"1": ("malformed_row", 2, '"ACME "Best" Corp",2')}
    assert list(read.records) == ["2"]


def test_an_unclosed_quote_before_the_quote_of_another_row_rejects_only_its_own_row() -> None:
    read = read_csv('a,b\n1,"open\n2,"closed"\n3,4\n')
    assert read.rejected == {"1": ("malformed_row", 2, '1,"open')}
    assert read.records == {"2": {"a": "2", "b": "closed"}, "3": {"a": "3", "b": "4"}}


def test_the_search_for_a_closing_quote_stops_at_the_size_of_a_record() -> None:
    filler = f"{'x' * 1000},y\n" * (MAX_RECORD_BYTES // 1000 + 100)
    read = read_csv(f'a,b\n"open,1\n{filler}')
    assert read.rejected == {"1": ("malformed_row", 2, '"open,1')}
    assert len(read.records) == MAX_RECORD_BYTES // 1000 + 100


def test_a_file_full_of_unclosed_quotes_is_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line closes the quote of the previous line and opens another: a naive reader takes hours."""
    monkeypatch.setattr(csv_rows, "MAX_REREAD_CHARACTERS", 5_000_000)
    started = time.process_time()
    unreadable("a,b\n" + 'x",,"\n' * 400_000)
    assert time.process_time() - started < 10


def test_nul_characters_are_rejected_and_shown() -> None:
    read = read_csv("a,b\n1\x00,2\n3,4\n")
    assert read.rejected == {"1": ("malformed_row", 2, "1\\x00,2")}


def test_undecodable_bytes_reject_only_their_row() -> None:
    content = "a,b\nä,ö\n".encode() + b"bad \xff\xfe,2\n" + "ü,ß\n".encode()
    read = read_csv(content)
    assert read.rejected == {"2": ("undecodable_text", 3, "bad \\xff\\xfe,2")}
    assert read.records == {"1": {"a": "ä", "b": "ö"}, "3": {"a": "ü", "b": "ß"}}


def test_windows_1252_is_decoded_and_its_undefined_bytes_reject_their_row() -> None:
    content = "a;b\nMüller;5 €\n".encode("cp1252") + b"x\x81;2\n" + "Jürgen;ß\n".encode("cp1252")
    read = read_csv(content)
    assert read.scan.encoding == "cp1252"
    assert read.records == {"1": {"a": "Müller", "b": "5 €"}, "3": {"a": "Jürgen", "b": "ß"}}
    assert read.rejected == {"2": ("undecodable_text", 3, "x\\x81;2")}


def test_a_record_that_is_too_large_is_rejected_and_the_rest_goes_on() -> None:
    read = read_csv(f"a,b\n{'x' * (MAX_RECORD_BYTES + 10)},2\n3,4\n")
    reason, line, raw = read.rejected["1"]
    assert (reason, line, raw) == ("record_too_large", 2, "x" * MAX_RAW_CHARACTERS)
    assert read.records == {"2": {"a": "3", "b": "4"}}


def test_a_rejected_row_says_whether_its_raw_text_is_cut() -> None:
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


@pytest.mark.parametrize(
    "content",
    [
        "\n\n  \n",
        "sep=;\n",
        '"never closed,b\n1,2\n',
        'a"b,"c"d\n1,2\n',
        "a\x00b,c\n1,2\n",
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
    read = read_csv("a,b\n")
    assert (read.fields, read.records, read.rejected) == (["a", "b"], {}, {})
