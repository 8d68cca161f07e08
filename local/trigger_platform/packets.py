"""Packets: serialised payloads and outputs, and a store for those too large to send inline."""

import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from local.trigger_platform.errors import PlatformError

# Larger payloads go to the store. The SDK stores its own from 128 KiB on.
INLINE_LIMIT = 512 * 1024
STORE_TYPE = "application/store"


def parse_packet(data: str | None, data_type: str) -> Any:  # noqa: ANN401 (JSON has no narrower type)
    """Return the JSON value of a packet. Types that only Super JSON has stay in their JSON form."""
    if data is None:
        return None
    if data_type == "application/super+json":
        return json.loads(data).get("json")
    if data_type == "application/json":
        return json.loads(data)
    return data


def dump_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Packet:
    content: bytes
    # Served as the content type, which tells readers how to parse the content.
    data_type: str


class PacketStore:
    """Large packets by path, served under signed URLs. The oldest are dropped when space runs out."""

    def __init__(self, public_url: str, max_bytes: int) -> None:
        self._public_url = public_url
        self._max_bytes = max_bytes
        self._bytes = 0
        self._packets: OrderedDict[str, Packet] = OrderedDict()
        self._key = secrets.token_bytes(32)

    def url(self, path: str, method: str) -> str:
        """Return a URL that allows this method on this packet for five minutes, without a credential."""
        expires = int(time.time()) + 300
        signature = self._sign(path, method, expires)
        return f"{self._public_url}/packets/{quote(path)}?expires={expires}&signature={signature}"

    def verify(self, path: str, method: str, expires: int, signature: str) -> None:
        """Raise PlatformError (403) unless the URL was made here and has not expired."""
        expected = self._sign(path, method, expires)
        if expires < time.time() or not hmac.compare_digest(expected, signature):
            raise PlatformError(403, "Invalid or expired packet URL")

    def put(self, path: str, content: bytes, data_type: str) -> None:
        if path in self._packets:
            self._bytes -= len(self._packets.pop(path).content)
        self._packets[path] = Packet(content, data_type)
        self._bytes += len(content)
        while self._bytes > self._max_bytes and len(self._packets) > 1:
            self._bytes -= len(self._packets.popitem(last=False)[1].content)

    def get(self, path: str) -> Packet:
        if path not in self._packets:
            raise PlatformError(404, "Packet not found")
        return self._packets[path]

    def _sign(self, path: str, method: str, expires: int) -> str:
        return hmac.new(self._key, f"{method} {path} {expires}".encode(), hashlib.sha256).hexdigest()
