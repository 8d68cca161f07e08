"""A rotation of the signing keys: both kinds of sessions are valid at once, and minting can switch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi.testclient import TestClient

from api.auth.api_token import CONTEXT_JWT_SECONDS, generate_api_token
from api.auth.jwks import JwksKeys
from api.errors import ApiError
from api.main import create_app
from tests.support.loopback import Answer, Loopback, loopback_server
from tests.unit.conftest import make_settings, session_claims, session_token
from tests.unit.signing import Keys, claims, es256, hs256, key_set, private_jwk, public_jwk, rs256, verifier


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys()


@pytest.fixture
def auth_server(keys: Keys) -> Iterator[Loopback]:
    with loopback_server() as server:
        server.routes["/jwks.json"] = lambda _: Answer(200, keys.jwks())
        yield server


async def test_sessions_of_the_secret_and_of_each_key_are_valid_at_once(
    keys: Keys, auth_server: Loopback
) -> None:
    standby = ec.generate_private_key(ec.SECP256R1())
    document = {"keys": [*keys.jwks()["keys"], public_jwk(standby, "standby")]}
    auth_server.routes["/jwks.json"] = lambda _: Answer(200, document)
    by_standby = jwt.encode(claims(), standby, algorithm="ES256", headers={"kid": "standby"})
    async with key_set(auth_server) as http:
        checker = verifier("HS256", "ES256", "RS256", jwks=JwksKeys(http))
        for token in (hs256(), es256(keys), rs256(keys), by_standby) * 2:
            assert (await checker.verify(token))["role"] == "authenticated"
        crossed = jwt.encode(claims(), standby, algorithm="ES256", headers={"kid": "elliptic"})
        with pytest.raises(ApiError):
            await checker.verify(crossed)
    assert len(auth_server.requests) == 1


async def test_once_the_secret_is_revoked_its_sessions_end(keys: Keys, auth_server: Loopback) -> None:
    async with key_set(auth_server) as http:
        for checker in (
            verifier("ES256", jwks=JwksKeys(http)),
            verifier("ES256", "HS256", jwks=JwksKeys(http), secret=None),
        ):
            await checker.verify(es256(keys))
            with pytest.raises(ApiError) as raised:
                await checker.verify(hs256())
            assert raised.value.code == "invalid_token"


STAGES: dict[str, tuple[dict[str, Any], set[str], str]] = {
    # The settings; the algorithms of the valid sessions; the algorithm of the context JWTs.
    "before": ({}, {"HS256"}, "HS256"),
    "both are valid": ({"supabase_jwt_algorithms": "HS256,ES256"}, {"HS256", "ES256"}, "HS256"),
    "minting has switched": (
        {"supabase_jwt_algorithms": "HS256,ES256", "supabase_jwt_signing_key": True},
        {"HS256", "ES256"},
        "ES256",
    ),
    "the secret is revoked": (
        {
            "supabase_jwt_algorithms": "ES256",
            "supabase_jwt_signing_key": True,
            "supabase_jwt_secret": None,
        },
        {"ES256"},
        "ES256",
    ),
}


@pytest.mark.parametrize("stage", STAGES)
def test_at_each_stage_of_a_rotation_the_api_accepts_and_mints_what_it_should(
    data_api: Loopback, trigger: Loopback, auth_server: Loopback, keys: Keys, stage: str
) -> None:
    values, accepted, minted_by = STAGES[stage]
    values = dict(values)
    if "supabase_jwt_algorithms" in values:
        values["supabase_jwks_url"] = f"{auth_server.url}/jwks.json"
    if "supabase_jwt_signing_key" in values:
        values["supabase_jwt_signing_key"] = json.dumps(private_jwk(keys.es256, "elliptic"))
    settings = make_settings(data_api.url, trigger.url, **values)
    sessions = {
        "HS256": session_token(settings),
        "ES256": jwt.encode(session_claims(settings), keys.es256, "ES256", {"kid": "elliptic"}),
    }
    token = generate_api_token()
    with TestClient(create_app(settings)) as client:
        for algorithm, session in sessions.items():
            answer = client.post("/v1/auth/context", headers={"Authorization": f"Bearer {session}"})
            assert answer.is_success is (algorithm in accepted), algorithm
        data_api.requests.clear()
        by_token = client.post("/v1/auth/context", headers={"Authorization": f"Bearer {token.secret}"})
        assert by_token.is_success
    (request,) = data_api.asked("/rpc/auth_context")
    context_jwt = request.headers["authorization"].removeprefix("Bearer ")
    assert jwt.get_unverified_header(context_jwt)["alg"] == minted_by
    assert jwt.get_unverified_header(context_jwt).get("kid") == ("elliptic" if minted_by == "ES256" else None)
    if minted_by == "ES256":
        # PostgREST verifies it with the public key of the same kid in the key set.
        published = jwt.PyJWKSet.from_dict(keys.jwks())["elliptic"]
        verified = jwt.decode(context_jwt, published, audience="authenticated", issuer=settings.jwt_issuer)
        assert verified["api_token_hash"] == token.token_hash
        assert verified["exp"] - verified["iat"] == CONTEXT_JWT_SECONDS


def test_a_context_jwt_signed_by_another_key_does_not_verify(keys: Keys) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    forged = jwt.encode({"aud": "authenticated"}, other, "ES256", {"kid": "elliptic"})
    published = jwt.PyJWKSet.from_dict(keys.jwks())["elliptic"]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(forged, published, audience="authenticated")
