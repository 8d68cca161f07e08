"""The Idempotency-Key header and the hash that tells whether a repeated request is the same one."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Header

from api.data_api import encode_json
from api.models.requests import RequestModel

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x20-\x7e]{1,255}$",
        description=(
            "1 to 255 printable ASCII characters of your choice. The same key with the same body returns the "
            "first result; with another body it is 409 `idempotency_key_reused`."
        ),
    ),
]


def request_hash(route: str, body: Mapping[str, Any]) -> str:
    """SHA-256 over the route and the body in canonical form: keys sorted, defaults filled in."""
    digest = hashlib.sha256(f"{route}\n".encode())
    digest.update(encode_json(body, sort_keys=True))
    return digest.hexdigest()


def idempotency_arguments(key: str | None, route: str, body: RequestModel) -> dict[str, str]:
    """The two RPC arguments of a creating call; none without a key."""
    if key is None:
        return {}
    return {
        "p_idempotency_key": key,
        "p_request_hash": request_hash(route, body.model_dump(mode="json")),
    }
