"""A reading process: takes one file after another from the API and gives back its rows in chunks.

Reading holds the interpreter, so it has one of its own. The API ends the process when the client has left
or the deadline has passed; the process ends by itself when the API is gone.
"""

import logging
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from typing import IO

from api.ingest.chunks import chunked
from api.ingest.frames import Frame, FrameKind, decode_job
from api.ingest.job import ReadJob
from api.ingest.reading import FileReading
from api.ingest.refusal import FileRefusedError, too_large

# What a workbook can take of memory beyond its bounds on bytes; a CSV file takes a few megabytes.
MAX_ADDRESS_SPACE = 2 * 1024**3
# Behind the API's own event loop, which answers everybody.
NICENESS = 10

logger = logging.getLogger(__name__)


def serve(connection: socket.socket) -> None:
    """Reads files until the other end closes."""
    while received := _receive_job(connection):
        job, descriptor = received
        with os.fdopen(descriptor, "rb") as file:
            _read(connection, file, job)


def _read(connection: socket.socket, file: IO[bytes], job: ReadJob) -> None:
    try:
        reading = FileReading(file, job)
        _send(connection, FrameKind.FOUND, {"sha256": reading.sha256, "format": reading.format})
        for chunk in chunked(reading.rows()):
            records = b",".join(chunk.records)
            rejected = b",".join(row.encoded for row in chunk.rejected)
            values = {"records": len(chunk.records), "rejected_at": len(records)}
            _send(connection, FrameKind.CHUNK, values, records + rejected)
        end = {"fields": reading.fields, "columns": reading.columns(), "read_as": reading.read_as()}
        _send(connection, FrameKind.END, end)
    except FileRefusedError as refused:
        _refuse(connection, refused)
    except MemoryError:
        _refuse(connection, too_large("The file takes too much memory to read. Split it, or save it as CSV."))
    except OSError:
        # The other end is gone, and with it everybody who could be told.
        raise
    except Exception:
        logger.exception("a file could not be read")
        _send(connection, FrameKind.FAILED, {})


def _refuse(connection: socket.socket, refused: FileRefusedError) -> None:
    values = {"code": refused.code, "message": refused.message, "details": refused.details}
    _send(connection, FrameKind.REFUSED, values)


def _send(
    connection: socket.socket, kind: FrameKind, values: Mapping[str, object], body: bytes = b""
) -> None:
    connection.sendall(Frame(kind, values, body).encode())


def _receive_job(connection: socket.socket) -> tuple[ReadJob, int] | None:
    head, descriptors, _, _ = socket.recv_fds(connection, 4, 1)
    if not head:
        return None
    text = b""
    (length,) = struct.unpack(">I", head)
    while len(text) < length:
        text += connection.recv(length - len(text))
    return decode_job(text), descriptors[0]


def main() -> None:
    # Ctrl-C is for the API, which ends its processes in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_SPACE, MAX_ADDRESS_SPACE))
    try:
        serve(socket.socket(fileno=int(sys.argv[1])))
    except (BrokenPipeError, ConnectionError):
        sys.exit(0)


if __name__ == "__main__":
    main()
