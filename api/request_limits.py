"""The limits on requests of a credential and of its org, which all processes of the API share.

The buckets are in the database. A process reports the requests that it has served, in batches, and serves
more until the database says that a bucket is empty. So no request waits for its token, and a call reports up
to 50 requests. Each process may serve two batches too many.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from api.auth.credential import Credential
from api.auth.expiring_cache import ExpiringCache
from api.data_api import DataApi, DataApiCaller
from api.errors import ApiError, ErrorCode
from api.models.request_limits import TakenRequestTokens

logger = logging.getLogger(__name__)

# A full bucket holds so many seconds of its rate (`private.fill_request_bucket`).
BUCKET_SECONDS = 5
MAX_BATCH = 50
# A batch is at most this share of what is left, so that several processes together take little too much.
BATCH_SHARE_OF_REMAINING = 8
REPORT_SECONDS = 10.0
SECONDS_AFTER_FAILURE = 30.0
ACCOUNT_SECONDS = 600.0
MAX_ACCOUNTS = 10_000


@dataclass(slots=True)
class Account:
    """What this process knows of one credential."""

    unreported: int = 0
    limit_per_second: int | None = None
    remaining: int = 0
    reported_at: float = float("-inf")
    refused_until: float = float("-inf")
    report: asyncio.Task[None] | None = None

    @property
    def batch(self) -> int:
        return max(1, min(MAX_BATCH, self.remaining // BATCH_SHARE_OF_REMAINING))

    def headers(self) -> dict[str, str]:
        """https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/"""
        if self.limit_per_second is None:
            return {}
        quota = self.limit_per_second * BUCKET_SECONDS
        left = max(0, self.remaining - self.unreported)
        seconds_until_full = math.ceil((quota - left) / self.limit_per_second)
        return {
            "RateLimit-Policy": f'"requests";q={quota};w={BUCKET_SECONDS}',
            "RateLimit": f'"requests";r={left};t={seconds_until_full}',
        }


class RequestLimits:
    """Counts requests. While the database does not answer, none is refused: it would be refused there."""

    def __init__(self, data_api: DataApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._data_api = data_api
        self._clock = clock
        self._accounts: ExpiringCache[Account] = ExpiringCache(ACCOUNT_SECONDS, MAX_ACCOUNTS, clock)
        self._silent_until = float("-inf")

    async def take(self, credential: Credential) -> Account:
        """Counts one request; raises ApiError too_many_requests."""
        account = self._accounts.get(credential.fingerprint)
        if account is None:
            account = Account()
            self._accounts.put(credential.fingerprint, account)
        self._refuse_if_empty(account)
        account.unreported += 1
        if self._is_report_due(account):
            account.report = account.report or asyncio.create_task(self._report(account, credential))
            # The first request of a credential, and a batch too many, wait for the answer.
            if account.limit_per_second is None or account.unreported > 2 * account.batch:
                await asyncio.shield(account.report)
                self._refuse_if_empty(account)
        return account

    def _is_report_due(self, account: Account) -> bool:
        now = self._clock()
        if now < self._silent_until:
            return False
        return account.unreported >= account.batch or now - account.reported_at >= REPORT_SECONDS

    async def _report(self, account: Account, credential: Credential) -> None:
        count, account.unreported = account.unreported, 0
        try:
            caller = DataApiCaller(self._data_api, credential)
            taken = await caller.call("take_request_tokens", {"p_count": count}, TakenRequestTokens)
        except (ApiError, ValidationError) as error:
            # A caller that the database refuses has no bucket. Its request is refused there, too.
            if not isinstance(error, ApiError) or error.status_code not in (401, 403):
                logger.warning("the limits on requests are off for a moment: %s", error)
                self._silent_until = self._clock() + SECONDS_AFTER_FAILURE
        else:
            account.limit_per_second, account.remaining = taken.limit_per_second, taken.remaining
            if taken.granted < count:
                # What was served without a token is waited for.
                debt = (count - taken.granted) / taken.limit_per_second
                account.refused_until = self._clock() + max(taken.retry_after_seconds, debt)
        finally:
            account.reported_at = self._clock()
            account.report = None

    def _refuse_if_empty(self, account: Account) -> None:
        seconds = account.refused_until - self._clock()
        if seconds > 0:
            raise ApiError(
                ErrorCode.TOO_MANY_REQUESTS,
                "The credential or its org sends too many requests. Wait, then go on more slowly.",
                headers={"Retry-After": str(math.ceil(seconds)), **account.headers()},
            )
