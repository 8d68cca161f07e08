"""The API's end of a reading process: start it, hand it a file, take what it reads, end it."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from api.ingest.frames import HEAD, Frame, FrameKind, encode_job
from api.ingest.job import FileFormat, ReadJob

ROOT = Path(__file__).parents[2]
# What the interpreter itself needs. A process that reads strangers' files gets none of the API's secrets.
ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "LC_ALL")
BUFFER_BYTES = 1024 * 1024


class ProcessEndedError(Exception):
    """The process is gone, by itself or because it was ended."""


class ReadingTimeoutError(Exception):
    """The process took longer over a file than it may."""


class ReadingProcess:
    """Reads one file at a time, in a process of its own."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        connection: socket.socket,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._connection = connection
        self._reader = reader
        self._writer = writer
        self._left_seconds = 0.0
        self._ended: asyncio.Task[int] | None = None
        self._is_worn = False
        self.is_idle = True

    @classmethod
    async def start(cls) -> "ReadingProcess":
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.to_thread(_spawn, theirs)
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours, limit=BUFFER_BYTES)
        return cls(process, ours, reader, writer)

    def begin(self, descriptor: int, job: ReadJob, seconds: float) -> None:
        """`descriptor` may be closed as soon as this returns. `seconds` count only while the API waits for
        rows.
        """
        encoded = encode_job(job)
        self._left_seconds = seconds
        self.is_idle = False
        # The descriptor goes with the first bytes. Nothing else is on its way to the process, so they are
        # taken at once; that it is gone shows when its first frame is awaited.
        with suppress(OSError):
            socket.send_fds(self._connection, [encoded[:4]], [descriptor])
            self._writer.write(encoded[4:])

    async def next_frame(self) -> Frame:
        """Raises ProcessEndedError, or ReadingTimeoutError when the time for the file is up."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._left_seconds):
                frame = await self._read_frame()
        except TimeoutError as error:
            self.kill()
            raise ReadingTimeoutError from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ProcessEndedError from error
        self._left_seconds -= time.monotonic() - started
        if frame.kind is FrameKind.FOUND:
            # What a workbook took of memory is given back only when the process ends.
            self._is_worn = frame.values["format"] == FileFormat.XLSX
        self.is_idle = frame.kind not in (FrameKind.FOUND, FrameKind.CHUNK) and not self._is_worn
        return frame

    async def _read_frame(self) -> Frame:
        kind, text_size, body_size = HEAD.unpack(await self._reader.readexactly(HEAD.size))
        text = await self._reader.readexactly(text_size)
        return Frame.decode(FrameKind(kind), text, await self._reader.readexactly(body_size))

    def kill(self) -> None:
        """At once, whatever it is doing. A read that waits for it ends with ProcessEndedError."""
        self.is_idle = False
        if self._ended is None:
            self._process.kill()
            self._writer.close()
            self._ended = asyncio.create_task(asyncio.to_thread(self._process.wait))

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    async def wait(self) -> None:
        if self._ended is not None:
            await self._ended


def _spawn(connection: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 (our own module)
        [sys.executable, "-m", "api.ingest.worker", str(connection.fileno())],
        pass_fds=[connection.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
        env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
    )
