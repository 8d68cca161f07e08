"""Jobs that behave badly, for the tests of the processes that work off jobs."""

from __future__ import annotations

import os
import time
from typing import Final

from api.offload.job import Job, JobRefusedError, Options


def reverse(payload: bytes, options: Options) -> bytes:
    return payload[::-1] + str(options.get("suffix", "")).encode()


def process_id(payload: bytes, options: Options) -> bytes:
    return str(os.getpid()).encode()


def hang(payload: bytes, options: Options) -> bytes:
    while True:
        time.sleep(0.01)


def crash(payload: bytes, options: Options) -> bytes:
    os._exit(3)


def refuse(payload: bytes, options: Options) -> bytes:
    raise JobRefusedError("invalid_records", "No.", {"row": 1})


def fail(payload: bytes, options: Options) -> bytes:
    raise RuntimeError("hunter2")


def devour(payload: bytes, options: Options) -> bytes:
    return bytes(len(bytearray(4 * 1024**3)))


def use_memory(payload: bytes, options: Options) -> bytes:
    return str(len(bytearray(b"x") * (250 * 1024 * 1024))).encode()


def environment(payload: bytes, options: Options) -> bytes:
    return " ".join(sorted(os.environ)).encode()


REVERSE: Final = Job(reverse, inline_bytes=0)
REVERSE_HERE: Final = Job(reverse, inline_bytes=100)
PROCESS_ID: Final = Job(process_id, inline_bytes=0)
HANG: Final = Job(hang, inline_bytes=0)
CRASH: Final = Job(crash, inline_bytes=0)
REFUSE: Final = Job(refuse, inline_bytes=0)
FAIL: Final = Job(fail, inline_bytes=0)
DEVOUR: Final = Job(devour, inline_bytes=0)
USE_MEMORY: Final = Job(use_memory, inline_bytes=0)
ENVIRONMENT: Final = Job(environment, inline_bytes=0)
