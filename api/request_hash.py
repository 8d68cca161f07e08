"""The hash that shows whether a repeated request is the same one."""

import hashlib
from collections.abc import Mapping
from typing import Any

from api.json_text import encode_json


def request_hash(route: str, body: Mapping[str, Any]) -> str:
    """SHA-256 of the route and the body in canonical form: keys sorted, defaults filled in."""
    digest = hashlib.sha256(f"{route}\n".encode())
    digest.update(encode_json(body, sort_keys=True))
    return digest.hexdigest()


def idempotency_arguments(key: str | None, route: str, body: Mapping[str, Any]) -> dict[str, str]:
    """The two arguments that a creating RPC takes; none without a key."""
    return {"p_idempotency_key": key, "p_request_hash": request_hash(route, body)} if key else {}
