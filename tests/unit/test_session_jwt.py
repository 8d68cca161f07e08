"""Which session tokens are refused, and by which key sets they are checked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api.auth.jwks import MIN_SECONDS_BETWEEN_FETCHES, STALE_SECONDS, JwksKeys
from api.auth.jwt import JwtRules, SessionJwtVerifier
from api.errors import ApiError
from api.http_client import HttpClient
from tests.unit.loopback import Answer, Loopback, closed_port_url, loopback_server

SECRET = "a-secret-that-only-the-unit-tests-know-of"
ISSUER = "https://project.supabase.co/auth/v1"


def claims(**changed: object) -> dict[str, Any]:
    now = int(time.time())
    session = {
        "iss": ISSUER,
        "aud": "authenticated",
        "sub": "8b0c6a52-6b8c-4f5e-9a34-6a5e6a0c9d11",
        "role": "authenticated",
        "iat": now,
        "exp": now + 600,
    }
    return {name: value for name, value in (session | changed).items() if value is not None}


def verifier(
    *algorithms: str, jwks: JwksKeys | None = None, secret: str | None = SECRET
) -> SessionJwtVerifier:
    return SessionJwtVerifier(JwtRules(frozenset(algorithms), ISSUER, "authenticated", secret), jwks)


async def refusal(checker: SessionJwtVerifier, token: str) -> str:
    with pytest.raises(ApiError) as raised:
        await checker.verify(token)
    assert raised.value.status_code == 401
    return raised.value.code


def hs256(**changed: object) -> str:
    return jwt.encode(claims(**changed), SECRET, algorithm="HS256")


async def test_a_session_of_this_project_passes_with_its_claims() -> None:
    verified = await verifier("HS256").verify(hs256(email="ada@example.com"))
    assert verified["email"] == "ada@example.com"


@pytest.mark.parametrize("missing", ["sub", "iss", "aud", "exp", "iat", "role"])
async def test_a_required_claim_that_is_missing_is_refused(missing: str) -> None:
    assert await refusal(verifier("HS256"), hs256(**{missing: None})) == "invalid_token"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://other.supabase.co/auth/v1"},
        {"iss": f"{ISSUER}/"},
        {"aud": "anon"},
        {"aud": []},
        {"role": "service_role"},
        {"role": "anon"},
        {"role": ["authenticated"]},
        {"sub": ""},
        {"sub": 17},
        {"nbf": int(time.time()) + 600},
        {"iat": int(time.time()) + 600},
        {"exp": "soon"},
    ],
    ids=str,
)
async def test_a_claim_with_a_wrong_value_is_refused(changed: dict[str, object]) -> None:
    assert await refusal(verifier("HS256"), hs256(**changed)) == "invalid_token"


async def test_an_expired_session_has_its_own_code() -> None:
    assert await refusal(verifier("HS256"), hs256(exp=int(time.time()) - 60)) == "token_expired"


async def test_another_secret_is_refused() -> None:
    forged = jwt.encode(claims(), "another-secret-of-at-least-32-characters", algorithm="HS256")
    assert await refusal(verifier("HS256"), forged) == "invalid_token"


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "HS384", "HS512", None, ["HS256"], {}])
async def test_an_algorithm_outside_the_allow_list_is_refused(algorithm: object) -> None:
    """Signed correctly for HS256, so that only the header's algorithm can be what refuses it."""
    token = signed_by_hmac({"alg": algorithm, "typ": "JWT"}, SECRET.encode())
    assert await refusal(verifier("HS256"), token) == "invalid_token"
    unsigned = token.rpartition(".")[0] + "."
    assert await refusal(verifier("HS256"), unsigned) == "invalid_token"


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "....", "é.è.ê", "e30.e30.", "bnVsbA.e30.x"])
async def test_what_is_no_jwt_is_refused(text: str) -> None:
    assert await refusal(verifier("HS256"), text) == "invalid_token"


async def test_a_tampered_payload_is_refused() -> None:
    head, _, signature = hs256().split(".")
    payload = base64url(json.dumps(claims(sub="someone-else")).encode())
    assert await refusal(verifier("HS256"), f"{head}.{payload}.{signature}") == "invalid_token"


# Asymmetric keys ---------------------------------------------------------------------------------------


class Keys:
    def __init__(self) -> None:
        self.es256 = ec.generate_private_key(ec.SECP256R1())
        self.rs256 = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwks(self) -> dict[str, Any]:
        elliptic = jwt.algorithms.ECAlgorithm.to_jwk(self.es256.public_key(), as_dict=True)
        rivest = jwt.algorithms.RSAAlgorithm.to_jwk(self.rs256.public_key(), as_dict=True)
        shared = {"kty": "oct", "k": base64url(b"x" * 32), "kid": "symmetric", "alg": "HS256"}
        return {
            "keys": [
                {**elliptic, "kid": "elliptic", "use": "sig"},
                {**rivest, "kid": "rivest", "use": "sig"},
                {**elliptic, "kid": "for-encryption", "use": "enc"},
                {"kty": "EC", "crv": "P-256", "kid": "broken"},
                shared,
            ]
        }


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys()


@pytest.fixture
def auth_server(keys: Keys) -> Iterator[Loopback]:
    with loopback_server() as server:
        server.routes["/jwks.json"] = lambda _: Answer(200, keys.jwks())
        yield server


