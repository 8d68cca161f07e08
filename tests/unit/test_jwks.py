"""When the key set of Supabase Auth is fetched, and which of its keys are used."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api.auth.jwks import FRESH_SECONDS, SECONDS_BETWEEN_UNKNOWN_KIDS, STALE_SECONDS, JwksKeys
from api.errors import ApiError
from api.http_client import HttpClient
from tests.support.loopback import Answer, Loopback, loopback_server
from tests.support.loopback_server import closed_port_url
from tests.unit.signing import Jwk, Keys, key_set, private_jwk, public_jwk


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys()


@pytest.fixture
def auth_server(keys: Keys) -> Iterator[Loopback]:
    with loopback_server() as server:
        server.routes["/jwks.json"] = lambda _: Answer(200, keys.jwks())
        yield server


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_times_are_those_that_are_documented() -> None:
    assert (FRESH_SECONDS, SECONDS_BETWEEN_UNKNOWN_KIDS) == (600, 60)


async def test_a_known_key_is_fetched_again_after_ten_minutes_and_not_before(
    auth_server: Loopback, clock: Clock
) -> None:
    async with key_set(auth_server) as http:
        jwks = JwksKeys(http, clock)
        for seconds, fetches in ((0, 1), (1, 1), (599, 1), (600, 2), (601, 2), (1199, 2), (1200, 3)):
            clock.now = 1000.0 + seconds
            assert await jwks.get("elliptic")
            assert len(auth_server.requests) == fetches, seconds


async def test_unknown_kids_cause_at_most_one_fetch_a_minute(auth_server: Loopback, clock: Clock) -> None:
    async with key_set(auth_server) as http:
        jwks = JwksKeys(http, clock)
        for seconds, fetches in ((0, 1), (1, 1), (59.9, 1), (60, 2), (119, 2), (121, 3)):
            clock.now = 1000.0 + seconds
            for number in range(20):
                assert await jwks.get(f"forged-{number}") is None
            assert await jwks.get("elliptic")
            assert len(auth_server.requests) == fetches, seconds


async def test_unknown_kids_cause_at_most_one_fetch_a_minute_even_if_it_fails(
    auth_server: Loopback, clock: Clock
) -> None:
    async with key_set(auth_server) as http:
        jwks = JwksKeys(http, clock)
        assert await jwks.get("elliptic")
        auth_server.routes["/jwks.json"] = lambda _: Answer(503, {"keys": []})
        for seconds, fetches in ((30, 1), (60, 2), (90, 2), (119, 2), (120, 3)):
            clock.now = 1000.0 + seconds
            if fetches == 1:
                assert await jwks.get("forged") is None
            else:
                # The key may have been added since the last fetch, so this is not a refusal.
                assert await outage(jwks.get, "forged")
            assert await jwks.get("elliptic")
            assert len(auth_server.requests) == fetches, seconds


async def test_many_at_once_cause_one_fetch(auth_server: Loopback, clock: Clock) -> None:
    async with key_set(auth_server) as http:
        jwks = JwksKeys(http, clock)
        found = await asyncio.gather(*(jwks.get("elliptic") for _ in range(50)))
    assert all(found)
    assert len(auth_server.requests) == 1


async def test_a_rotated_key_is_found_within_a_minute_and_a_removed_one_goes_within_ten(
    keys: Keys, auth_server: Loopback, clock: Clock
) -> None:
    added = public_jwk(ec.generate_private_key(ec.SECP256R1()), "added")
    old = keys.jwks()["keys"][:1]
    documents: list[list[Jwk]] = [old, [*old, added], [added]]
    auth_server.routes["/jwks.json"] = lambda _: Answer(200, {"keys": documents.pop(0)})
    async with key_set(auth_server) as http:
        jwks = JwksKeys(http, clock)
        assert await jwks.get("elliptic")
        assert await jwks.get("added") is None
        clock.now += SECONDS_BETWEEN_UNKNOWN_KIDS
        assert await jwks.get("added")
        assert await jwks.get("elliptic")
        clock.now += FRESH_SECONDS
        assert await jwks.get("added")
        assert await jwks.get("elliptic") is None
    assert documents == []


async def test_known_keys_outlast_an_outage_of_auth_for_a_day(auth_server: Loopback, clock: Clock) -> None:
    async with key_set(auth_server) as http:
        jwks = JwksKeys(http, clock)
        assert await jwks.get("elliptic")
        auth_server.routes["/jwks.json"] = lambda _: Answer(500, b"<html>")
        clock.now += 3600
        assert await jwks.get("elliptic")
        clock.now += 4
        assert await jwks.get("elliptic")
        assert len(auth_server.requests) == 2
        clock.now += 1
        assert await jwks.get("elliptic")
        assert len(auth_server.requests) == 3
        clock.now += STALE_SECONDS
        assert await outage(jwks.get, "elliptic")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"not json"),
        Answer(200, {"no": "keys"}),
        Answer(200, []),
        Answer(200, {"keys": None}),
        Answer(200, {"keys": "elliptic"}),
        Answer(200, {"keys": {"elliptic": {}}}),
        Answer(404, {"keys": []}),
        Answer(302, {"keys": []}, {"Location": "/elsewhere"}),
    ],
    ids=str,
)
async def test_a_malformed_key_set_is_an_outage(auth_server: Loopback, answer: Answer) -> None:
    auth_server.routes["/jwks.json"] = lambda _: answer
    async with key_set(auth_server) as http:
        assert await outage(JwksKeys(http).get, "elliptic")


async def test_auth_that_never_answered_is_an_outage() -> None:
    async with HttpClient(closed_port_url(), 3.0) as http:
        assert await outage(JwksKeys(http).get, "elliptic")


SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 (the test shows that it is refused)
UNUSABLE: dict[str, Callable[[Keys], object]] = {
    "a curve other than P-256": lambda _: public_jwk(ec.generate_private_key(ec.SECP384R1()), "odd"),
    "another curve that says ES256": lambda _: (
        public_jwk(ec.generate_private_key(ec.SECP384R1()), "odd") | {"alg": "ES256"}
    ),
    "secp256k1": lambda _: public_jwk(ec.generate_private_key(ec.SECP256K1()), "odd"),
    "a short RSA key": lambda _: public_jwk(SHORT, "odd"),
    "a private key": lambda keys: private_jwk(keys.es256, "odd"),
    "for encryption": lambda keys: public_jwk(keys.es256, "odd") | {"use": "enc"},
    "for signing only": lambda keys: public_jwk(keys.es256, "odd") | {"key_ops": ["sign"]},
    "operations that are no list": lambda keys: public_jwk(keys.es256, "odd") | {"key_ops": "verify"},
    "EC that says HS256": lambda keys: public_jwk(keys.es256, "odd") | {"alg": "HS256"},
    "EC that says none": lambda keys: public_jwk(keys.es256, "odd") | {"alg": "none"},
    "EC that says RS256": lambda keys: public_jwk(keys.es256, "odd") | {"alg": "RS256"},
    "RSA that says RS512": lambda keys: public_jwk(keys.rs256, "odd") | {"alg": "RS512"},
    "RSA that says PS256": lambda keys: public_jwk(keys.rs256, "odd") | {"alg": "PS256"},
    "an algorithm that is no text": lambda keys: public_jwk(keys.es256, "odd") | {"alg": 5},
    "symmetric": lambda _: {"kty": "oct", "k": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4", "kid": "odd"},
    "coordinates off the curve": lambda keys: public_jwk(keys.es256, "odd") | {"y": "A" * 43},
    "coordinates that are no text": lambda keys: public_jwk(keys.es256, "odd") | {"x": 1, "y": None},
    "of no type": lambda _: {"kid": "odd"},
    "a kid that is no text": lambda keys: public_jwk(keys.es256, "odd") | {"kid": ["odd"]},
    "an empty kid": lambda keys: public_jwk(keys.es256, ""),
    "no object": lambda _: "odd",
}


@pytest.mark.parametrize("unusable", UNUSABLE)
async def test_an_unusable_key_is_skipped_and_the_others_are_used(
    keys: Keys, auth_server: Loopback, unusable: str
) -> None:
    document = {"keys": [UNUSABLE[unusable](keys), public_jwk(keys.es256, "good")]}
    auth_server.routes["/jwks.json"] = lambda _: Answer(200, json.loads(json.dumps(document)))
    async with key_set(auth_server) as http:
        jwks = JwksKeys(http)
        assert await jwks.get("odd") is None
        assert await jwks.get("") is None
        assert await jwks.get("good")


async def test_a_key_whose_fields_fit_its_type_is_used(keys: Keys, auth_server: Loopback) -> None:
    said = {"alg": "ES256", "key_ops": ["verify"], "use": "sig", "ext": True}
    document = {"keys": [public_jwk(keys.es256, "elliptic") | said, public_jwk(keys.rs256, "rivest")]}
    auth_server.routes["/jwks.json"] = lambda _: Answer(200, document)
    async with key_set(auth_server) as http:
        jwks = JwksKeys(http)
        found = [await jwks.get(kid) for kid in ("elliptic", "rivest")]
    assert [key.algorithm_name for key in found if key] == ["ES256", "RS256"]


async def test_neither_of_two_keys_with_the_same_kid_is_used(keys: Keys, auth_server: Loopback) -> None:
    other = public_jwk(ec.generate_private_key(ec.SECP256R1()), "elliptic")
    auth_server.routes["/jwks.json"] = lambda _: Answer(200, {"keys": [*keys.jwks()["keys"], other]})
    async with key_set(auth_server) as http:
        jwks = JwksKeys(http)
        assert await jwks.get("elliptic") is None
        assert await jwks.get("rivest")


async def outage(get: Callable[[str], Any], kid: str) -> bool:
    """Whether the lookup fails with 503 and Retry-After."""
    with pytest.raises(ApiError) as raised:
        await get(kid)
    error = raised.value
    return (error.status_code, error.code, set(error.headers or {})) == (
        503,
        "auth_unavailable",
        {"Retry-After"},
    )
