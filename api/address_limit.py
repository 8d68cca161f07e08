"""The limit on requests without a valid credential, by address, in the memory of this process."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_ADDRESSES = 10_000
# One customer of a provider has at least such a network of IPv6 for itself.
IPV6_PREFIX = 64


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class AddressLimit:
    """A token bucket for each address. Above 10,000 addresses, the longest unused ones are forgotten."""

    def __init__(
        self,
        per_second: float = 10.0,
        burst: int = 100,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def seconds_until_allowed(self, address: str) -> float:
        """0 if the address may send a request now."""
        bucket = self._buckets.get(_network(address))
        if bucket is None:
            return 0.0
        self._fill(bucket)
        return max(0.0, (1.0 - bucket.tokens) / self._per_second)

    def charge(self, address: str) -> None:
        key = _network(address)
        bucket = self._buckets.pop(key, None) or _Bucket(self._burst, self._clock())
        self._fill(bucket)
        bucket.tokens = max(0.0, bucket.tokens - 1.0)
        while len(self._buckets) >= MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        self._buckets[key] = bucket

    def _fill(self, bucket: _Bucket) -> None:
        now = self._clock()
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled_at) * self._per_second)
        bucket.filled_at = now


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
