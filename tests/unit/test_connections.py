"""Slow and many connections, against a real server."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import httpx
import pytest

from api.connections import ConnectionLimits, is_trusted_proxy
from api.main import create_app
from api.settings import Settings
from tests.support.loopback import Answer, Loopback
from tests.support.served_app import served
from tests.unit.conftest import session_token

LIMITS = ConnectionLimits(at_once=20, per_address=5, head_seconds=0.5, stalled_seconds=0.5)
HALF_A_HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
RUN_ID = "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10"


@pytest.fixture
def url(settings: Settings) -> Iterator[str]:
    with served(create_app(settings), LIMITS) as found:
        yield found


def connect(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def seconds_until_closed(connection: socket.socket) -> float:
    begun = time.monotonic()
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - begun


def is_healthy(url: str) -> bool:
    return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200


@pytest.mark.parametrize("sent", [b"", HALF_A_HEAD], ids=["nothing", "half a head"])
def test_a_connection_without_a_request_is_closed(url: str, sent: bytes) -> None:
    with closing(connect(url)) as connection:
        connection.sendall(sent)
        assert 0.3 < seconds_until_closed(connection) < 3


def trickle(connection: socket.socket, byte: bytes) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < 5:
        connection.sendall(byte)
        time.sleep(0.05)


def test_a_head_that_arrives_byte_by_byte_is_not_waited_for(url: str) -> None:
    with closing(connect(url)) as connection, pytest.raises(ConnectionError):
        trickle(connection, b"G")


def test_a_body_after_the_answer_is_not_waited_for(url: str) -> None:
    with closing(connect(url)) as connection:
        connection.sendall(b"POST /v1/companies/list HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert connection.recv(20).startswith(b"HTTP/1.1 401")
        with pytest.raises(ConnectionError):
            trickle(connection, b" ")


def test_requests_on_one_connection_are_served_for_longer_than_one_may_wait(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False) as client:
        begun = time.monotonic()
        while time.monotonic() - begun < 3 * LIMITS.head_seconds:
            assert client.get("/healthz").status_code == 200
            time.sleep(0.1)


def test_half_sent_requests_do_not_keep_others_out(url: str) -> None:
    with ExitStack() as stack:
        for _ in range(5 * LIMITS.at_once):
            connection = stack.enter_context(closing(connect(url)))
            connection.sendall(HALF_A_HEAD)
        assert is_healthy(url)


def test_an_address_has_few_connections_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.connections.is_trusted_proxy", lambda address, trusted: False)
    with ExitStack() as stack:
        for _ in range(LIMITS.per_address):
            stack.enter_context(closing(connect(url))).sendall(HALF_A_HEAD)
        with pytest.raises(httpx.TransportError):
            is_healthy(url)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            assert is_healthy(url)
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the closed connections are still counted")


def test_a_reader_who_stalls_is_cut_off_and_the_export_ends(
    url: str, settings: Settings, data_api: Loopback
) -> None:
    items = [{"id": str(n), "data": {"text": "x" * 1_000}} for n in range(1_000)]
    data_api.rpc("list_pipeline_run_records", Answer(200, {"items": items, "next_cursor": "more"}))
    body = f'{{"pipeline_run_id": "{RUN_ID}", "format": "ndjson"}}'
    with closing(connect(url)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = (
            f"POST /v1/pipeline-runs/export HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {session_token(settings)}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        time.sleep(LIMITS.stalled_seconds * 3)
        asked = len(data_api.asked("/list_pipeline_run_records"))
        # The export ends: no page is fetched any more, although its run has pages without end.
        time.sleep(0.5)
        assert len(data_api.asked("/list_pipeline_run_records")) == asked


@pytest.mark.parametrize(
    ("address", "trusted", "expected"),
    [
        ("127.0.0.1", "127.0.0.1,::1", True),
        ("10.1.2.3", "127.0.0.1, 10.0.0.0/8", True),
        ("10.1.2.3", ["127.0.0.1"], False),
        ("203.0.113.1", "*", True),
        ("unknown", "10.0.0.0/8", False),
        ("203.0.113.1", "", False),
    ],
)
def test_proxies_are_those_that_the_operator_names(
    address: str, trusted: str | list[str], expected: bool
) -> None:
    assert is_trusted_proxy(address, trusted) is expected
