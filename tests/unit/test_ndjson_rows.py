"""Which lines of an NDJSON file become records, and which are rejected."""

from __future__ import annotations

import pytest

from api.ingest.job import ReadLimits
from api.ingest.refusal import FileRefusedError
from api.ingest.rows import MAX_FIELDS, MAX_RECORD_BYTES
from tests.unit.files import read_ndjson


def test_lines_become_records_and_fields_come_in_first_seen_order() -> None:
    read = read_ndjson('{"b": 1, "a": {"x": [1]}}\n{"c": null, "b": true}\n')
    assert read.records == {"1": {"b": 1, "a": {"x": [1]}}, "2": {"c": None, "b": True}}
    assert read.fields == ["b", "a", "c"]


def test_blank_lines_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    read = read_ndjson('\ufeff{"a":1}\r\n\r\n   \n{"a":2}'.encode())
    assert read.records == {"1": {"a": 1}, "2": {"a": 2}}


def test_numbers_keep_every_digit_they_were_written_with() -> None:
    line = '{"rate": 0.12345678901234567890, "x": 1.10, "y": 1E5}'
    read = read_ndjson(line)
    assert read.rejected == {}
    # The text of the line is sent unchanged.
    from_file = read_ndjson(line.replace(" ", ""))
    assert from_file.records["1"]["x"] == 1.1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "invalid_json"),
        ('{"a": 1} {"b": 2}', "invalid_json"),
        ('{"a": 1},', "invalid_json"),
        ("{'a': 1}", "invalid_json"),
        ('{"a": NaN}', "invalid_json"),
        ('{"a": -Infinity}', "invalid_json"),
        ('{"a": 1e400}', "invalid_json"),
        ('{"a": 1e-20000}', "invalid_json"),
        ('{"a": 9007199254740993}', "invalid_json"),
        ('{"a": [-9007199254740992]}', "invalid_json"),
        ('{"a": 9007199254740993.0}', "invalid_json"),
        ('{"a": 1.2345678901234567891e25}', "invalid_json"),
        ('{"a": ' + "9" * 5000 + "}", "invalid_json"),
        ('{"a": "tab\there"}', "invalid_json"),
        ('{"a": "\\u0000"}', "invalid_json"),
        ('{"a\\u0000": 1}', "invalid_json"),
        ('{"a": "\\ud800"}', "invalid_json"),
        ('{"a": ["\\udc00\\ud800"]}', "invalid_json"),
        ('{"a":' + "[" * 5000 + "]" * 5000 + "}", "nested_too_deeply"),
        ('{"a":' + "[" * 200 + "]" * 200 + "}", "nested_too_deeply"),
        ('{"a":' + "[" * 100 + "]" * 100 + "}", "nested_too_deeply"),
        ('{"a":' + '{"b":' * 100 + "1" + "}" * 100 + "}", "nested_too_deeply"),
        ("[1, 2]", "not_an_object"),
        ('"text"', "not_an_object"),
        ("17", "not_an_object"),
        ("null", "not_an_object"),
        ('{"a": "' + "x" * MAX_RECORD_BYTES + '"}', "record_too_large"),
        ('{"a": "' + "ä" * (MAX_RECORD_BYTES // 2) + '"}', "record_too_large"),
    ],
    ids=lambda value: value[:24],
)
def test_a_line_that_is_not_a_storable_object_is_rejected_and_the_rest_goes_on(
    line: str, reason: str
) -> None:
    read = read_ndjson('{"a": 0}\n\n' + line + '\n{"a": 2}\n')
    assert read.rejected["2"][:2] == (reason, 3)
    assert line.startswith(read.rejected["2"][2])
    assert read.records == {"1": {"a": 0}, "3": {"a": 2}}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('{"a": "\\\\u0000"}', "\\u0000"),
        ('{"a": 9007199254740991}', 9007199254740991),
        ('{"a": 0.0e-400}', 0),
        ('{"a": 6.02214076e23}', 6.02214076e23),
        ('{"a": 0.1234567890123456789}', 0.12345678901234568),
        ('{"a": "\\ud83d\\ude00"}', "\U0001f600"),
        ('{"a": "\\\\\\\\u0000 \\\\ud800"}', "\\\\u0000 \\ud800"),
    ],
)
def test_escapes_that_only_look_unstorable_pass(line: str, value: str) -> None:
    assert read_ndjson(line).records == {"1": {"a": value}}


def test_a_hundred_levels_are_taken_and_many_brackets_side_by_side_as_well() -> None:
    deep = '{"a":' + "[" * 99 + "]" * 99 + "}"
    wide = '{"a": [' + ",".join(["[]"] * 500) + '], "b": "[[[["}'
    assert read_ndjson(f"{deep}\n{wide}\n").rejected == {}


def test_a_byte_that_is_no_text_costs_its_field_a_note() -> None:
    content = '{"a": "äöü"}\n'.encode() + b'{"b": 1, "a": "\xff"}\n' + '{"a": "ß"}\n'.encode()
    read = read_ndjson(content)
    assert read.rejected == {}
    assert read.records["2"] == {"b": 1, "a": "\ufffd"}
    assert read.read_as["noted_cells"] == [{"row": 2, "line": 2, "column": "a"}]


def test_other_encodings_are_read_as_well() -> None:
    read = read_ndjson('{"a": "Żabka Gdańsk"}\n{"a": "Zakłady Mięsne"}\n'.encode("cp1250"))
    assert [record["a"] for record in read.records.values()] == ["Żabka Gdańsk", "Zakłady Mięsne"]
    assert read.read_as["encoding"] == "cp1250"


def test_limits_on_rows_and_blank_lines_hold() -> None:
    limits = ReadLimits(max_rows=3, max_blank_lines=3)
    with pytest.raises(FileRefusedError):
        read_ndjson('{"a": 1}\n' * 4, limits)
    with pytest.raises(FileRefusedError):
        read_ndjson('{"a": 1}\n' + "\n" * 4, limits)


def test_fields_are_profiled_whatever_their_type() -> None:
    read = read_ndjson('{"a": "ACME", "b": 1}\n{"a": "", "b": "2"}\n{"a": null, "b": true, "c": {}}\n')
    assert read.columns == [
        {"name": "a", "filled": 1, "capitals": 1, "lower_case": 0, "numeric": 0},
        {"name": "b", "filled": 3, "capitals": 0, "lower_case": 0, "numeric": 2},
        {"name": "c", "filled": 1, "capitals": 0, "lower_case": 0, "numeric": 0},
    ]


def test_at_most_2000_field_names_are_collected() -> None:
    lines = "".join(f'{{"field_{number}": 1}}\n' for number in range(MAX_FIELDS + 500))
    read = read_ndjson(lines)
    assert len(read.records) == MAX_FIELDS + 500
    assert len(read.fields) == MAX_FIELDS
