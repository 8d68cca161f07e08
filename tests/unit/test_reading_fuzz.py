"""Whatever bytes are uploaded: rows come out or the file is refused, in bounded time, and nothing is lost
in between.
"""

from __future__ import annotations

import gzip
import io
import json
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.ingest.job import FileFormat, RaggedRow, ReadJob, ReadLimits, ReadOptions
from api.ingest.reading import FileReading
from api.ingest.refusal import FileRefusedError
from tests.support.workbooks import workbook

LIMITS = ReadLimits(max_bytes=200_000, max_rows=500, max_blank_lines=500)
ANY = settings(
    max_examples=300,
    deadline=timedelta(seconds=10),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=True,
)

CODES = {"unreadable_file", "undecodable_file", "payload_too_large", "submission_empty"}
PIECES = st.one_of(
    st.sampled_from(
        ["a", "Acme", "1", "ü", "Ł", "株", "", " ", ",", ";", "|", "\t", '"', '""', '="x"', "\n"]
    ),
    st.sampled_from(
        ["\r\n", "\r", "\x00", "sep=;", "\ufeff", "\u2028", "\\", "'", "{", "}", "[", ":", "1e400"]
    ),
    st.sampled_from(['{"a": 1}\n', "a,b,c\n", '"x","y"\n']),
)
TEXTS = st.lists(PIECES, max_size=80).map("".join)
ENCODINGS = st.sampled_from(
    [
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-32-be",
        "cp1252",
        "cp1250",
        "cp932",
        "gb18030",
        "mac_roman",
    ]
)
OPTIONS = st.builds(
    ReadOptions,
    format=st.sampled_from([FileFormat.CSV, FileFormat.NDJSON]),
    encoding=st.sampled_from([None, None, "utf-8", "cp1250", "utf-16", "cp932", "iso2022_jp", "hz"]),
    delimiter=st.sampled_from([None, None, ",", "\t", "~", " "]),
    skip_lines=st.sampled_from([None, None, 0, 1, 50]),
    header=st.sampled_from([None, None, ("a",), ("a", "a", "")]),
    on_ragged_row=st.sampled_from(RaggedRow),
)


def read(content: bytes, options: ReadOptions) -> None:
    try:
        reading = FileReading(io.BytesIO(content), ReadJob(options, LIMITS))
        rows = list(reading.rows())
    except FileRefusedError as refused:
        json.dumps([refused.message, refused.details]).encode()
        if refused.code not in CODES:
            raise
        return
    assert rows
    numbers = [json.loads(row if isinstance(row, bytes) else row.encoded)["id"] for row in rows]
    assert numbers == [str(number) for number in range(1, len(rows) + 1)]
    names = [column["name"] for column in reading.columns()]
    if reading.format is not FileFormat.NDJSON:
        assert names == reading.fields
        assert len(set(names)) == len(names)
    filled = max((column["filled"] for column in reading.columns()), default=0)
    assert filled <= reading.record_count
    json.dumps(reading.read_as(), ensure_ascii=False).encode()


@ANY
@given(st.binary(max_size=2000), OPTIONS)
def test_any_bytes_are_read_or_refused(content: bytes, options: ReadOptions) -> None:
    read(content, options)


@ANY
@given(TEXTS, ENCODINGS, OPTIONS, st.booleans())
def test_any_text_is_read_or_refused(
    text: str, encoding: str, options: ReadOptions, compressed: bool
) -> None:
    content = text.encode(encoding, "ignore")
    read(gzip.compress(content) if compressed else content, options)


WORKBOOK = workbook(Data=[["name", "city"], ["Acme", "Bonn"], [1, 2.5], [True, None]])


@ANY
@given(st.lists(st.tuples(st.integers(0, len(WORKBOOK) - 1), st.integers(0, 255)), max_size=20))
def test_any_damage_to_a_workbook_is_survived(damage: list[tuple[int, int]]) -> None:
    content = bytearray(WORKBOOK)
    for place, byte in damage:
        content[place] = byte
    read(bytes(content), ReadOptions())


@ANY
@given(
    st.lists(
        st.sampled_from([b"\xff", b"\x81", b"a", b",", b"\n", b"\xe3\x83", b"\xc3\xbc", b"\x00"]),
        max_size=200,
    )
)
def test_any_mixture_of_encodings_is_read_or_refused(parts: list[bytes]) -> None:
    read(b"name,city\n" + b"".join(parts), ReadOptions())


@ANY
@given(
    st.sampled_from(["\n", "\r", '"', '",', '"a"b\n', ",", ";\n", '"\n', "\x00", " ", '="', "[", "{"]),
    st.integers(0, 60_000),
)
def test_one_thing_over_and_over_takes_linear_time(piece: str, count: int) -> None:
    content = (piece * count)[:200_000].encode()
    read(b"a,b\n" + content, ReadOptions())
    read(content, ReadOptions(format=FileFormat.NDJSON))
