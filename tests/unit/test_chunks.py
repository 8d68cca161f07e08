"""How rows are cut into chunks, and that a large file is read with flat memory."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.ingest.chunks import MAX_ROWS, TARGET_BYTES, chunked, rpc_body
from api.ingest.job import FileFormat, ReadJob, ReadLimits, ReadOptions
from api.ingest.reading import FileReading
from api.ingest.rows import Row, accept, reject


def records(count: int, size: int = 1) -> Iterator[Row]:
    return (accept(number, json.dumps({"a": "x" * size})) for number in range(1, count + 1))


def test_a_chunk_holds_at_most_a_thousand_rows() -> None:
    assert [chunk.row_count for chunk in chunked(records(2 * MAX_ROWS + 1))] == [MAX_ROWS, MAX_ROWS, 1]


def test_a_chunk_holds_about_a_megabyte() -> None:
    chunks = list(chunked(records(50, 100_000)))
    assert sum(chunk.row_count for chunk in chunks) == 50
    assert all(chunk.size <= TARGET_BYTES for chunk in chunks)
    assert len(chunks) == 6


def test_a_record_as_large_as_a_chunk_has_one_for_itself() -> None:
    assert [chunk.row_count for chunk in chunked(records(3, 999_000))] == [1, 1, 1]


def test_rejected_rows_count_and_travel_with_their_neighbours() -> None:
    (chunk,) = chunked([*records(2), reject(3, 4, "malformed_row", "No.", "raw"), accept(4, "{}")])
    assert chunk.row_count == 4
    body = rpc_body("some-id", 7, b",".join(chunk.records), b",".join(row.encoded for row in chunk.rejected))
    assert json.loads(body) == {
        "p_submission_id": "some-id",
        "p_chunk_index": 7,
        "p_records": [
            {"id": "1", "data": {"a": "x"}},
            {"id": "2", "data": {"a": "x"}},
            {"id": "4", "data": {}},
        ],
        "p_rejected": [
            {
                "id": "3",
                "reason": "malformed_row",
                "message": "No.",
                "details": {"line": 4},
                "data": {"raw": "raw"},
            }
        ],
    }


def test_no_rows_are_no_chunks() -> None:
    assert list(chunked([])) == []


@pytest.mark.parametrize("kind", ["ndjson", "csv.gz"])
def test_fifty_megabytes_are_read_with_flat_memory(tmp_path: Path, kind: str) -> None:
    """Rows are long, so that the test is about bytes and stays quick."""
    path = tmp_path / "large"
    value = "wide value ä " * 350
    count = 11_000
    with gzip.open(path, "wb", 1) if kind.endswith("gz") else path.open("wb") as file:
        if kind == "ndjson":
            line = (json.dumps({"a": 1, "b": value}, ensure_ascii=False) + "\n").encode()
        else:
            file.write(b"a,b\n")
            line = f'1,"{value}"\n'.encode()
        for _ in range(count):
            file.write(line)
    assert count * len(line) > 50_000_000

    tracemalloc.start()
    try:
        with path.open("rb") as opened:
            options = ReadOptions(format=FileFormat.NDJSON if kind == "ndjson" else FileFormat.CSV)
            reading = FileReading(opened, ReadJob(options, ReadLimits(max_ratio=1000)))
            found = 0
            for chunk in chunked(reading.rows()):
                found += len(chunk.records)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == count
    assert peak < 8_000_000
