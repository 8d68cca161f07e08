"""Delimiter, header, quotes and columns of files as programs and people leave them."""

from __future__ import annotations

import random

import pytest

from api.ingest.header import find_header
from api.ingest.lines import read_lines
from api.ingest.quoting import repair, unguard, unwrap
from api.ingest.rows import MAX_RECORD_BYTES
from tests.unit.files import read_csv, refusal

# Delimiter ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "content",
    [
        "Company{0}City{0}Phone\nAcme{0}Boston{0}1\nBeta{0}Reno{0}2\n",
        '"Company"{0}"City"\n"Acme{0} Inc."{0}"Boston"\n',
        "Company{0}City\nAcme{0}\n{0}\n{0}Reno\n",
        "Title of it\n\nCompany{0}City{0}Zip\nAcme{0}Boston{0}1\nBeta{0}Reno{0}2\n",
    ],
)
def test_delimiter_is_found_by_all_lines(delimiter: str, content: str) -> None:
    read = read_csv(content.format(delimiter))
    assert read.read_as["delimiter"] == delimiter
    assert read.fields[:2] == ["Company", "City"]


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ("Name;Umsatz\nA;1,5\nB;2,5\nC;3,75\n", ";"),
        ("Company;City\nAcme, Inc.;Bonn, Beuel\nBeta;Köln, Deutz\n", ";"),
        ("Name|Tags|City\nAcme|a,b,c|Bonn\nBeta|a,b|Köln\n", "|"),
        ("id\tnote\n1\ta, b, c; d\n2\te, f, g; h\n", "\t"),
        ("name,note\nAcme,a; b; c\nBeta,d; e; f\n", ","),
        ("Report, of Acme\n\nName;City;Zip\nA;B;1\nC;D;2\nE;F;3\n", ";"),
        ("id,name,email\n1,Alice,a@b.com\n2;Bob;b@b.com\n3\tCara\tc@b.com\n", ","),
    ],
)
def test_other_delimiters_within_values_do_not_count(content: str, delimiter: str) -> None:
    assert read_csv(content).read_as["delimiter"] == delimiter


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("Company\nAcme, Inc.\nBeta, Ltd.\n", ["Acme, Inc.", "Beta, Ltd."]),
        ("Companies of the region\nAcme, Inc.\nBeta, Ltd.\n", ["Acme, Inc.", "Beta, Ltd."]),
        ("email\na@x.de\nb@x.de;\n", ["a@x.de", "b@x.de;"]),
        ("Company;\nAcme;\nBeta;\n", ["Acme", "Beta"]),
        ("Company\nAcme;\nBeta;\n", ["Acme", "Beta"]),
        ('"Company"\n"Acme, Inc."\n', ["Acme, Inc."]),
    ],
)
def test_a_file_of_one_column_has_one(content: str, values: list[str]) -> None:
    assert read_csv(content).rows == [[value] for value in values]


@pytest.mark.parametrize(
    "first", ["sep=~", "SEP=~", '"sep=~"', "\ufeffsep=~", "sep=~~~~", "sep=~;;;", "\nsep=~"]
)
def test_first_line_of_excel_may_name_any_character(first: str) -> None:
    first = first.replace("~~~~", "~")
    read = read_csv(f"{first}\r\nOrg~Country\r\nAcme~US\r\n")
    assert (read.fields, read.rows) == (["Org", "Country"], [["Acme", "US"]])


def test_the_caller_s_delimiter_is_used() -> None:
    assert read_csv("a:b,c\n1:2,3\n", delimiter=":").rows == [["1", "2,3"]]
    assert read_csv("sep=;\na:b\n1:2\n", delimiter=":").rows == [["1", "2"]]
    assert read_csv("a b\n1 2\n", delimiter=" ").rows == [["1", "2"]]


def test_a_line_with_another_delimiter_is_split_when_it_has_as_many_fields() -> None:
    read = read_csv("id,name,email\n1,Alice,a@b.com\n2;Bob;b@b.com\n3;Eve\n4,Max,m@b.com\n")
    assert read.rows == [
        ["1", "Alice", "a@b.com"],
        ["2", "Bob", "b@b.com"],
        ["3;Eve", "", ""],
        ["4", "Max", "m@b.com"],
    ]
    assert read.notes == {"other_delimiter_rows": 1, "padded_rows": 1}


# Header ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("above", "skipped"),
    [
        ("Account report\n", 1),
        ("Account report,,,\nGenerated on 2024-03-01,,,\n,,,\n", 3),
        ("\n\nAccount report\n\n", 4),
        ('"Report, made by Ada"\n', 1),
        ("Report:,Accounts\nDate:,2024-03-01\n\n", 3),
        ("Report,Accounts\nCreated,2024-03-01\n\n", 3),
        ("\n\n", 2),
        (",,,\n", 1),
    ],
)
def test_a_title_above_the_header_is_skipped(above: str, skipped: int) -> None:
    table = "Company,Country,City,Phone\nAcme,US,Boston,(202) 555-0143\nBeta,DE,Bonn,0228 1234\n"
    read = read_csv(above + table)
    assert read.fields == ["Company", "Country", "City", "Phone"]
    assert len(read.records) == 2
    assert read.read_as["skipped_lines"] == skipped


