"""HTTP requests that test whether a service is up."""

from __future__ import annotations

from functools import cache

import httpx


def probe(url: str, api_key: str | None = None, bearer: str | None = None) -> httpx.Response | None:
    """The answer, or None while nothing answers."""
    headers = {"apikey": api_key} if api_key else {}
    headers |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
    try:
        return _client().get(url, headers=headers)
    except httpx.TransportError:
        return None


@cache
def _client() -> httpx.Client:
    # One client, since making one costs more than a probe. No proxies, since every service is local.
    # No connections are kept, since a service may restart between two probes.
    return httpx.Client(timeout=10, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
