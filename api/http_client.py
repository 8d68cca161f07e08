"""The HTTP client of the process: one connection pool each for Supabase, its key set and Trigger.dev.

It uses aiohttp because a small call takes a fraction of the CPU time that httpx needs (`make bench-http`;
docs/decisions/0007-aiohttp-for-small-calls.md).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from api.logs import current_request_id
from api.trace import Tracing, current_span

# Node servers close idle connections after 5 s. Closing earlier avoids sending on a connection that closes.
KEEPALIVE_SECONDS = 4.0
MAX_CONNECTIONS = 100
CONNECT_SECONDS = 3.0
# A page of records has up to eight megabytes and one chunk more.
MAX_ANSWER_BYTES = 32 * 1024 * 1024


class UnreachableError(Exception):
    """No answer arrived in time. Whether the call had an effect is unknown."""


class AnswerTooLargeError(Exception):
    """A defect of the other service, which should have bounded its answer."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:  # noqa: ANN401 (JSON is anything)
        """Raises ValueError when the body is not JSON."""
        return json.loads(self.body)


class HttpClient:
    """Sends requests to one origin, each once, with the trace and the id of the current request.

    It keeps no cookies, because it serves every caller. It is an async context manager, entered inside a
    running event loop.
    """

    def __init__(self, origin: str, timeout_seconds: float, tracing: Tracing | None = None) -> None:
        self._origin = origin
        self._tracing = tracing or Tracing()
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=CONNECT_SECONDS)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "HttpClient":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, keepalive_timeout=KEEPALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        route: str | None = None,
    ) -> HttpAnswer:
        """Returns any answer, including errors and redirects; raises UnreachableError.

        `route` names the span: the path with placeholders instead of ids.
        """
        span = current_span()
        if span is None:
            return await self._send(method, path, headers, body)
        with self._tracing.call(span, method, self._origin + path, route or path) as work:
            status = None
            try:
                sent = {**headers, "traceparent": work.span.traceparent}
                if request_id := current_request_id():
                    # The database writes it to the audit log.
                    sent["X-Request-Id"] = request_id
                answer = await self._send(method, path, sent, body)
                status = answer.status
                return answer
            finally:
                work.ended(status)

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpAnswer:
        assert self._session, "enter the client first"
        try:
            async with self._session.request(
                method, self._origin + path, headers=headers, data=body, allow_redirects=False
            ) as response:
                return HttpAnswer(response.status, response.headers, await _read(response))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnreachableError(f"{method} {self._origin}{path}: {error!r}") from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            raise AnswerTooLargeError(f"the answer has more than {MAX_ANSWER_BYTES:,} bytes")
    return bytes(body)
