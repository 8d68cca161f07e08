"""API tokens: their form, and the short-lived context JWT that carries one to the database.

A token is `dex_`, 43 base62 digits (256 random bits) and 6 base62 digits of their CRC32, the shape that
GitHub introduced: a secret scanner finds it, and a typo is refused without asking the database.
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
    """`secret` is shown to its owner once; `token_hash` is all that is kept."""

    secret: str = field(repr=False)

    @property
    def token_hash(self) -> str:
        return hashlib.sha256(self.secret.encode()).hexdigest()

    @property
    def prefix(self) -> str:
        return self.secret[:SHOWN_PREFIX_LENGTH]


def generate_api_token() -> ApiToken:
    body = _base62(secrets.randbits(256), BODY_LENGTH)
    return ApiToken(PREFIX + body + _checksum(body))


def parse_api_token(text: str) -> ApiToken:
    """Recognises a token offline; raises ApiError(api_token_malformed) for a typo or a cut-off paste."""
    body, checksum = text[len(PREFIX) : -CHECKSUM_LENGTH], text[-CHECKSUM_LENGTH:]
    if (
        not text.startswith(PREFIX)
        or len(text) != TOKEN_LENGTH
        or not set(body) <= set(DIGITS)
        or _checksum(body) != checksum
    ):
        raise ApiError(
            ErrorCode.API_TOKEN_MALFORMED,
            "The API token is cut off or mistyped. Copy it again.",
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
    """How context JWTs are signed: an HS256 secret, or a private ES256 key that Supabase knows by `kid`."""

    algorithm: str
    key: str | jwt.PyJWK = field(repr=False)
    kid: str | None = None


class ContextJwtMinter:
    """Signs what the database needs to know of an API token caller: its token's hash, for about a minute.

    The JWT names no user, org or role of its own: SQL looks all of that up by the hash, each time.
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
