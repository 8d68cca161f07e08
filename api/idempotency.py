"""The Idempotency-Key header, and the hash that shows whether a repeated request is the same one."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request

from api.data_api import encode_json
from api.models.requests import RequestModel

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x20-\x7e]{1,255}$",
        description=(
            "1 to 255 printable ASCII characters of your choice. The same key with the same body returns the "
            "first result; the same key with another body is 409 `idempotency_key_reused`."
        ),
    ),
]


@dataclass(frozen=True, slots=True)
class IdempotencyScope:
    """The key of a request, scoped to the path of its route."""

    key: str | None
    route: str

    def arguments(self, body: RequestModel | Mapping[str, Any]) -> dict[str, str]:
        """The two arguments that a creating RPC takes; none if the request has no key."""
        if self.key is None:
            return {}
        if isinstance(body, RequestModel):
            body = body.model_dump(mode="json")
        return {"p_idempotency_key": self.key, "p_request_hash": request_hash(self.route, body)}


def request_hash(route: str, body: Mapping[str, Any]) -> str:
    """SHA-256 of the route and the body in canonical form: keys sorted, defaults filled in."""
    digest = hashlib.sha256(f"{route}\n".encode())
    digest.update(encode_json(body, sort_keys=True))
    return digest.hexdigest()


async def get_idempotency(request: Request, key: IdempotencyKey = None) -> IdempotencyScope:
    return IdempotencyScope(key, request.scope["route"].path)


Idempotency = Annotated[IdempotencyScope, Depends(get_idempotency)]