@pytest.mark.parametrize(
    "rows",
    [
        [["Company", "", "", ""], ["Acme", "US", "Boston", "5"], ["Beta", "DE", "Bonn", "6"]],
        [["Name", "E-mail"], ["Ada", "ada@x.com"], ["Bob", "bob@x.com"]],
        [["Firma", ""], ["Acme", "Bonn"], ["Beta", "Ulm"]],
        [["Kontakte"], ["ada@x.com", "+49 228 123456"], ["bob@x.com", "+49 228 123457"]],
        [["A", "B", "C"], ["x"], ["y"], ["1", "2", "3"]],
        [["only"], ["one"], ["column"]],
        [["a", "b"], ["1", "2", "3", "4"], ["5", "6", "7", "8"]],
        [["Company", "", "City", ""], ["Acme", "US", "Bonn", "x"], ["Beta", "DE", "Ulm", "y"]],
        [["Title"], ["A", "B", "C"]],
    ],
)
def test_the_first_row_is_the_header_unless_it_is_plainly_a_title(rows: list[list[str]]) -> None:
    assert find_header(rows) == 0


def test_the_caller_says_how_many_lines_are_above_the_header() -> None:
    content = "a,b\nc,d\n\ne,f\n1,2\n"
    assert read_csv(content, skip_lines=3).fields == ["e", "f"]
    assert read_csv(content, skip_lines=0).fields == ["a", "b"]
    assert read_csv("\n" * 400_000 + content, skip_lines=400_003).fields == ["e", "f"]
    assert refusal("Title\nCompany,City\nA,B\n", skip_lines=0).code == "unreadable_file"


def test_a_file_without_a_header_gets_the_caller_s_names() -> None:
    read = read_csv("Acme;Bonn\nBeta;Ulm;\nGamma\n", header=("Firma", "Ort"))
    assert read.fields == ["Firma", "Ort"]
    assert read.rows == [["Acme", "Bonn"], ["Beta", "Ulm"], ["Gamma", ""]]
    assert read.read_as["header"] == "option"
    assert read_csv("x\n1,2\n", header=("a", "b"), skip_lines=1, delimiter=",").rows == [["1", "2"]]


def test_a_header_that_is_too_wide_says_which_options_help() -> None:
    refused = refusal("x" * 300 + ",b\n1,2\n")
    assert "`header`" in refused.message
    assert "`skip_lines`" in refused.message


# Quotes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ('"ACME "Best" Corp",US,x', ['ACME "Best" Corp', "US", "x"]),
        ('"Smith & Sons",US,"5" pipe"', ["Smith & Sons", "US", '5" pipe']),
        ('1,Acme,"He said "clean it first" today"', ["1", "Acme", 'He said "clean it first" today']),
        ('"Acme" ,"US" , x', ["Acme", "US", " x"]),
        ('"ACME \\"Best\\" Corp",US,x', ['ACME "Best" Corp', "US", "x"]),
        ('"a ""b"" "c"",2,3', ['a "b" "c"', "2", "3"]),
    ],
)
def test_quotes_that_are_not_doubled_are_mended_where_there_is_one_reading(
    line: str, fields: list[str]
) -> None:
    assert repair(line, ",", 3) == fields
    assert read_csv(f"a,b,c\n{line}\n7,8,9\n").rows == [fields, ["7", "8", "9"]]


@pytest.mark.parametrize("line", ['"a","b" c",d",3', '"a" b,2', '"open,2,3', '1,"a"b,3', '"a"b",2,"c"d"e,3'])
def test_a_line_with_several_readings_or_none_is_rejected(line: str) -> None:
    read = read_csv(f"a,b,c\n{line}\n7,8,9\n")
    assert read.rejected == {"1": ("malformed_row", 2, line)}
    assert read.rows == [["7", "8", "9"]]


def test_a_line_of_a_megabyte_of_quotes_is_given_up_quickly() -> None:
    assert repair('"a,' * 300_000, ",", 2000) is None
    assert repair('"' * 900_000, ",", 2000) is None


def test_spaces_before_quotes_are_part_of_how_the_file_is_written() -> None:
    read = read_csv('Name, "City, State", Phone\nAcme, "Boston, MA", 1\nBeta, "Reno, NV", 2\n')
    assert read.fields == ["Name", "City, State", "Phone"]
    assert read.rows == [["Acme", "Boston, MA", "1"], ["Beta", "Reno, NV", "2"]]


def test_spaces_of_values_stay_where_no_quote_follows_them() -> None:
    assert read_csv('a,b\n x , y \n1,"2"\n').rows[0] == [" x ", " y "]


