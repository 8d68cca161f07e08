"""The other process: `python -m api.offload.child FD` works off jobs until the pipe closes."""

import importlib
import json
import os
import re
import resource
import signal
import socket
import sys
from io import BufferedRWPair
from pathlib import Path
from typing import Any

from api.offload.frames import LENGTHS, encode_frame
from api.offload.job import JobRefusedError, Work, run_here

# The event loop must get a processor before its offloaded work does.
NICENESS = 5
# Far above what the bounds on the input allow. Beyond it, allocating fails instead of the machine.
MAX_DATA_BYTES = 512 * 1024 * 1024
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


def main(descriptor: int) -> None:
    # Ctrl-C goes to the whole group, but only the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA_BYTES, MAX_DATA_BYTES))
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rwb") as stream:
        while lengths := stream.read(LENGTHS.size):
            header_length, body_length = LENGTHS.unpack(lengths)
            request = json.loads(stream.read(header_length))
            header, body = _answer(request, stream.read(body_length))
            _send(stream, header | {"peak_bytes": _peak_bytes()}, body)


def _answer(request: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        return {}, run_here(_find(request["job"]), payload, request["options"])
    except JobRefusedError as error:
        refusal = {"code": error.code, "message": error.message, "details": error.details}
        return {"refusal": refusal}, b""
    except Exception as error:
        # Without its text, which may hold what a caller sent. A traceback has the place alone.
        return {"defect": f"{type(error).__name__} in {_place(error)}"}, b""


def _find(name: str) -> Work:
    module, _, function = name.partition(":")
    work: Work = getattr(importlib.import_module(module), function)
    return work


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "an unknown place"


def _peak_bytes() -> int:
    """The most memory that this process had; 0 if unknown. `getrusage` counts that of its parent, too."""
    try:
        found = PEAK.search(Path("/proc/self/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def _send(stream: BufferedRWPair, header: dict[str, Any], body: bytes) -> None:
    for part in encode_frame(header, body):
        stream.write(part)
    stream.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
