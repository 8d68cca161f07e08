"""Session claims, signing keys, their key set, and tokens that no library creates."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api.auth.jwks import JwksKeys
from api.auth.jwt import JwtRules, SessionJwtVerifier
from api.http_client import HttpClient
from tests.support.loopback import Loopback

SECRET = "a-secret-that-only-the-unit-tests-know-of"
ISSUER = "https://project.supabase.co/auth/v1"
Jwk = dict[str, Any]


class Keys:
    """An ES256 key, an RS256 key, and a key set that holds both and some unusable keys."""

    def __init__(self) -> None:
        self.es256 = ec.generate_private_key(ec.SECP256R1())
        self.rs256 = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwks(self) -> dict[str, list[Jwk]]:
        elliptic, rivest = public_jwk(self.es256, "elliptic"), public_jwk(self.rs256, "rivest")
        shared = {"kty": "oct", "k": base64url(b"x" * 32), "kid": "symmetric", "alg": "HS256"}
        return {
            "keys": [
                elliptic,
                rivest,
                {**elliptic, "kid": "for-encryption", "use": "enc"},
                {"kty": "EC", "crv": "P-256", "kid": "broken"},
                shared,
            ]
        }


def public_jwk(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, kid: str) -> Jwk:
    if isinstance(key, rsa.RSAPrivateKey):
        found: Jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        found = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {name: value for name, value in found.items() if name != "key_ops"} | {"kid": kid, "use": "sig"}


def private_jwk(key: ec.EllipticCurvePrivateKey, kid: str) -> Jwk:
    found: Jwk = jwt.algorithms.ECAlgorithm.to_jwk(key, as_dict=True)
    return found | {"kid": kid}


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


def hs256(**changed: object) -> str:
    return jwt.encode(claims(**changed), SECRET, algorithm="HS256")


def es256(keys: Keys, kid: str | None = "elliptic", **changed: object) -> str:
    headers = {"kid": kid} if kid else None
    return jwt.encode(claims(**changed), keys.es256, algorithm="ES256", headers=headers)


def rs256(keys: Keys, kid: str = "rivest") -> str:
    return jwt.encode(claims(), keys.rs256, algorithm="RS256", headers={"kid": kid})


def verifier(
    *algorithms: str, jwks: JwksKeys | None = None, secret: str | None = SECRET
) -> SessionJwtVerifier:
    return SessionJwtVerifier(JwtRules(frozenset(algorithms), ISSUER, "authenticated", secret), jwks)


def key_set(server: Loopback) -> HttpClient:
    return HttpClient(f"{server.url}/jwks.json", 3.0)


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed_by_hmac(header: dict[str, object], key: bytes) -> str:
    """Signs by hand, because pyjwt refuses to create such tokens."""
    signed = f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(claims()).encode())}"
    return f"{signed}.{base64url(hmac.digest(key, signed.encode(), hashlib.sha256))}"