def test_lines_quoted_whole_are_unwrapped_one_by_one() -> None:
    read = read_csv('Name,City,Tel\n"""Acme, Inc"",Boston,1"\nBeta,Reno,2\n"Gamma,Ulm,3"\n')
    assert read.rows == [["Acme, Inc", "Boston", "1"], ["Beta", "Reno", "2"], ["Gamma", "Ulm", "3"]]
    assert read.notes == {"unwrapped_lines": 2}


def test_a_quoted_value_with_commas_is_no_line_quoted_whole() -> None:
    assert unwrap(["a,b", "c"], '"a,b",c', ",") is None
    assert unwrap(["a,b"], "a,b", ";") is None
    assert unwrap(["a b"], '"a b"', ",") is None
    assert unwrap([], "", ",") is None
    assert read_csv('a,b\n"x, y",\n').rows == [["x, y", ""]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('="0123"', "0123"),
        ('="a ""b"""', 'a "b"'),
        (' ="x" ', "x"),
        ('="x', '="x'),
        ("=1+1", "=1+1"),
        ('x="y"', 'x="y"'),
    ],
)
def test_guards_of_excel_are_taken_off(value: str, text: str) -> None:
    assert unguard(value) == text


def test_guards_in_header_and_cells_are_counted() -> None:
    read = read_csv('="Firma";="PLZ"\nAcme;="01234"\n')
    assert (read.fields, read.rows) == (["Firma", "PLZ"], [["Acme", "01234"]])
    assert read.notes == {"unguarded_cells": 1}


# Lines -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_lines_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    text = "a\r\nb\rc\n\n\r\r\n\u2028d\x0be\x85ü€\r\n" * 3 + "end"
    content = text.encode()
    blocks = [content[start : start + size] for start in range(0, len(content), size)]
    texts = [line for lines in read_lines(blocks, "utf-8") for line in lines.texts]
    assert texts == text.splitlines(keepends=True) or "".join(texts) == text
    assert texts == [line for lines in read_lines([content], "utf-8") for line in lines.texts]
    assert "d\x0be\x85ü€\r\n" in "".join(texts)


def test_lines_longer_than_a_record_keep_their_beginning_only() -> None:
    blocks = [b"a\n", *[b"x" * 250_000] * 6, b"\nb\r", b"\nc"]
    found = list(read_lines(blocks, "utf-8"))
    assert [len(lines.texts[0]) for lines in found if lines.too_long] == [10_001]
    assert [text for lines in found if not lines.too_long for text in lines.texts] == ["a\n", "b\r\n", "c"]


def test_a_line_of_exactly_a_record_s_size_is_no_longer_than_it_may_be() -> None:
    (found,) = read_lines([b"x" * 500_000, b"y" * (MAX_RECORD_BYTES - 500_000), b"\r\n"], "utf-8")
    assert not found.too_long


def test_lines_of_random_bytes_lose_nothing() -> None:
    source = random.Random(1)  # noqa: S311
    for _ in range(50):
        content = bytes(source.choices(b"ab\r\n", k=400))
        cuts = sorted(source.choices(range(400), k=5))
        blocks = [content[a:b] for a, b in zip([0, *cuts], [*cuts, 400], strict=True)]
        texts = [line for lines in read_lines(blocks, "utf-8") for line in lines.texts]
        assert "".join(texts).encode() == content
        assert texts == content.decode().splitlines(keepends=True)


# Profiles ----------------------------------------------------------------------------------------------


def test_columns_are_profiled_as_they_are_read() -> None:
    read = read_csv(
        "name,size,note\nACME GMBH,12,x\nacme,1.234,\n  , 5 ,Y\nÄRZTE 24,+1e3,12 x\nAcme,n/a,1 234\n"
    )
    assert read.columns == [
        {"name": "name", "filled": 4, "capitals": 2, "lower_case": 1, "numeric": 0},
        {"name": "size", "filled": 5, "capitals": 0, "lower_case": 2, "numeric": 4},
        {"name": "note", "filled": 4, "capitals": 1, "lower_case": 2, "numeric": 1},
    ]


def test_profiles_count_every_row_and_no_rejected_one() -> None:
    read = read_csv("a,b\n" + "X,1\n" * 2500 + "y,2,3\n")
    assert [column["filled"] for column in read.columns] == [2500, 2500]
    assert read.columns[0]["capitals"] == read.columns[1]["numeric"] == 2500


@pytest.mark.parametrize(
    "value", ["1", "-1", "+1.5", "1,5", "1.234,56", "1,234.56", "1 234 567", "1'234", "1e10", "007"]
)
def test_numbers_are_told_as_people_write_them(value: str) -> None:
    assert read_csv(f"a;b\n{value};x\n").columns[0]["numeric"] == 1


@pytest.mark.parametrize(
    "value", ["", "x", "1x", "1.2.3", "12 34", "020 7946 0123", "1-2", "$5", "٣٤x", "--1"]
)
def test_other_values_are_no_numbers(value: str) -> None:
    assert read_csv(f"a;b\n{value};x\n").columns[0]["numeric"] == 0
