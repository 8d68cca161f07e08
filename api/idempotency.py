"""The Idempotency-Key header."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request

from api.models.requests import RequestModel
from api.request_hash import idempotency_arguments

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
        if isinstance(body, RequestModel):
            body = body.model_dump(mode="json")
        return idempotency_arguments(self.key, self.route, body)

    def options(self) -> dict[str, str | None]:
        """For the jobs, which hash the body where they parse it."""
        return {"idempotency_key": self.key, "route": self.route}


async def get_idempotency(request: Request, key: IdempotencyKey = None) -> IdempotencyScope:
    return IdempotencyScope(key, request.scope["route"].path)


Idempotency = Annotated[IdempotencyScope, Depends(get_idempotency)]
