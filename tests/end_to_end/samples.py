"""Records and steps that more than one test sends."""

from __future__ import annotations

from typing import Any

CLEAN = {"slug": "normalize-company"}


def companies(count: int) -> list[dict[str, Any]]:
    """Distinct companies that every step keeps."""
    return [{"name": f"Company {n}", "domain": f"company-{n}.com"} for n in range(1, count + 1)]
