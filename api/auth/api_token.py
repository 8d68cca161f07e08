"""API tokens: their form, and the short-lived context JWT that stands for one at the database.

A token is `dex_`, 43 base62 digits (256 random bits) and 6 base62 digits of their CRC32, the form that GitHub
introduced: a secret scanner finds it, and a typo is refused without a call to the database.
https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
"""

import hashlib
import secrets
import string
import time
import zlib
from dataclasses import dataclass, field

import jwt

from api.auth.expiring_cache import ExpiringCache
from api.errors import ApiError, ErrorCode

PREFIX = "dex_"
DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
BODY_LENGTH = 43  # ceil(256 / log2(62))
CHECKSUM_LENGTH = 6  # ceil(32 / log2(62))
TOKEN_LENGTH = len(PREFIX) + BODY_LENGTH + CHECKSUM_LENGTH
SHOWN_PREFIX_LENGTH = 12

CONTEXT_JWT_SECONDS = 60
CONTEXT_JWT_REUSE_SECONDS = 30
MAX_CACHED_JWTS = 10_000


@dataclass(frozen=True, slots=True)
class ApiToken:
    """The owner sees `secret` once; the database keeps `token_hash` and `prefix`."""

    secret: str = field(repr=False)

    @property
    def token_hash(self) -> str:
        return hashlib.sha256(self.secret.encode()).hexdigest()

    @property
    def prefix(self) -> str:
        return self.secret[:SHOWN_PREFIX_LENGTH]

    def rpc_arguments(self) -> dict[str, str]:
        return {"p_token_hash": self.token_hash, "p_prefix": self.prefix}


def generate_api_token() -> ApiToken:
    body = _base62(secrets.randbits(256), BODY_LENGTH)
    return ApiToken(PREFIX + body + _checksum(body))


def parse_api_token(text: str) -> ApiToken:
    """Recognises a token offline; raises ApiError(api_token_malformed) for a typo or an incomplete copy."""
    body, checksum = text[len(PREFIX) : -CHECKSUM_LENGTH], text[-CHECKSUM_LENGTH:]
    if (
        not text.startswith(PREFIX)
        or len(text) != TOKEN_LENGTH
        or not set(body) <= set(DIGITS)
        or _checksum(body) != checksum
    ):
        raise ApiError(
            ErrorCode.API_TOKEN_MALFORMED,
            "The API token is incomplete or mistyped. Copy it again.",
        )
    return ApiToken(text)


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(DIGITS[digit])
    return "".join(reversed(digits))


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key of context JWTs: an HS256 secret, or a private ES256 key that Supabase knows by `kid`."""

    algorithm: str
    key: str | jwt.PyJWK = field(repr=False)
    kid: str | None = None


class ContextJwtMinter:
    """Signs context JWTs, which are valid for a minute and name an API token by its hash.

    They name no user, org or role: SQL looks these up by the hash, each time.
    """

    def __init__(self, signing_key: SigningKey, issuer: str, audience: str) -> None:
        self._signing_key = signing_key
        self._issuer = issuer
        self._audience = audience
        self._minted: ExpiringCache[str] = ExpiringCache(CONTEXT_JWT_REUSE_SECONDS, MAX_CACHED_JWTS)

    def mint(self, token_hash: str) -> str:
        minted = self._minted.get(token_hash)
        if minted is None:
            now = int(time.time())
            claims = {
                "role": "authenticated",
                "aud": self._audience,
                "iss": self._issuer,
                "iat": now,
                "exp": now + CONTEXT_JWT_SECONDS,
                "api_token_hash": token_hash,
            }
            headers = {"kid": self._signing_key.kid} if self._signing_key.kid else None
            minted = jwt.encode(claims, self._signing_key.key, self._signing_key.algorithm, headers)
            self._minted.put(token_hash, minted)
        return minted
