"""Connections that are opened and then left alone."""

from __future__ import annotations

import asyncio
import socket
import time
from urllib.parse import urlsplit

from tests.siege.attacks.attack import Attack, Attacker
from tests.siege.target import encoded

_SMALLEST_BUFFER = 4096


async def connected(attacker: Attacker, *, receive_buffer: int | None = None) -> socket.socket:
    """Connects to the API from the attacker's address; raises OSError or TimeoutError."""
    opened = socket.socket()
    opened.setblocking(False)
    if receive_buffer:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    opened.bind((attacker.target.address, 0))
    try:
        port = urlsplit(attacker.target.api_url).port
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(opened, ("127.0.0.1", port)), 10)
    except (OSError, TimeoutError):
        opened.close()
        raise
    return opened


def head(attacker: Attacker, path: str, length: int) -> bytes:
    return (
        f"POST /v1/{path} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {attacker.target.member}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


class HeldConnections(Attack):
    """Opens `most` connections and keeps them open until the time is up."""

    at_once = 50

    async def press(self, attacker: Attacker) -> None:
        self._held: list[socket.socket] = []
        await super().press(attacker)
        await asyncio.sleep(max(0.0, attacker.until - time.monotonic()))
        for held in self._held:
            attacker.answers[_state(held)] += 1
            held.close()

    async def open(self, attacker: Attacker, sent: bytes, *, receive_buffer: int | None = None) -> None:
        try:
            opened = await connected(attacker, receive_buffer=receive_buffer)
            self._held.append(opened)
            await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(opened, sent), 10)
        except (OSError, TimeoutError) as error:
            attacker.answers[type(error).__name__] += 1


def _state(held: socket.socket) -> str:
    """The status that the server has answered, or whether the connection is still open."""
    try:
        received = held.recv(64)
    except BlockingIOError:
        return "still open"
    except OSError:
        return "closed"
    # The status is the second word of an answer.
    return received.split(b" ")[1].decode() if received.startswith(b"HTTP/1.1 ") else "closed"


class HalfSentRequests(HeldConnections):
    name = "half-sent requests"
    sends = "2,000 connections, each with half a head, or a head and half a body; then nothing more"
    most = 2_000

    async def prepare(self, attacker: Attacker) -> None:
        self._number = 0

    async def send(self, attacker: Attacker) -> None:
        whole = head(attacker, "submissions/create", 100_000)
        self._number += 1
        await self.open(attacker, whole[: len(whole) // 2] if self._number % 2 else whole + b"{" * 50_000)


class StalledExports(HeldConnections):
    name = "stalled exports"
    sends = "60 exports of a run of 20,000 records; nobody reads them"
    at_once = 10
    most = 60

    async def send(self, attacker: Attacker) -> None:
        body = encoded({"pipeline_run_id": attacker.target.large_run_id, "format": "ndjson"})
        whole = head(attacker, "pipeline-runs/export", len(body)) + body
        await self.open(attacker, whole, receive_buffer=_SMALLEST_BUFFER)
