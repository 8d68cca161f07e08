"""The middleware of every request: id, trace, access log, and unknown errors."""

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import as_api_error, error_response
from api.logs import begin_request, note, noted
from api.trace import Span, Tracing, Work, set_current_span

logger = logging.getLogger("api.access")

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestContext:
    """Gives each request an id and a trace, answers unknown exceptions, and writes one access log line.

    The `X-Request-Id` of the caller is kept if it is 8 to 64 letters, digits, dots, dashes or underscores,
    since other characters could forge log lines. The trace of the caller is continued if `traceparent` is
    well-formed. Other headers, bodies and query strings are not logged.
    """

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self.app = app
        self.tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        offered = headers.get("x-request-id", "")
        begin_request(offered if SANE_REQUEST_ID.fullmatch(offered) else uuid.uuid4().hex)
        # HTTP joins a repeated header with commas; the result is not a valid traceparent.
        caller = Span.of_caller(",".join(headers.getlist("traceparent")))
        with self.tracing.request(caller, scope["method"], scope["path"]) as work:
            set_current_span(work.span)
            note(trace_id=work.span.trace_id, span_id=work.span.span_id)
            await self._answer(scope, receive, send, work)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, work: Work) -> None:
        started = time.perf_counter()
        status: int | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = noted()["request_id"] or ""
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            logger.info("the caller hung up")
        except Exception as error:
            if status is not None:
                # The headers are sent, for instance when an export breaks off. The server must close the
                # connection, so that the caller sees an incomplete answer instead of a short file.
                raise
            response = error_response(as_api_error(Request(scope), error))
            await response(scope, receive, send_with_id)
        finally:
            self._log(scope, status, time.perf_counter() - started)
            if route := getattr(scope.get("route"), "path", None):
                work.named(f"{scope['method']} {route}")
            work.ended(status, **{"http.route": route}, **noted())

    def _log(self, scope: Scope, status: int | None, seconds: float) -> None:
        fields = {
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
        }
        quiet = scope["path"] in ("/healthz", "/readyz") and status == 200
        level = logging.DEBUG if quiet else logging.INFO
        logger.log(level, "%s %s %s", scope["method"], scope["path"], status, extra={"fields": fields})
