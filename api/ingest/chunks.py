"""Rows → chunks: up to 1,000 rows or about 1 MB, each sent with one call."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from api.ingest.rows import EncodedRecord, RejectedRow, Row

MAX_ROWS = 1_000
TARGET_BYTES = 1_000_000


@dataclass(slots=True)
class Chunk:
    """Rows in order; records and rejected ones go to the database together."""

    records: list[EncodedRecord] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    size: int = 0

    @property
    def row_count(self) -> int:
        return len(self.records) + len(self.rejected)


def chunked(rows: Iterable[Row]) -> Iterator[Chunk]:
    chunk = Chunk()
    records, rejected = chunk.records, chunk.rejected
    for row in rows:
        encoded = row if isinstance(row, bytes) else row.encoded
        size = len(encoded)
        if chunk.size and (len(records) + len(rejected) == MAX_ROWS or chunk.size + size > TARGET_BYTES):
            yield chunk
            chunk = Chunk()
            records, rejected = chunk.records, chunk.rejected
        chunk.size += size
        if isinstance(row, bytes):
            records.append(row)
        else:
            rejected.append(row)
    if chunk.row_count:
        yield chunk


def rpc_body(submission_id: str, chunk_index: int, records: bytes, rejected: bytes) -> bytes:
    """The arguments of append_submission_chunk, from encoded rows with commas between them."""
    head = json.dumps({"p_submission_id": submission_id, "p_chunk_index": chunk_index})
    return b'%b,"p_records":[%b],"p_rejected":[%b]}' % (head[:-1].encode(), records, rejected)
