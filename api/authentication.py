"""The middleware that knows the caller before a request costs anything: before its body is read.

No route decides by it. It refuses what has no valid credential, and what is too much.
"""

import hashlib
import math

from starlette.datastructures import Headers, MutableHeaders, State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.address_limit import AddressLimit
from api.auth.context import AuthContextResolver
from api.auth.credential import CredentialVerifier
from api.errors import ApiError, ErrorCode
from api.request_limits import RequestLimits

PRODUCT_PATHS = "/v1/"
# Asked by the platform all the time, and cheap.
FREE_PATHS = frozenset({"/healthz", "/readyz"})


class Authentication:
    """Verifies the credential of a request to a product endpoint, which finds it in `request.state`."""

    def __init__(self, app: ASGIApp, addresses: AddressLimit) -> None:
        self.app = app
        self.addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in FREE_PATHS:
            await self.app(scope, receive, send)
            return
        address = (scope.get("client") or ("unknown", 0))[0]
        state: State = scope["app"].state
        authorization = Headers(scope=scope).get("authorization")
        self._refuse_if_too_many(address, authorization, state.auth_contexts)
        if not scope["path"].startswith(PRODUCT_PATHS):
            self.addresses.charge(address)
            await self.app(scope, receive, send)
            return
        verifier: CredentialVerifier = state.credential_verifier
        try:
            credential = await verifier.verify(authorization)
        except ApiError:
            self.addresses.charge(address)
            raise
        scope.setdefault("state", {})["credential"] = credential
        limits: RequestLimits = state.request_limits
        account = await limits.take(credential)

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] in (401, 403):
                    self.addresses.charge(address)
                for name, value in account.headers().items():
                    MutableHeaders(scope=message)[name] = value
            await send(message)

        await self.app(scope, receive, send_with_limits)

    def _refuse_if_too_many(
        self, address: str, authorization: str | None, contexts: AuthContextResolver
    ) -> None:
        """A caller that the database has just known is not refused for others at its address."""
        seconds = self.addresses.seconds_until_allowed(address)
        if not seconds or contexts.knows(_fingerprint(authorization)):
            return
        raise ApiError(
            ErrorCode.TOO_MANY_REQUESTS,
            "Too many requests without a valid credential came from this address.",
            headers={"Retry-After": str(math.ceil(seconds))},
        )


def _fingerprint(authorization: str | None) -> str:
    """As `Credential` has it."""
    bearer = (authorization or "").partition(" ")[2].strip()
    return hashlib.sha256(bearer.encode()).hexdigest()
