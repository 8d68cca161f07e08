"""The public keys of Supabase Auth, fetched when needed and remembered.

pyjwt's own PyJWKClient does the same with blocking calls, which would stop the event loop.
"""

import asyncio
import logging
import time
from collections.abc import Callable

import jwt

from api.errors import ApiError, ErrorCode
from api.http_client import HttpClient, UnreachableError

logger = logging.getLogger(__name__)

FRESH_SECONDS = 600.0
STALE_SECONDS = 24 * 3600.0
MIN_SECONDS_BETWEEN_FETCHES = 30.0
SECONDS_AFTER_FAILED_FETCH = 5.0
TIMEOUT_SECONDS = 3.0


class JwksKeys:
    """Looks a key up by `kid`; `http` is a client whose origin is the whole URL of the key set.

    An unknown kid causes a fetch (keys are rotated), but never more than one in 30 s, so that forged
    tokens cannot make us hammer Auth. While Auth is down, known keys are used for up to a day.
    """

    def __init__(self, http: HttpClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._next_fetch_at = float("-inf")
        self._lock = asyncio.Lock()

    async def get(self, kid: str) -> jwt.PyJWK | None:
        """Returns None for an unknown kid; raises ApiError(auth_unavailable) when no key set can be had."""
        if kid not in self._keys or self._age() > FRESH_SECONDS:
            async with self._lock:
                wanted = kid not in self._keys or self._age() > FRESH_SECONDS
                if wanted and self._clock() >= self._next_fetch_at:
                    await self._fetch()
        if self._age() > STALE_SECONDS:
            raise ApiError(
                ErrorCode.AUTH_UNAVAILABLE,
                "The keys that sessions are checked with cannot be fetched at the moment. Try again shortly.",
                headers={"Retry-After": str(int(SECONDS_AFTER_FAILED_FETCH))},
            )
        return self._keys.get(kid)

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    async def _fetch(self) -> None:
        self._next_fetch_at = self._clock() + SECONDS_AFTER_FAILED_FETCH
        try:
            response = await self._http.send("GET", "", {"Accept": "application/json"})
            entries = [*response.json()["keys"]]
        except (UnreachableError, ValueError, KeyError, TypeError) as error:
            logger.warning("the JWKS could not be fetched: %r", error)
            return
        self._keys = {key.key_id: key for entry in entries if (key := _public_key(entry)) and key.key_id}
        self._fetched_at = self._clock()
        self._next_fetch_at = self._fetched_at + MIN_SECONDS_BETWEEN_FETCHES


def _public_key(entry: object) -> jwt.PyJWK | None:
    """Only signature keys of asymmetric kinds: a symmetric one in a public document would be no secret."""
    if not isinstance(entry, dict) or entry.get("kty") not in ("EC", "RSA") or entry.get("use") == "enc":
        return None
    try:
        return jwt.PyJWK(entry)
    except jwt.PyJWTError as error:
        logger.warning("a key of the JWKS was skipped: %r", error)
        return None