def es256(keys: Keys, kid: str | None = "elliptic", **changed: object) -> str:
    headers = {"kid": kid} if kid else None
    return jwt.encode(claims(**changed), keys.es256, algorithm="ES256", headers=headers)


def key_set(server: Loopback) -> HttpClient:
    return HttpClient(f"{server.url}/jwks.json", 3.0)


async def test_es256_and_rs256_sessions_are_checked_by_the_key_set(keys: Keys, auth_server: Loopback) -> None:
    async with key_set(auth_server) as http:
        checker = verifier("ES256", "RS256", jwks=JwksKeys(http))
        rs256 = jwt.encode(claims(), keys.rs256, algorithm="RS256", headers={"kid": "rivest"})
        for token in (es256(keys), rs256, es256(keys)):
            await checker.verify(token)
    assert len(auth_server.requests) == 1


async def test_key_and_algorithm_must_belong_together(keys: Keys, auth_server: Loopback) -> None:
    async with key_set(auth_server) as http:
        checker = verifier("ES256", "RS256", jwks=JwksKeys(http))
        crossed = jwt.encode(claims(), keys.rs256, algorithm="RS256", headers={"kid": "elliptic"})
        stranger = jwt.encode(
            claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": "elliptic"}
        )
        tokens = [crossed, stranger, es256(keys, None)]
        tokens += [es256(keys, kid) for kid in ("unheard-of", "for-encryption", "broken", "symmetric")]
        for token in tokens:
            assert await refusal(checker, token) == "invalid_token"


async def test_public_key_is_never_taken_for_an_hmac_secret(keys: Keys, auth_server: Loopback) -> None:
    public_pem = keys.es256.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    jwk_text = json.dumps(keys.jwks()["keys"][0]).encode()
    async with key_set(auth_server) as http:
        jwks = JwksKeys(http)
        for checker in (verifier("ES256", jwks=jwks, secret=None), verifier("ES256", "HS256", jwks=jwks)):
            for hmac_key in (public_pem, jwk_text, b""):
                token = signed_by_hmac({"alg": "HS256", "kid": "elliptic"}, hmac_key)
                assert await refusal(checker, token) == "invalid_token"


async def test_hs256_without_a_secret_is_refused_even_if_it_is_allowed() -> None:
    assert await refusal(verifier("HS256", secret=None), hs256()) == "invalid_token"


async def test_unknown_kids_cause_at_most_one_fetch_in_thirty_seconds(
    keys: Keys, auth_server: Loopback
) -> None:
    now = 1000.0
    async with key_set(auth_server) as http:
        jwks = JwksKeys(http, clock=lambda: now)
        for number in range(20):
            assert await jwks.get(f"forged-{number}") is None
        assert len(auth_server.requests) == 1
        now += MIN_SECONDS_BETWEEN_FETCHES
        assert await jwks.get("forged-again") is None
        assert len(auth_server.requests) == 2


async def test_a_rotated_key_is_fetched_when_it_first_appears(keys: Keys, auth_server: Loopback) -> None:
    now = 1000.0
    documents = [{"keys": []}, keys.jwks()]
    auth_server.routes["/jwks.json"] = lambda _: Answer(200, documents.pop(0))
    async with key_set(auth_server) as http:
        jwks = JwksKeys(http, clock=lambda: now)
        assert await jwks.get("elliptic") is None
        now += MIN_SECONDS_BETWEEN_FETCHES
        assert await jwks.get("elliptic") is not None


async def test_known_keys_outlast_an_outage_of_auth_for_a_day(keys: Keys, auth_server: Loopback) -> None:
    now = 1000.0
    async with key_set(auth_server) as http:
        jwks = JwksKeys(http, clock=lambda: now)
        assert await jwks.get("elliptic")
        auth_server.routes["/jwks.json"] = lambda _: Answer(500, b"<html>")
        now += 3600
        assert await jwks.get("elliptic")
        now += STALE_SECONDS
        with pytest.raises(ApiError) as raised:
            await jwks.get("elliptic")
    assert (raised.value.status_code, raised.value.code) == (503, "auth_unavailable")


@pytest.mark.parametrize("document", [b"not json", {"no": "keys"}, [], {"keys": None}], ids=str)
async def test_a_key_set_that_is_none_is_an_outage(auth_server: Loopback, document: object) -> None:
    auth_server.routes["/jwks.json"] = lambda _: Answer(200, document)
    async with key_set(auth_server) as http:
        with pytest.raises(ApiError) as raised:
            await JwksKeys(http).get("elliptic")
    assert raised.value.code == "auth_unavailable"


async def test_auth_that_never_answered_is_an_outage() -> None:
    async with HttpClient(closed_port_url(), 3.0) as http:
        with pytest.raises(ApiError) as raised:
            await JwksKeys(http).get("elliptic")
    assert raised.value.code == "auth_unavailable"


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed_by_hmac(header: dict[str, object], key: bytes) -> str:
    """By hand, since pyjwt rightly refuses to make such tokens."""
    signed = f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(claims()).encode())}"
    return f"{signed}.{base64url(hmac.digest(key, signed.encode(), hashlib.sha256))}"
