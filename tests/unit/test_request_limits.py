"""Limits on requests: of a credential and its org by the database's word, and of an address in memory."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import pytest
from fastapi.testclient import TestClient

from api.address_limit import AddressLimit
from api.auth.credential import AuthMethod, Credential
from api.errors import ApiError, ErrorCode
from api.main import create_app
from api.request_limits import REPORT_SECONDS, SECONDS_AFTER_FAILURE, RequestLimits
from api.settings import Settings
from tests.support.loopback import Answer, Loopback, Request, rpc_error
from tests.support.served_app import served
from tests.unit.conftest import session_token

CREDENTIAL = Credential(AuthMethod.API_TOKEN, "fingerprint", bearer=lambda: "bearer")
COMPANIES: dict[str, object] = {"items": [], "next_cursor": None}


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bucket:
    """The function of the database, with one bucket that is never filled again."""

    remaining: int
    reported: list[int] = field(default_factory=list)
    failure: ApiError | None = None

    async def send(self, bearer: str, name: str, body: bytes) -> bytes:
        assert (bearer, name) == ("bearer", "take_request_tokens")
        await asyncio.sleep(0)
        count = json.loads(body)["p_count"]
        self.reported.append(count)
        if self.failure:
            raise self.failure
        granted = min(count, self.remaining)
        self.remaining -= granted
        taken = {"granted": granted, "limit_per_second": 50, "remaining": self.remaining}
        return json.dumps(taken | {"retry_after_seconds": 0 if granted else 1.5}).encode()


async def served_of(limits: RequestLimits, requests: int) -> int:
    """How many of the requests are not refused; the reports are awaited now and then, as in a server."""
    served = 0
    for _ in range(requests):
        with suppress(ApiError):
            await limits.take(CREDENTIAL)
            served += 1
        await asyncio.sleep(0)
    return served


async def test_requests_are_reported_in_batches() -> None:
    bucket = Bucket(remaining=6_000)
    limits = RequestLimits(bucket, Clock())  # type: ignore[arg-type]
    assert await served_of(limits, 501) == 501
    await asyncio.sleep(0.01)
    assert bucket.reported[0] == 1
    assert sum(bucket.reported) == 501
    assert len(bucket.reported) <= 12


async def test_a_slow_client_is_reported_every_ten_seconds() -> None:
    bucket, clock = Bucket(remaining=6_000), Clock()
    limits = RequestLimits(bucket, clock)  # type: ignore[arg-type]
    for _ in range(21):
        assert await served_of(limits, 1) == 1
        await asyncio.sleep(0.001)
        clock.now += REPORT_SECONDS / 10
    assert bucket.reported == [1, 10, 10]


@pytest.mark.parametrize("processes", [1, 3])
async def test_an_empty_bucket_refuses_after_few_requests_too_many(processes: int) -> None:
    bucket = Bucket(remaining=200)
    fleet = [RequestLimits(bucket, Clock()) for _ in range(processes)]  # type: ignore[arg-type]
    served = [await served_of(limits, 5) for _ in range(100) for limits in fleet]
    assert 200 <= sum(served) <= 200 + 10 * processes


async def test_a_refusal_says_when_to_come_back_and_what_the_limits_are() -> None:
    clock = Clock()
    limits = RequestLimits(Bucket(remaining=0), clock)  # type: ignore[arg-type]
    with pytest.raises(ApiError) as raised:
        await limits.take(CREDENTIAL)
    assert raised.value.headers == {
        "Retry-After": "2",
        "RateLimit-Policy": '"requests";q=250;w=5',
        "RateLimit": '"requests";r=0;t=5',
    }
    clock.now += 1.0
    with pytest.raises(ApiError):
        await limits.take(CREDENTIAL)
    clock.now += 1.0
    bucket = Bucket(remaining=10)
    limits._data_api = bucket  # type: ignore[assignment]
    await limits.take(CREDENTIAL)


@pytest.mark.parametrize("code", [ErrorCode.INTERNAL_ERROR, ErrorCode.DATA_API_UNAVAILABLE])
async def test_while_the_database_does_not_count_nobody_is_refused_and_it_is_left_alone(
    code: ErrorCode,
) -> None:
    bucket, clock = Bucket(remaining=0, failure=ApiError(code, "No.")), Clock()
    limits = RequestLimits(bucket, clock)  # type: ignore[arg-type]
    assert await served_of(limits, 500) == 500
    assert len(bucket.reported) == 1
    clock.now += SECONDS_AFTER_FAILURE
    await served_of(limits, 1)
    assert len(bucket.reported) == 2


def test_a_refused_request_does_not_reach_its_endpoint(client: TestClient, data_api: Loopback) -> None:
    empty = {"granted": 0, "limit_per_second": 10, "remaining": 0, "retry_after_seconds": 0.1}
    data_api.rpc("take_request_tokens", Answer(200, empty))
    answer = client.post("/v1/companies/list")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_requests")
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["RateLimit"] == '"requests";r=0;t=5'
    assert not data_api.requests


def test_every_answer_says_what_is_left(client: TestClient, data_api: Loopback) -> None:
    data_api.rpc("list_companies", Answer(200, COMPANIES))
    for left in (4_999, 4_998, 4_997):
        answer = client.post("/v1/companies/list")
        assert answer.headers["RateLimit-Policy"] == '"requests";q=5000;w=5'
        assert answer.headers["RateLimit"] == f'"requests";r={left};t=1'


def test_the_documentation_names_the_headers(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for operation in methods.values() if path.startswith("/v1/") else ():
            assert set(operation["responses"]["429"]["headers"]) == {
                "Retry-After",
                "RateLimit",
                "RateLimit-Policy",
            }


@pytest.fixture
def strict_client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """An address may send three requests without a credential, and hardly more."""
    monkeypatch.setattr("api.main.AddressLimit", partial(AddressLimit, per_second=0.001, burst=3))
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        yield client


def test_an_address_without_a_valid_credential_is_limited_and_a_known_caller_there_is_not(
    strict_client: TestClient, data_api: Loopback
) -> None:
    data_api.rpc("list_companies", Answer(200, COMPANIES))
    assert strict_client.post("/v1/companies/list").status_code == 200
    for forged in ("Bearer x.y.z", "", "Bearer dex_nothing"):
        answer = strict_client.post("/v1/companies/list", headers={"Authorization": forged})
        assert answer.status_code == 401
    for path in ("/v1/companies/list", "/openapi.json", "/nothing"):
        answer = strict_client.post(path, headers={"Authorization": "Bearer x.y.z"})
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) > 0
    assert strict_client.post("/v1/companies/list").status_code == 200
    assert strict_client.get("/healthz").status_code == 200


def test_sessions_that_no_org_knows_are_limited_by_their_address(
    strict_client: TestClient, data_api: Loopback
) -> None:
    refusal = rpc_error(403, "PT403", hint="identity_not_registered")
    for function in ("auth_context", "take_request_tokens"):
        data_api.rpc(function, refusal)
    statuses = [strict_client.post("/v1/companies/list").status_code for _ in range(5)]
    assert statuses == [403, 403, 403, 429, 429]


def test_a_credential_is_refused_before_its_body_is_read(settings: Settings, data_api: Loopback) -> None:
    with served(create_app(settings)) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(
                b"POST /v1/submissions/create HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n"
                b"Content-Type: application/json\r\nAuthorization: Bearer x.y.z\r\n\r\n["
            )
            assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_an_org_has_a_share_of_the_calls_to_the_data_api(settings: Settings, data_api: Loopback) -> None:
    gate, at_once = threading.Semaphore(0), []
    lock = threading.Lock()
    running = 0

    def slow(request: Request) -> Answer:
        nonlocal running
        with lock:
            running += 1
            at_once.append(running)
        gate.acquire(timeout=10)
        with lock:
            running -= 1
        return Answer(200, COMPANIES)

    data_api.rpc("list_companies", slow)
    with TestClient(create_app(settings)) as client, ThreadPoolExecutor(30) as pool:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        client.post("/v1/auth/context")
        answers = [pool.submit(client.post, "/v1/companies/list") for _ in range(30)]
        for _ in answers:
            gate.release()
        assert {answer.result().status_code for answer in answers} == {200}
    assert max(at_once) <= 20


@pytest.fixture
def addresses() -> tuple[AddressLimit, Clock]:
    clock = Clock()
    return AddressLimit(per_second=1.0, burst=3, clock=clock), clock


def test_a_bucket_is_filled_again(addresses: tuple[AddressLimit, Clock]) -> None:
    limit, clock = addresses
    for _ in range(3):
        assert limit.seconds_until_allowed("192.0.2.1") == 0
        limit.charge("192.0.2.1")
    assert limit.seconds_until_allowed("192.0.2.1") == pytest.approx(1.0)
    assert limit.seconds_until_allowed("192.0.2.2") == 0
    clock.now += 1.0
    assert limit.seconds_until_allowed("192.0.2.1") == 0


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("unknown", "unknown", True),
    ],
)
def test_an_ipv6_network_is_one_address(
    addresses: tuple[AddressLimit, Clock], first: str, second: str, is_one: bool
) -> None:
    limit, _ = addresses
    for _ in range(3):
        limit.charge(first)
    assert (limit.seconds_until_allowed(second) > 0) is is_one


def test_the_memory_for_addresses_is_bounded(addresses: tuple[AddressLimit, Clock]) -> None:
    limit, _ = addresses
    for number in range(10_100):
        limit.charge(f"192.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(limit._buckets) == 10_000
