"""The ports of a stack: consecutive ones, counted from a base."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from local.errors import StackError

# Below Linux's ports for outgoing connections (from 32768 on), any of which may be in use for a minute, and
# apart from those of `supabase start` (54321 and following).
DEFAULT_PORT_BASE = 18400
_LAST_BASE = 32760
_BETWEEN_BASES = 10
_PORTS = 7


@dataclass(frozen=True)
class Ports:
    base: int

    @property
    def api(self) -> int:
        return self.base

    @property
    def supabase(self) -> int:
        return self.base + 1

    @property
    def postgres(self) -> int:
        return self.base + 2

    @property
    def trigger_platform(self) -> int:
        return self.base + 3

    @property
    def postgrest(self) -> int:
        return self.base + 4

    @property
    def postgrest_admin(self) -> int:
        return self.base + 5

    @property
    def webhook_receiver(self) -> int:
        return self.base + 6


class PortsTakenError(StackError):
    """Ports that the stack needs are taken. `free_base` is the next base with free ports, if there is one."""

    def __init__(self, taken: Mapping[str, int], free_base: int | None) -> None:
        one_by_one = ", ".join(f"{port} ({name})" for name, port in taken.items())
        subject = f"Port {one_by_one} is" if len(taken) == 1 else f"Ports {one_by_one} are"
        super().__init__(f"{subject} taken. End the programs that use them, or choose another port base.")
        self.free_base = free_base


def check_port_base(base: int) -> None:
    """Raises StackError for a base that leaves no room for the ports."""
    if not 1024 <= base <= 65536 - _PORTS:
        raise StackError(f"The port base must lie between 1024 and {65536 - _PORTS}, not {base}.")


def check_ports(ports: Mapping[str, int], base: int) -> None:
    """Raises PortsTakenError, which names every taken port, unless all are free."""
    taken = {name: port for name, port in ports.items() if not _is_free(port)}
    if taken:
        raise PortsTakenError(taken, _next_free_base(base))


def _next_free_base(after: int) -> int | None:
    candidates = [
        *range(after + _BETWEEN_BASES, _LAST_BASE, _BETWEEN_BASES),
        *range(DEFAULT_PORT_BASE, _LAST_BASE, _BETWEEN_BASES),
    ]
    return next((base for base in candidates if all(map(_is_free, range(base, base + _PORTS)))), None)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A connection that has just ended does not take the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
