"""Which session tokens are refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from api.auth.jwks import JwksKeys
from api.auth.jwt import LEEWAY_SECONDS, SessionJwtVerifier
from api.errors import ApiError
from tests.support.loopback import Answer, Loopback, loopback_server
from tests.unit.signing import (
    ISSUER,
    SECRET,
    Keys,
    base64url,
    claims,
    es256,
    hs256,
    key_set,
    public_jwk,
    rs256,
    signed_by_hmac,
    verifier,
)

NEXT_CENTURY = 4_102_444_800


async def refusal(checker: SessionJwtVerifier, token: str) -> str:
    with pytest.raises(ApiError) as raised:
        await checker.verify(token)
    assert raised.value.status_code == 401
    return raised.value.code


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
        {"nbf": NEXT_CENTURY},
        {"iat": NEXT_CENTURY},
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
    """The signature is correct for HS256, so only the algorithm of the header can cause the refusal."""
    token = signed_by_hmac({"alg": algorithm, "typ": "JWT"}, SECRET.encode())
    assert await refusal(verifier("HS256"), token) == "invalid_token"
    unsigned = token.rpartition(".")[0] + "."
    assert await refusal(verifier("HS256"), unsigned) == "invalid_token"


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "....", "é.è.ê", "e30.e30.", "bnVsbA.e30.x"])
async def test_text_that_is_not_a_jwt_is_refused(text: str) -> None:
    assert await refusal(verifier("HS256"), text) == "invalid_token"


async def test_a_tampered_payload_is_refused() -> None:
    head, _, signature = hs256().split(".")
    payload = base64url(json.dumps(claims(sub="someone-else")).encode())
    assert await refusal(verifier("HS256"), f"{head}.{payload}.{signature}") == "invalid_token"


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys()


@pytest.fixture
def auth_server(keys: Keys) -> Iterator[Loopback]:
    with loopback_server() as server:
        server.routes["/jwks.json"] = lambda _: Answer(200, keys.jwks())
        yield server


async def test_es256_and_rs256_sessions_are_checked_by_the_key_set(keys: Keys, auth_server: Loopback) -> None:
    async with key_set(auth_server) as http:
        checker = verifier("ES256", "RS256", jwks=JwksKeys(http))
        for token in (es256(keys), rs256(keys), es256(keys)):
            await checker.verify(token)
    assert len(auth_server.requests) == 1


async def test_key_and_algorithm_must_belong_together(keys: Keys, auth_server: Loopback) -> None:
    async with key_set(auth_server) as http:
        checker = verifier("ES256", "RS256", jwks=JwksKeys(http))
        stranger = jwt.encode(
            claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": "elliptic"}
        )
        tokens = [rs256(keys, "elliptic"), es256(keys, "rivest"), stranger, es256(keys, None)]
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


@pytest.mark.parametrize("allowed", ["HS256", "ES256", "RS256"])
async def test_a_valid_signature_of_an_algorithm_that_is_not_allowed_is_refused(
    keys: Keys, auth_server: Loopback, allowed: str
) -> None:
    tokens = {"HS256": hs256(), "ES256": es256(keys), "RS256": rs256(keys)}
    async with key_set(auth_server) as http:
        checker = verifier(allowed, jwks=JwksKeys(http))
        await checker.verify(tokens.pop(allowed))
        for token in tokens.values():
            assert await refusal(checker, token) == "invalid_token"


async def test_a_kid_cannot_turn_the_secret_into_another_key(keys: Keys, auth_server: Loopback) -> None:
    """The secret verifies HS256 tokens, whatever kid they name. The tokens of Auth name one."""
    async with key_set(auth_server) as http:
        checker = verifier("ES256", "HS256", jwks=JwksKeys(http))
        for kid in ("legacy", "elliptic", "../../dev/null", ""):
            await checker.verify(jwt.encode(claims(), SECRET, algorithm="HS256", headers={"kid": kid}))
    assert auth_server.requests == []


@pytest.mark.parametrize("kid", [None, "", 17, ["elliptic"], {"elliptic": 1}, "ELLIPTIC", " elliptic"])
async def test_a_kid_must_be_the_name_of_a_key(keys: Keys, auth_server: Loopback, kid: object) -> None:
    async with key_set(auth_server) as http:
        checker = verifier("ES256", jwks=JwksKeys(http))
        token = signed_by_es256({"alg": "ES256", "kid": kid}, keys.es256)
        assert await refusal(checker, token) == "invalid_token"
        assert bool(auth_server.requests) is isinstance(kid, str)
        await checker.verify(signed_by_es256({"alg": "ES256", "kid": "elliptic"}, keys.es256))


async def test_a_token_cannot_bring_its_own_key(keys: Keys, auth_server: Loopback) -> None:
    """Headers that embed a key or its address are ignored."""
    own = ec.generate_private_key(ec.SECP256R1())
    with loopback_server() as theirs:
        theirs.fallback = lambda _: Answer(200, {"keys": [public_jwk(own, "elliptic")]})
        brought: dict[str, object] = {
            "jwk": public_jwk(own, "elliptic"),
            "jku": f"{theirs.url}/jwks.json",
            "x5u": f"{theirs.url}/chain.pem",
            "x5c": [base64url(b"certificate")],
        }
        async with key_set(auth_server) as http:
            checker = verifier("ES256", jwks=JwksKeys(http))
            for header in (*({name: value} for name, value in brought.items()), brought):
                for kid in ("elliptic", "theirs"):
                    token = signed_by_es256({"alg": "ES256", "kid": kid, **header}, own)
                    assert await refusal(checker, token) == "invalid_token"
                await checker.verify(
                    signed_by_es256({"alg": "ES256", "kid": "elliptic", **header}, keys.es256)
                )
        assert theirs.requests == []


@pytest.mark.parametrize(
    "critical", [{"crit": ["exp"], "exp": 1}, {"crit": ["b64"], "b64": False}, {"crit": []}, {"crit": "alg"}]
)
async def test_an_unknown_critical_header_is_refused(
    critical: dict[str, object],
) -> None:
    token = signed_by_hmac({"alg": "HS256", **critical}, SECRET.encode())
    assert await refusal(verifier("HS256"), token) == "invalid_token"


async def test_a_clock_may_differ_by_seconds_and_not_more() -> None:
    now = int(time.time())
    checker = verifier("HS256")
    await checker.verify(hs256(nbf=now - 60))
    await checker.verify(hs256(nbf=now + LEEWAY_SECONDS - 2, iat=now + LEEWAY_SECONDS - 2))
    await checker.verify(hs256(exp=now - LEEWAY_SECONDS + 2))
    assert await refusal(checker, hs256(nbf=now + LEEWAY_SECONDS + 3)) == "invalid_token"
    assert await refusal(checker, hs256(nbf="soon")) == "invalid_token"
    assert await refusal(checker, hs256(exp=now - LEEWAY_SECONDS - 1)) == "token_expired"


def signed_by_es256(header: dict[str, object], key: ec.EllipticCurvePrivateKey) -> str:
    """Signs any header, including those that pyjwt does not write."""
    algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
    signed = f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(claims()).encode())}"
    return f"{signed}.{base64url(algorithm.sign(signed.encode(), key))}"
