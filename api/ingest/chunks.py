"""Rows → chunks: up to 1,000 rows or about 1 MB, each sent with one call."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from api.ingest.rows import EncodedRecord, RejectedRow, Row

MAX_ROWS = 1_000
TARGET_BYTES = 1_000_000


@dataclass(slots=True)
class Chunk:
    """Rows in order; the database gets records and rejected rows in one call."""

    records: list[EncodedRecord] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    size: int = 0

    @property
    def row_count(self) -> int:
        return len(self.records) + len(self.rejected)

    def add(self, row: Row) -> None:
        self.size += len(row.encoded)
        if isinstance(row, EncodedRecord):
            self.records.append(row)
        else:
            self.rejected.append(row)

    def rpc_body(self, submission_id: str, chunk_index: int) -> bytes:
        """The arguments of append_submission_chunk as JSON text, joined from the encoded rows."""
        head = json.dumps({"p_submission_id": submission_id, "p_chunk_index": chunk_index})
        records = b",".join(row.encoded for row in self.records)
        rejected = b",".join(row.encoded for row in self.rejected)
        return b'%b,"p_records":[%b],"p_rejected":[%b]}' % (head[:-1].encode(), records, rejected)


def chunked(rows: Iterable[Row]) -> Iterator[Chunk]:
    chunk = Chunk()
    for row in rows:
        if chunk.row_count and (chunk.row_count == MAX_ROWS or chunk.size + len(row.encoded) > TARGET_BYTES):
            yield chunk
            chunk = Chunk()
        chunk.add(row)
    if chunk.row_count:
        yield chunk
