"""The parent's end of one process that works off jobs."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from api.offload.frames import LENGTHS, encode_frame
from api.offload.job import Options

ROOT = Path(__file__).parents[2]
# A process that has needed more than this is replaced: it would not give the memory back.
MAX_PEAK_BYTES = 200 * 1024 * 1024
MAX_BUFFERED_BYTES = 1024 * 1024


class ProcessDiedError(Exception):
    """It was killed, ran out of memory, or crashed. Its job is lost."""


class OffloadProcess:
    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._peak_bytes = 0

    @classmethod
    async def start(cls) -> "OffloadProcess":
        ours, theirs = socket.socketpair()
        with theirs:
            # Nothing of our environment: it holds secrets.
            process = subprocess.Popen(  # noqa: S603, ASYNC220 (our own module; it takes a millisecond)
                [sys.executable, "-m", "api.offload.child", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_BUFFERED_BYTES)
        return cls(process, reader, writer)

    @property
    def is_worn(self) -> bool:
        return self._peak_bytes > MAX_PEAK_BYTES or self._process.poll() is not None

    async def run(self, job: str, payload: bytes, options: Options) -> tuple[dict[str, Any], bytes]:
        """The header and the body of the answer; raises ProcessDiedError."""
        try:
            self._writer.writelines(encode_frame({"job": job, "options": options}, payload))
            await self._writer.drain()
            lengths = await self._reader.readexactly(LENGTHS.size)
            header_length, body_length = LENGTHS.unpack(lengths)
            header: dict[str, Any] = json.loads(await self._reader.readexactly(header_length))
            body = await self._reader.readexactly(body_length)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise ProcessDiedError(f"exit code {self._process.poll()}") from error
        self._peak_bytes = header["peak_bytes"]
        return header, body

    def kill(self) -> None:
        """Ends it at once, whatever it does."""
        self._writer.close()
        self._process.kill()
        self._process.wait()
