"""The middleware that receives bodies: how large, how slow, and how complicated one may be.

It runs before the framework parses a body. The framework's own limit would answer in plain text, outside the
error envelope, and it parses all that fits.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ApiError, ErrorCode
from api.json_text import JsonBounds, check_json_text


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """`json` is None for a body that the endpoint reads, and bounds, itself."""

    max_bytes: int
    json: JsonBounds | None = None


@dataclass(frozen=True, slots=True)
class BodyPace:
    """The slowest sender that is waited for: each pause, and the average rate once the grace time is over."""

    idle_seconds: float = 10.0
    grace_seconds: float = 20.0
    bytes_per_second: float = 16 * 1024


class RequestBody:
    """Refuses a body that is too large (413), arrives too slowly (408), or is JSON beyond its bounds (422).

    A body with bounds for its JSON is held until it is complete. The others pass through as they arrive.
    """

    def __init__(
        self, app: ASGIApp, bounds: BodyBounds, bounds_by_path: Mapping[str, BodyBounds], pace: BodyPace
    ) -> None:
        self.app = app
        self.bounds = bounds
        self.bounds_by_path = bounds_by_path
        self.pace = pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        bounds = self.bounds_by_path.get(scope["path"], self.bounds)
        body = _ArrivingBody(receive, scope["path"], Headers(scope=scope), bounds.max_bytes, self.pace)
        if bounds.json and "json" in body.content_type:
            check_json_text(await body.complete(), bounds.json)
        await self.app(scope, body.receive, send)


class _ArrivingBody:
    def __init__(self, receive: Receive, path: str, headers: Headers, max_bytes: int, pace: BodyPace) -> None:
        self._receive = receive
        self._path = path
        self._announced = headers.get("content-length", "")
        self.content_type = headers.get("content-type", "").lower()
        self._max_bytes = max_bytes
        self._pace = pace
        self._received = 0
        self._begun_at: float | None = None
        self._is_complete = False
        self._held: Message | None = None

    async def complete(self) -> bytes:
        """The whole body. `receive` gives it once more. Empty if the caller hangs up."""
        parts = []
        while not self._is_complete:
            message = await self._next()
            if message["type"] == "http.disconnect":
                self._held = message
                return b""
            parts.append(message.get("body", b""))
        whole = b"".join(parts)
        self._held = {"type": "http.request", "body": whole, "more_body": False}
        return whole

    async def receive(self) -> Message:
        """One message of the server; raises ApiError."""
        if self._held:
            held, self._held = self._held, None
            return held
        # After its body, a request has nothing to send any more: the wait is for its end.
        return await (self._receive() if self._is_complete else self._next())

    async def _next(self) -> Message:
        if self._announced.isdecimal() and int(self._announced[:20]) > self._max_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._patience()):
                message = await self._receive()
        except TimeoutError as error:
            raise ApiError(
                ErrorCode.REQUEST_TIMEOUT,
                "The body arrived too slowly.",
                details={"received_bytes": self._received},
                headers={"Connection": "close"},
            ) from error
        self._received += len(message.get("body", b""))
        if self._received > self._max_bytes:
            raise self._too_large()
        self._is_complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    def _patience(self) -> float:
        now = asyncio.get_running_loop().time()
        if self._begun_at is None:
            self._begun_at = now
        allowed = self._pace.grace_seconds + self._received / self._pace.bytes_per_second
        return max(0.0, min(self._pace.idle_seconds, self._begun_at + allowed - now))

    def _too_large(self) -> ApiError:
        hint = (
            ""
            if self._path.endswith("/upload")
            else " Send large batches as a file to /v1/submissions/upload."
        )
        return ApiError(
            ErrorCode.PAYLOAD_TOO_LARGE,
            f"The body is larger than {self._max_bytes:,} bytes.{hint}",
            details={"limit_bytes": self._max_bytes},
        )
