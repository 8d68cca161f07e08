"""The limits on connections, which uvicorn does not have: how many, how slow to ask, how slow to read."""

import asyncio
import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """`head_seconds` is the time to send the head of a request, `stalled_seconds` that to read 64 kB."""

    at_once: int = 1_000
    per_address: int = 100
    head_seconds: float = 10.0
    stalled_seconds: float = 30.0


class OpenConnections:
    """All connections of the process, and those that wait for a request, the longest first."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._addresses: dict[BoundedProtocol, str] = {}
        self._by_address: Counter[str] = Counter()
        self._waiting: OrderedDict[BoundedProtocol, None] = OrderedDict()

    def admit(self, connection: "BoundedProtocol", address: str, *, is_proxy: bool) -> bool:
        """Makes room by closing the connection that waited longest. A proxy has those of many clients."""
        if not is_proxy and self._by_address[address] >= self.limits.per_address:
            return False
        if len(self._addresses) >= self.limits.at_once:
            if not self._waiting:
                return False
            next(iter(self._waiting)).abort()
        self._addresses[connection] = address
        self._by_address[address] += 1
        return True

    def wait(self, connection: "BoundedProtocol") -> None:
        if connection in self._addresses:
            self._waiting[connection] = None

    def work(self, connection: "BoundedProtocol") -> None:
        self._waiting.pop(connection, None)

    def forget(self, connection: "BoundedProtocol") -> None:
        self._waiting.pop(connection, None)
        address = self._addresses.pop(connection, None)
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 that is closed when the client takes too long to ask or to read.

    `api.request_body` bounds the time for a body: it can answer.
    """

    open_connections: ClassVar[OpenConnections] = OpenConnections(ConnectionLimits())

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 (those of the class above it)
        super().__init__(*arguments, **options)
        self._limits: Final = self.open_connections.limits
        self._idle: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else "unknown"
        is_proxy = is_trusted_proxy(address, self.config.forwarded_allow_ips)
        if self.open_connections.admit(self, address, is_proxy=is_proxy):
            self._wait_for_request()
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timers()
        self.open_connections.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_answering:
            self.open_connections.work(self)
            if self._idle:
                self._idle.cancel()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # A pipelined request may have begun.
        if not self._is_answering:
            self._wait_for_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self._limits.stalled_seconds, self.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled:
            self._stalled.cancel()

    def abort(self) -> None:
        """Closes the connection without sending what is left."""
        self._cancel_timers()
        self.open_connections.forget(self)
        self.transport.abort()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait_for_request(self) -> None:
        self.open_connections.wait(self)
        is_read = self.transport.get_write_buffer_size() == 0
        seconds = self._limits.head_seconds if is_read else self._limits.stalled_seconds
        if self._idle:
            self._idle.cancel()
        self._idle = self.loop.call_later(seconds, self.abort)

    def _cancel_timers(self) -> None:
        for timer in (self._idle, self._stalled):
            if timer:
                timer.cancel()


def is_trusted_proxy(address: str, trusted: Sequence[str] | str) -> bool:
    """Whether the address is one of `FORWARDED_ALLOW_IPS`, whose header X-Forwarded-For uvicorn believes."""
    names = trusted.split(",") if isinstance(trusted, str) else trusted
    return any(_is_in(address, name.strip()) for name in names)


def _is_in(address: str, name: str) -> bool:
    if name in ("*", address):
        return True
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False
