"""What a reading process and the API say to each other over a socket: one frame a message.

A frame is a head of fixed size (kind, length of the JSON, length of the body), JSON, and bytes that are
handed on as they are. The job goes the same way, with the file as an open descriptor beside it.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from api.ingest.job import FileFormat, RaggedRow, ReadJob, ReadLimits, ReadOptions

HEAD = struct.Struct(">cII")


class FrameKind(Enum):
    """FOUND comes first, then CHUNKs, then END; REFUSED or FAILED instead of any of them ends it as well."""

    FOUND = b"F"
    CHUNK = b"C"
    END = b"E"
    REFUSED = b"R"
    FAILED = b"!"


@dataclass(frozen=True, slots=True)
class Frame:
    kind: FrameKind
    values: Mapping[str, Any]
    body: bytes = b""

    def encode(self) -> bytes:
        text = json.dumps(dict(self.values), ensure_ascii=False, separators=(",", ":")).encode()
        return HEAD.pack(self.kind.value, len(text), len(self.body)) + text + self.body

    @classmethod
    def decode(cls, kind: FrameKind, text: bytes, body: bytes) -> "Frame":
        return cls(kind, json.loads(text), body)


def encode_job(job: ReadJob) -> bytes:
    text = json.dumps({"options": asdict(job.options), "limits": asdict(job.limits)}).encode()
    return struct.pack(">I", len(text)) + text


def decode_job(text: bytes) -> ReadJob:
    found = json.loads(text)
    options = found["options"]
    options["format"] = FileFormat(options["format"])
    options["on_ragged_row"] = RaggedRow(options["on_ragged_row"])
    options["header"] = tuple(options["header"]) if options["header"] else None
    return ReadJob(ReadOptions(**options), ReadLimits(**found["limits"]))
