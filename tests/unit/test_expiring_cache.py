"""The cache of context JWTs and AuthContexts."""

from __future__ import annotations

from api.auth.expiring_cache import ExpiringCache


def test_entry_expires_at_its_time() -> None:
    now = 100.0
    cache: ExpiringCache[str] = ExpiringCache(5.0, 10, clock=lambda: now)
    cache.put("a", "value")
    now = 104.9
    assert cache.get("a") == "value"
    now = 105.0
    assert cache.get("a") is None
    assert len(cache) == 0


def test_oldest_entry_leaves_when_the_cache_is_full() -> None:
    cache: ExpiringCache[int] = ExpiringCache(5.0, 2, clock=lambda: 0.0)
    for number, key in enumerate("abc"):
        cache.put(key, number)
    assert [cache.get(key) for key in "abc"] == [None, 1, 2]


def test_putting_again_renews_the_entry_and_its_place() -> None:
    now = 0.0
    cache: ExpiringCache[int] = ExpiringCache(5.0, 2, clock=lambda: now)
    cache.put("a", 1)
    cache.put("b", 2)
    now = 3.0
    cache.put("a", 3)
    cache.put("c", 4)
    assert (cache.get("a"), cache.get("b")) == (3, None)
    now = 7.0
    assert cache.get("a") == 3
