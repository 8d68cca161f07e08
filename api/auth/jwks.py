"""The public keys of Supabase Auth, fetched when needed and cached.

pyjwt's PyJWKClient does the same with blocking calls, which would stop the event loop.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from api.errors import ApiError, ErrorCode
from api.http_client import HttpClient, UnreachableError

logger = logging.getLogger(__name__)

FRESH_SECONDS = 600.0
STALE_SECONDS = 24 * 3600.0
SECONDS_BETWEEN_UNKNOWN_KIDS = 60.0
SECONDS_AFTER_FAILED_FETCH = 5.0
TIMEOUT_SECONDS = 3.0
MIN_RSA_BITS = 2048


class JwksKeys:
    """Looks a key up by `kid`. The origin of `http` is the whole URL of the key set.

    The set is cached for 10 minutes. An unknown kid causes an earlier fetch, since keys are rotated, but at
    most one a minute, so that forged tokens cannot flood Auth. While Auth is down, known keys are used for up
    to a day.
    """

    def __init__(self, http: HttpClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def get(self, kid: str) -> jwt.PyJWK | None:
        """Returns None for an unknown kid; raises ApiError(auth_unavailable) if the set cannot be fetched."""
        if self._is_fetch_due(kid):
            async with self._lock:
                # Another request may have fetched the set while this one waited for the lock.
                if self._is_fetch_due(kid):
                    fetched = await self._fetch()
                    self._tried_at = self._clock()
                    if fetched is not None:
                        self._keys, self._fetched_at = fetched, self._tried_at
        last_fetch_failed = self._tried_at > self._fetched_at
        if self._age() > STALE_SECONDS or (last_fetch_failed and kid not in self._keys):
            raise ApiError(
                ErrorCode.AUTH_UNAVAILABLE,
                "The keys that verify sessions cannot be fetched at the moment. Try again shortly.",
                headers={"Retry-After": str(int(SECONDS_AFTER_FAILED_FETCH))},
            )
        return self._keys.get(kid)

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _is_fetch_due(self, kid: str) -> bool:
        since_last_fetch = self._clock() - self._tried_at
        if self._age() >= FRESH_SECONDS:
            return since_last_fetch >= SECONDS_AFTER_FAILED_FETCH
        return kid not in self._keys and since_last_fetch >= SECONDS_BETWEEN_UNKNOWN_KIDS

    async def _fetch(self) -> dict[str, jwt.PyJWK] | None:
        try:
            response = await self._http.send("GET", "", {"Accept": "application/json"})
            entries = response.json()["keys"] if response.is_success else None
        except (UnreachableError, ValueError, KeyError, TypeError) as error:
            logger.warning("the JWKS could not be fetched: %r", error)
            return None
        if not isinstance(entries, list):
            logger.warning("the JWKS could not be fetched: HTTP %s without a list of keys", response.status)
            return None
        return _usable_keys(entries)


def _usable_keys(entries: list[object]) -> dict[str, jwt.PyJWK]:
    """The keys by kid. A kid that several keys share is ambiguous, so none of them is used."""
    by_kid: defaultdict[str, list[jwt.PyJWK]] = defaultdict(list)
    for entry in entries:
        key = _public_key(entry)
        if key is None or not isinstance(key.key_id, str) or not key.key_id:
            logger.warning("a key of the JWKS was skipped: it is not a P-256 or RSA key for signatures")
        else:
            by_kid[key.key_id].append(key)
    for kid in [kid for kid, keys in by_kid.items() if len(keys) > 1]:
        logger.warning("the keys of the JWKS that share the kid %.100r were skipped", kid)
        del by_kid[kid]
    return {kid: keys[0] for kid, keys in by_kid.items()}


def _public_key(entry: object) -> jwt.PyJWK | None:
    """The key if it is a public P-256 or RSA key for signatures, else None.

    The algorithm follows from the type of the key. The fields `use`, `key_ops` and `alg` can only exclude a
    key.
    """
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    algorithm = {"EC": "ES256", "RSA": "RS256"}.get(str(entry.get("kty")))
    if algorithm is None or entry.get("alg", algorithm) != algorithm:
        return None
    try:
        key = jwt.PyJWK(entry, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return None
    is_p256 = isinstance(key.key, EllipticCurvePublicKey) and isinstance(key.key.curve, SECP256R1)
    is_long_rsa = isinstance(key.key, RSAPublicKey) and key.key.key_size >= MIN_RSA_BITS
    return key if is_p256 or is_long_rsa else None
