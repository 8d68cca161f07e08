"""Reads files through the ingestion, like an upload but without a server."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import pytest

from api.ingest.job import FileFormat, ReadJob, ReadLimits, ReadOptions
from api.ingest.reading import FileReading
from api.ingest.refusal import FileRefusedError
from api.ingest.rows import Row

LIMITS = ReadLimits()


@dataclass(frozen=True)
class ReadFile:
    fields: list[str]
    records: dict[str, Any]
    """id → data"""
    rejected: dict[str, tuple[str, int, str]]
    """id → reason, line, raw text"""
    columns: list[dict[str, Any]]
    read_as: dict[str, Any]

    @property
    def notes(self) -> dict[str, int]:
        notes: dict[str, int] = self.read_as["notes"]
        return notes

    @property
    def rows(self) -> list[list[Any]]:
        return [list(data.values()) for data in self.records.values()]


def read_csv(content: bytes | str, limits: ReadLimits = LIMITS, **options: Any) -> ReadFile:  # noqa: ANN401
    return _read(content, ReadOptions(**options), limits)


def read_ndjson(content: bytes | str, limits: ReadLimits = LIMITS) -> ReadFile:
    return _read(content, ReadOptions(format=FileFormat.NDJSON), limits)


def refusal(
    content: bytes | str,
    limits: ReadLimits = LIMITS,
    **options: Any,  # noqa: ANN401
) -> FileRefusedError:
    """Why a file is not read at all."""
    with pytest.raises(FileRefusedError) as refused:
        _read(content, ReadOptions(**options), limits)
    return refused.value


def _read(content: bytes | str, options: ReadOptions, limits: ReadLimits) -> ReadFile:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    reading = FileReading(file, ReadJob(options, limits))
    records: dict[str, Any] = {}
    rejected: dict[str, tuple[str, int, str]] = {}
    for row in reading.rows():
        found = decode(row)
        assert found["id"] not in records
        assert found["id"] not in rejected
        if isinstance(row, bytes):
            records[found["id"]] = found["data"]
        else:
            rejected[found["id"]] = (found["reason"], found["details"]["line"], found["data"]["raw"])
    assert (len(records), len(rejected)) == (reading.record_count, reading.rejected_count)
    return ReadFile(reading.fields, records, rejected, reading.columns(), reading.read_as())


def decode(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row if isinstance(row, bytes) else row.encoded)
    return found
