"""Verifies Supabase session JWTs: the signature by a key that we choose, then issuer, audience and expiry."""

from dataclasses import dataclass, field
from typing import Any

import jwt

from api.auth.jwks import JwksKeys
from api.errors import ApiError, ErrorCode

LEEWAY_SECONDS = 5
REQUIRED_CLAIMS = ["sub", "iss", "aud", "exp", "iat", "role"]


@dataclass(frozen=True, slots=True)
class JwtRules:
    """The requirements for a session token; `algorithms` is an allow-list."""

    algorithms: frozenset[str]
    issuer: str
    audience: str
    hs256_secret: str | None = field(repr=False)


class SessionJwtVerifier:
    """Verifies tokens offline; only the key set for asymmetric algorithms is fetched now and then."""

    def __init__(self, rules: JwtRules, jwks: JwksKeys | None) -> None:
        self._rules = rules
        self._jwks = jwks

    async def verify(self, token: str) -> dict[str, Any]:
        """Returns the claims; raises ApiError invalid_token or token_expired."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise _invalid("The token is not a JWT.") from error
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._rules.algorithms:
            raise _invalid("The algorithm is not accepted.")
        key = await self._key(algorithm, header.get("kid"))
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._rules.issuer,
                audience=self._rules.audience,
                leeway=LEEWAY_SECONDS,
                options={"require": REQUIRED_CLAIMS},
            )
        except jwt.ExpiredSignatureError as error:
            raise ApiError(
                ErrorCode.TOKEN_EXPIRED, "The session token has expired. Refresh the session and try again."
            ) from error
        except jwt.InvalidTokenError as error:
            raise _invalid(f"{type(error).__name__.removesuffix('Error')}.") from error
        # The same key also signs the service_role and anon keys, which must not pass.
        if claims["role"] != "authenticated" or not claims["sub"]:
            raise _invalid("The token does not belong to a signed-in user.")
        return claims

    async def _key(self, algorithm: str, kid: object) -> str | jwt.PyJWK:
        """Chooses the kind of key by the algorithm, so a public key never serves as an HMAC secret."""
        if algorithm == "HS256":
            if self._rules.hs256_secret is None:
                raise _invalid("The algorithm is not accepted.")
            return self._rules.hs256_secret
        if self._jwks is None or not isinstance(kid, str):
            raise _invalid("The token names no key.")
        key = await self._jwks.get(kid)
        if key is None or key.algorithm_name != algorithm:
            raise _invalid("The key is unknown.")
        return key


def _invalid(reason: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_TOKEN, f"The session token is not valid. {reason}")
