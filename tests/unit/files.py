"""Reads files through the ingestion, like an upload but without a server."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

from api.ingest.csv_rows import CsvRows
from api.ingest.ndjson_rows import NdjsonRows
from api.ingest.rows import EncodedRecord, Row
from api.ingest.scan import Scan, open_text, scan

MAX_BYTES = 100_000_000


@dataclass(frozen=True)
class ReadFile:
    fields: list[str]
    records: dict[str, Any]
    """id → data"""
    rejected: dict[str, tuple[str, int, str]]
    """id → reason, line, raw text"""
    scan: Scan


def read_csv(content: bytes | str) -> ReadFile:
    return _read(content, CsvRows)


def read_ndjson(content: bytes | str) -> ReadFile:
    return _read(content, NdjsonRows)


def _read(content: bytes | str, kind: type[CsvRows | NdjsonRows]) -> ReadFile:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    scanned = scan(file, MAX_BYTES)
    rows = kind(open_text(file, scanned), scanned)
    return split(rows, scanned)


def split(rows: CsvRows | NdjsonRows, scanned: Scan) -> ReadFile:
    records: dict[str, Any] = {}
    rejected: dict[str, tuple[str, int, str]] = {}
    for row in rows:
        found = decode(row)
        assert found["id"] not in records
        assert found["id"] not in rejected
        if isinstance(row, EncodedRecord):
            records[found["id"]] = found["data"]
        else:
            rejected[found["id"]] = (found["reason"], found["details"]["line"], found["data"]["raw"])
    return ReadFile(rows.fields, records, rejected, scanned)


def decode(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row.encoded.decode("utf-8"))
    return found
