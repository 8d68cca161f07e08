"""Asking over HTTP whether something is up."""

from __future__ import annotations

from functools import cache

import httpx


def probe(url: str, api_key: str | None = None, *, method: str = "GET") -> httpx.Response | None:
    """The answer, or None while nothing answers."""
    try:
        return _client().request(method, url, headers={"apikey": api_key} if api_key else None)
    except httpx.TransportError:
        return None


@cache
def _client() -> httpx.Client:
    # One for all, since making a client costs more than a probe; without the shell's proxies, since all it
    # asks is on this machine; without kept connections, since what it asks may be restarted meanwhile.
    return httpx.Client(timeout=10, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
