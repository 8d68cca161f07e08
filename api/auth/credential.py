"""Bearer → verified credential: an API token or a Supabase session JWT."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from api.auth.api_token import PREFIX, ContextJwtMinter, parse_api_token
from api.auth.jwt import SessionJwtVerifier
from api.errors import ApiError, ErrorCode

MAX_BEARER_LENGTH = 8192


class AuthMethod(StrEnum):
    SUPABASE_JWT = "supabase_jwt"
    API_TOKEN = "api_token"  # noqa: S105 (the name of a method)


@dataclass(frozen=True, slots=True)
class Credential:
    """`fingerprint`, a SHA-256, identifies the bearer in caches."""

    auth_method: AuthMethod
    fingerprint: str = field(repr=False)
    bearer: Callable[[], str] = field(repr=False, compare=False)

    def data_api_bearer(self) -> str:
        """The JWT for the next Data API call. A context JWT is renewed during a long export."""
        return self.bearer()


class CredentialVerifier:
    def __init__(self, session_jwts: SessionJwtVerifier, context_jwts: ContextJwtMinter) -> None:
        self._session_jwts = session_jwts
        self._context_jwts = context_jwts

    async def verify(self, authorization: str | None) -> Credential:
        """Verifies an Authorization header; raises ApiError with one of the 401 codes."""
        scheme, _, bearer = (authorization or "").partition(" ")
        bearer = bearer.strip()
        if scheme.lower() != "bearer" or not bearer:
            raise ApiError(
                ErrorCode.MISSING_CREDENTIAL,
                "Send a session token or an API token as `Authorization: Bearer …`.",
            )
        if len(bearer) > MAX_BEARER_LENGTH:
            raise ApiError(ErrorCode.INVALID_TOKEN, "The token is too long.")
        if bearer.startswith(PREFIX):
            token_hash = parse_api_token(bearer).token_hash
            return Credential(
                AuthMethod.API_TOKEN, token_hash, bearer=lambda: self._context_jwts.mint(token_hash)
            )
        await self._session_jwts.verify(bearer)
        fingerprint = hashlib.sha256(bearer.encode()).hexdigest()
        return Credential(AuthMethod.SUPABASE_JWT, fingerprint, bearer=lambda: bearer)
