"""The HTTP application: the routes, the CLI's socket, and errors in Trigger.dev's shapes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import socketio  # type: ignore[import-untyped]
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from local.trigger_platform import api_routes, attempt_routes, cli_routes
from local.trigger_platform.errors import PlatformError
from local.trigger_platform.models import JsonObject
from local.trigger_platform.platform import Platform
from local.trigger_platform.route_dependencies import MissingAuthorizationError

_UNAUTHORIZED = {
    "title": "Unauthorized",
    "status": 401,
    "type": "https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/401",
    "detail": "No authorization header provided",
    "error": "No authorization header provided",
}


def create_app(platform: Platform) -> ASGIApp:
    """Return the platform's ASGI application, which also runs the platform's timers."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        timers = asyncio.create_task(platform.timers.run())
        yield
        timers.cancel()
        with suppress(asyncio.CancelledError):
            await timers

    app = FastAPI(title="Trigger.dev on one machine", lifespan=lifespan, openapi_url=None)
    app.state.platform = platform
    for router in (
        cli_routes.access_token_router,
        cli_routes.router,
        attempt_routes.router,
        attempt_routes.telemetry_router,
        api_routes.router,
        api_routes.signed_url_router,
    ):
        app.include_router(router)

    @app.get("/healthz")
    async def healthz() -> JsonObject:
        return {"status": "ok", "worker": platform.ready_version}

    @app.exception_handler(PlatformError)
    async def refuse(request: Request, error: PlatformError) -> JSONResponse:
        return JSONResponse({"error": error.message}, error.status)

    @app.exception_handler(MissingAuthorizationError)
    async def refuse_anonymous(request: Request, error: MissingAuthorizationError) -> JSONResponse:
        return JSONResponse(_UNAUTHORIZED, 401, media_type="application/problem+json")

    @app.exception_handler(HTTPException)
    async def refuse_unknown(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, headers=error.headers)

    with_socket: ASGIApp = socketio.ASGIApp(platform.socket.server, app)
    return with_socket
