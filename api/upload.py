"""From an uploaded file to a received submission: read, open, append chunk by chunk, finalize.

When something fails in the middle the submission stays `receiving`, has no run, and expires by itself.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, Any

from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request

from api.auth.caller import Caller
from api.errors import ApiError, ErrorCode
from api.idempotency import IdempotencyScope
from api.ingest.chunks import rpc_body
from api.ingest.frames import Frame, FrameKind
from api.ingest.pool import UploadPool
from api.ingest.process import ProcessEndedError, ReadingProcess, ReadingTimeoutError
from api.models.submissions import ChunkAppended, SubmissionCreated, SubmissionOpened, UploadSubmission
from api.upload_form import default_name, read_job, upload_format

logger = logging.getLogger(__name__)

# What is stored may be larger than the file (each CSV row repeats the field names), but not without bounds.
MAX_EXPANSION = 8
# So many chunks without a single record are read before a submission is opened at all.
MAX_LEADING_CHUNKS = 10


@dataclass(frozen=True, slots=True)
class Upload:
    form: UploadSubmission
    file: UploadFile
    idempotency: IdempotencyScope


async def ingest(caller: Caller, upload: Upload, pool: UploadPool, request: Request) -> SubmissionCreated:
    """Raises ApiError; unreadable_file and submission_empty when not one record can be had from the file.

    Raises ClientDisconnect when the caller has left: nobody would learn of the submission.
    """
    job = read_job(upload.form, upload_format(upload.form, upload.file), pool.limits.read)
    content: IO[bytes] = upload.file.file
    # A small file is still in memory, and gets a descriptor by being written down.
    descriptor = await asyncio.to_thread(content.fileno)
    async with pool.process(str(caller.context.org_id)) as process, _Reading.of(process, request) as reading:
        process.begin(descriptor, job, pool.limits.read_seconds)
        found = await reading.next()
        leading = await reading.leading()
        opened = await caller.call("open_submission", _open_arguments(upload, found), SubmissionOpened)
        if opened.replayed and opened.pipeline_run:
            return SubmissionCreated(submission=opened.submission, pipeline_run=opened.pipeline_run)
        submission_id = str(opened.submission.id)
        chunk_index = stored_bytes = 0
        frame = leading.pop(0)
        while frame.kind is FrameKind.CHUNK:
            stored_bytes += len(frame.body)
            if stored_bytes > MAX_EXPANSION * pool.limits.read.max_bytes:
                raise ApiError(
                    ErrorCode.PAYLOAD_TOO_LARGE,
                    "The file's rows take too much room once each carries its field names. "
                    "Split the file, or shorten the header.",
                )
            await caller.call(
                "append_submission_chunk",
                _chunk_arguments(submission_id, chunk_index, frame),
                ChunkAppended,
                repeatable=True,
            )
            chunk_index += 1
            frame = leading.pop(0) if leading else await reading.next()
        return await caller.call(
            "finalize_submission",
            {
                "p_submission_id": submission_id,
                "p_fields": frame.values["fields"],
                "p_columns": frame.values["columns"],
                "p_read_as": frame.values["read_as"],
                "p_warn_rejected_share": upload.form.warn_rejected_share,
            },
            SubmissionCreated,
        )


def _open_arguments(upload: Upload, found: Frame) -> dict[str, Any]:
    form = upload.form
    arguments: dict[str, Any] = {
        "p_company_id": str(form.company_id),
        "p_blueprint_id": str(form.blueprint_id),
        "p_name": form.name or default_name(upload.file.filename),
        "p_source": found.values["format"],
    }
    hashed = form.model_dump(mode="json", exclude_none=True) | {
        "format": found.values["format"],
        "file_sha256": found.values["sha256"],
    }
    return arguments | upload.idempotency.arguments(hashed)


def _chunk_arguments(submission_id: str, chunk_index: int, frame: Frame) -> bytes:
    rejected_at = frame.values["rejected_at"]
    return rpc_body(submission_id, chunk_index, frame.body[:rejected_at], frame.body[rejected_at:])


class _Reading:
    """The frames of one file, for as long as the caller waits for them."""

    def __init__(self, process: ReadingProcess) -> None:
        self._process = process
        self._has_left = False

    @classmethod
    @asynccontextmanager
    async def of(cls, process: ReadingProcess, request: Request) -> AsyncIterator["_Reading"]:
        reading = cls(process)
        watch = asyncio.create_task(reading._end_when_caller_leaves(request))
        try:
            yield reading
        finally:
            watch.cancel()

    async def _end_when_caller_leaves(self, request: Request) -> None:
        # The body has arrived, so that the next message can only be that the connection is closed.
        while (await request.receive())["type"] != "http.disconnect":
            continue
        self._has_left = True
        self._process.kill()

    async def next(self) -> Frame:
        """The next FOUND, CHUNK or END. Raises ApiError for a file that is refused."""
        if self._has_left:
            raise ClientDisconnect  # what the process had sent before is not stored any more
        try:
            frame = await self._process.next_frame()
        except ReadingTimeoutError as error:
            raise ApiError(
                ErrorCode.PAYLOAD_TOO_LARGE, "The file takes too long to read. Split it, or save it as CSV."
            ) from error
        except ProcessEndedError as error:
            if self._has_left:
                raise ClientDisconnect from error
            logger.error("a reading process ended in the middle of a file")
            raise ApiError(
                ErrorCode.UNREADABLE_FILE, "The file could not be read. It may be broken."
            ) from error
        if frame.kind is FrameKind.REFUSED:
            raise ApiError(frame.values["code"], frame.values["message"], details=frame.values["details"])
        if frame.kind is FrameKind.FAILED:
            raise ApiError(ErrorCode.INTERNAL_ERROR, "Something went wrong on our side.")
        return frame

    async def leading(self) -> list[Frame]:
        """The chunks up to the first that holds a record, at most ten: a file without any opens no
        submission.
        """
        frames = [await self.next()]
        while len(frames) < MAX_LEADING_CHUNKS and not frames[-1].values.get("records"):
            frames.append(await self.next())
        return frames
