"""Uploaded file → received submission: scan, open, append chunk by chunk, finalize.

After a failure in the middle the submission stays `receiving`, has no run, and expires by itself.
"""

import asyncio
from collections.abc import Iterator
from pathlib import PurePath
from typing import IO

from starlette.datastructures import UploadFile

from api.auth.caller import Caller
from api.errors import ApiError, ErrorCode
from api.idempotency import IdempotencyScope
from api.ingest.chunks import Chunk, chunked
from api.ingest.csv_rows import CsvRows
from api.ingest.ndjson_rows import NdjsonRows
from api.ingest.rows import RejectedRow
from api.ingest.scan import open_text, scan, unreadable
from api.models.submissions import (
    ChunkAppended,
    SubmissionCreated,
    SubmissionOpened,
    UploadFormat,
    UploadSubmission,
)

MAX_REPORTED_REJECTS = 10
# A file with more bad rows than this is probably in another format.
MAX_REJECTED_ROWS = 10_000
# The stored records may be larger than the file, since each CSV row repeats the field names.
MAX_EXPANSION = 8
# Up to this many chunks without a record are read before a submission is opened.
MAX_LEADING_CHUNKS = 10

FORMAT_BY_SUFFIX = {
    ".csv": UploadFormat.CSV,
    ".tsv": UploadFormat.CSV,
    ".txt": UploadFormat.CSV,
    ".ndjson": UploadFormat.NDJSON,
    ".jsonl": UploadFormat.NDJSON,
}
FORMAT_BY_CONTENT_TYPE = {
    "text/csv": UploadFormat.CSV,
    "text/tab-separated-values": UploadFormat.CSV,
    "application/vnd.ms-excel": UploadFormat.CSV,  # sent by browsers on Windows for a .csv
    "application/x-ndjson": UploadFormat.NDJSON,
    "application/ndjson": UploadFormat.NDJSON,
    "application/jsonl": UploadFormat.NDJSON,
    "application/x-jsonlines": UploadFormat.NDJSON,
}


def upload_format(form: UploadSubmission, file: UploadFile) -> UploadFormat:
    """The format from the form, else from the file's name without `.gz`, else from its content type."""
    if form.format:
        return form.format
    name = (file.filename or "").lower().removesuffix(".gz")
    content_type = (file.content_type or "").partition(";")[0].strip().lower()
    found = FORMAT_BY_SUFFIX.get(PurePath(name).suffix) or FORMAT_BY_CONTENT_TYPE.get(content_type)
    if found is None:
        raise ApiError(
            ErrorCode.UNSUPPORTED_MEDIA_TYPE,
            "The format does not follow from the file's name or content type. Send `format`: csv or ndjson.",
            details={"content_type": content_type[:100]},
        )
    return found


async def ingest(
    caller: Caller, form: UploadSubmission, file: UploadFile, idempotency: IdempotencyScope, max_bytes: int
) -> SubmissionCreated:
    """Raises ApiError; unreadable_file or submission_empty if the file yields no record."""
    source = upload_format(form, file)
    content: IO[bytes] = file.file
    # Reading and parsing run in threads, so that they do not block other requests.
    scanned = await asyncio.to_thread(scan, content, max_bytes)
    with open_text(content, scanned) as text:
        rows: CsvRows | NdjsonRows
        if source is UploadFormat.CSV:
            rows = await asyncio.to_thread(CsvRows, text, scanned)
        else:
            rows = NdjsonRows(text, scanned)
        chunks = _Chunks(chunked(rows))
        leading = await chunks.leading()
        known_fields = {"p_fields": rows.fields} if isinstance(rows, CsvRows) else {}
        hashed = form.model_dump(mode="json") | {"format": source, "file_sha256": scanned.sha256}
        opened = await caller.call(
            "open_submission",
            {
                "p_company_id": str(form.company_id),
                "p_blueprint_id": str(form.blueprint_id),
                "p_name": form.name,
                "p_source": source,
                **known_fields,
                **idempotency.arguments(hashed),
            },
            SubmissionOpened,
        )
        if opened.replayed and opened.pipeline_run:
            return SubmissionCreated(submission=opened.submission, pipeline_run=opened.pipeline_run)
        submission_id = str(opened.submission.id)
        chunk_index = stored_bytes = 0
        while chunk := leading.pop(0) if leading else await chunks.next():
            body = await asyncio.to_thread(chunk.rpc_body, submission_id, chunk_index)
            stored_bytes += len(body)
            if stored_bytes > MAX_EXPANSION * max_bytes:
                raise ApiError(
                    ErrorCode.PAYLOAD_TOO_LARGE,
                    "The records are too large, because each repeats the field names. "
                    "Split the file or shorten the header.",
                )
            await caller.call("append_submission_chunk", body, ChunkAppended, repeatable=True)
            chunk_index += 1
        chunks.require_a_record()
        return await caller.call(
            "finalize_submission",
            {"p_submission_id": submission_id, "p_fields": rows.fields},
            SubmissionCreated,
        )


class _Chunks:
    """Reads chunks one by one in threads, and counts their records and rejected rows."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks = chunks
        self._record_count = 0
        self._rejected_count = 0
        self._first_rejected: list[RejectedRow] = []

    async def next(self) -> Chunk | None:
        chunk = await asyncio.to_thread(next, self._chunks, None)
        if chunk:
            self._record_count += len(chunk.records)
            self._rejected_count += len(chunk.rejected)
            wanted = MAX_REPORTED_REJECTS - len(self._first_rejected)
            self._first_rejected += chunk.rejected[:wanted]
            if self._rejected_count > MAX_REJECTED_ROWS:
                raise self._unreadable(f"More than {MAX_REJECTED_ROWS:,} rows of the file could not be read.")
        return chunk

    async def leading(self) -> list[Chunk]:
        """The chunks up to the first that holds a record; raises ApiError if the file has no record."""
        leading: list[Chunk] = []
        while len(leading) < MAX_LEADING_CHUNKS:
            chunk = await self.next()
            if chunk is None:
                self.require_a_record()
                break
            leading.append(chunk)
            if chunk.records:
                break
        return leading

    def require_a_record(self) -> None:
        if self._record_count:
            return
        if not self._rejected_count:
            raise ApiError(ErrorCode.SUBMISSION_EMPTY, "The file has no data row.")
        raise self._unreadable("No row of the file could be read.")

    def _unreadable(self, message: str) -> ApiError:
        return unreadable(
            message,
            rejected_count=self._rejected_count,
            first_rejected=[
                {"line": row.line, "reason": row.reason, "message": row.message}
                for row in self._first_rejected
            ],
        )
