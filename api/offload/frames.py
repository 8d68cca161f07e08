"""What the two processes send each other: the two lengths, a header in JSON, and a body of bytes."""

import json
import struct
from collections.abc import Mapping
from typing import Any

LENGTHS = struct.Struct("!II")


def encode_frame(header: Mapping[str, Any], body: bytes) -> tuple[bytes, bytes]:
    head = json.dumps(header).encode()
    return LENGTHS.pack(len(head), len(body)) + head, body
