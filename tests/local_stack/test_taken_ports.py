"""A stack finds out which ports are taken before it starts anything, and offers others."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.errors import StackError
from local.ports import DEFAULT_PORT_BASE, Ports, PortsTakenError, check_port_base, check_ports
from local.settings import read_settings
from local.stack import Stack
from tests.support.stack import free_port_base

SUPABASE_START = range(54320, 54330)
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.fixture
def base() -> int:
    return free_port_base()


@pytest.fixture
def taken(base: int) -> Iterator[int]:
    """The base of a stack of which two ports are taken."""
    with socket.socket() as one, socket.socket() as other:
        for holder, port in ((one, base + 1), (other, base + 6)):
            holder.bind(("127.0.0.1", port))
            holder.listen()
        yield base


def all_ports(base: int) -> dict[str, int]:
    return read_settings(port_base=base, environment={}).taken_ports


def test_the_default_ports_are_nobody_elses() -> None:
    ports = set(all_ports(DEFAULT_PORT_BASE).values())
    assert ports.isdisjoint(SUPABASE_START)
    assert max(ports) < 32768
    if _EPHEMERAL_RANGE.exists():
        assert max(ports) < int(_EPHEMERAL_RANGE.read_text().split()[0])


def test_every_taken_port_is_named_with_the_next_base_that_is_free(taken: int) -> None:
    with pytest.raises(PortsTakenError) as refusal:
        check_ports(all_ports(taken), taken)
    for named in (f"{taken + 1} (Supabase)", f"{taken + 6} (webhook receiver)"):
        assert named in str(refusal.value)
    assert refusal.value.free_base is not None
    check_ports(all_ports(refusal.value.free_base), refusal.value.free_base)


def test_no_process_is_started_when_one_port_is_taken(taken: int, tmp_path: Path) -> None:
    stack = Stack(read_settings(directory=tmp_path, port_base=taken, environment={}))
    with pytest.raises(PortsTakenError):
        stack.start()
    assert stack.logs == []


def test_free_ports_are_accepted(base: int) -> None:
    check_ports(all_ports(base), base)


def test_no_two_parts_share_a_port() -> None:
    ports = Ports(1024)
    numbers = [getattr(ports, name) for name, member in vars(Ports).items() if isinstance(member, property)]
    assert len(set(numbers)) == len(numbers) == 7


@pytest.mark.parametrize("base", [80, 65530])
def test_a_base_without_room_for_the_ports_is_refused(base: int) -> None:
    with pytest.raises(StackError, match="port base"):
        check_port_base(base)
