"""The app: `uvicorn api.main:app`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import jwt
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from api import data_api, trigger_client
from api.address_limit import AddressLimit
from api.auth.api_token import ContextJwtMinter, SigningKey
from api.auth.context import AuthContextResolver
from api.auth.credential import CredentialVerifier
from api.auth.jwks import TIMEOUT_SECONDS as JWKS_TIMEOUT_SECONDS
from api.auth.jwks import JwksKeys
from api.auth.jwt import JwtRules, SessionJwtVerifier
from api.authentication import Authentication
from api.background import Background
from api.bodies import blueprint, submission
from api.errors import install_error_handler
from api.http_client import HttpClient
from api.invitation_mail import InvitationMail
from api.json_text import JsonBounds
from api.logs import configure_logs
from api.middleware import RequestContext
from api.offload.pool import OffloadPool
from api.reconciler import ReconcilerWatch
from api.request_body import BodyBounds, BodyPace, RequestBody
from api.request_limits import RequestLimits
from api.routes import (
    ERROR_RESPONSES,
    api_tokens,
    audit,
    auth,
    blueprints,
    companies,
    docs,
    health,
    invitations,
    pipeline_runs,
    secrets,
    step_results,
    steps,
    submissions,
    users,
)
from api.settings import Settings
from api.shares import Shares
from api.trace import Tracing

# Parsing JSON blocks all other requests. A body of this size takes a few milliseconds at worst.
SMALL_BODY = BodyBounds(64 * 1024, JsonBounds(elements=2_000))
# The size of a multipart form without its file: the other fields and the boundaries.
FORM_OVERHEAD_BYTES = 64 * 1024

# Headers of answers that a page of another origin may read.
EXPOSED_HEADERS = (
    "X-Request-Id",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Content-Disposition",
)

ROUTERS = (
    auth,
    companies,
    users,
    invitations,
    api_tokens,
    secrets,
    steps,
    blueprints,
    submissions,
    pipeline_runs,
    step_results,
    audit,
)

DESCRIPTION = """
Takes in raw company data, runs it through deterministic pipelines and returns the transformed records.

Every product endpoint is a POST with a JSON body. Authenticate with a Supabase session token or an API
token as `Authorization: Bearer …`. Success is `{"data": …}`; lists add `next_cursor`. An error is
`{"error": {"code", "message", "details", "request_id"}}`, where `code` is stable.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Reads the environment unless settings are given; ends the process if they are incomplete."""
    settings = settings or Settings.read()
    configure_logs(settings.log_level)
    tracing = _tracing(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            HttpClient(settings.supabase_url, data_api.TIMEOUT_SECONDS, tracing) as supabase_http,
            HttpClient(settings.trigger_api_url, trigger_client.START_SECONDS, tracing) as trigger_http,
            HttpClient(settings.supabase_jwks_url or "", JWKS_TIMEOUT_SECONDS, tracing) as jwks_http,
        ):
            publishable_key = settings.supabase_publishable_key.get_secret_value()
            app.state.data_api = data_api.DataApi(supabase_http, publishable_key)
            app.state.invitation_mail = InvitationMail(
                supabase_http, publishable_key, settings.invitation_redirect_url
            )
            background = Background()
            app.state.trigger = trigger_client.TriggerClient(
                trigger_http, settings.trigger_secret_key.get_secret_value(), background
            )
            app.state.reconciler_watch = ReconcilerWatch(app.state.trigger, background)
            jwks = JwksKeys(jwks_http) if settings.supabase_jwks_url else None
            app.state.context_jwts = ContextJwtMinter(
                _signing_key(settings), settings.jwt_issuer, settings.supabase_jwt_audience
            )
            app.state.credential_verifier = CredentialVerifier(
                SessionJwtVerifier(_jwt_rules(settings), jwks), app.state.context_jwts
            )
            app.state.auth_contexts = AuthContextResolver(app.state.data_api)
            app.state.request_limits = RequestLimits(app.state.data_api)
            app.state.data_api_shares = Shares("calls of the org", at_once=20, waiting=200, wait_seconds=10)
            app.state.offload = OffloadPool()
            app.state.export_places = Shares("exports of the org", at_once=4, waiting=0, wait_seconds=0)
            yield
            app.state.offload.close()
            await background.close()
        await asyncio.to_thread(tracing.close)

    app = FastAPI(
        title="data-engine-x",
        description=DESCRIPTION,
        version="1.0.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Our own spans replace those of the framework: they begin before the log line of the request, cover
        # the calls to other services, and hold nothing that the caller sent.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_allowed_origins,
                allow_methods=["POST"],
                allow_headers=[
                    "Authorization",
                    "Content-Type",
                    "Idempotency-Key",
                    "X-Request-Id",
                    "traceparent",
                ],
                expose_headers=EXPOSED_HEADERS,
            ),
            Middleware(RequestContext, tracing=tracing),
            Middleware(Authentication, addresses=AddressLimit()),
            Middleware(
                RequestBody,
                bounds=SMALL_BODY,
                bounds_by_path={
                    "/v1/submissions/create": BodyBounds(submission.MAX_BYTES),
                    "/v1/submissions/upload": BodyBounds(settings.max_upload_bytes + FORM_OVERHEAD_BYTES),
                    "/v1/blueprints/create": BodyBounds(blueprint.MAX_BYTES),
                    "/v1/blueprints/update": BodyBounds(blueprint.MAX_BYTES),
                },
                pace=BodyPace(),
            ),
        ],
    )
    app.state.max_upload_bytes = settings.max_upload_bytes
    install_error_handler(app)
    app.include_router(health.router)
    app.include_router(docs.router)
    app.mount(docs.ASSETS_PATH, docs.ASSETS)
    for module in ROUTERS:
        app.include_router(module.router, responses=ERROR_RESPONSES)
    return app


def __getattr__(name: str) -> FastAPI:
    """Creates `app` when a server asks for it, so that importing this module needs no settings."""
    if name == "app":
        return create_app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _tracing(settings: Settings) -> Tracing:
    if settings.otel_exporter_otlp_endpoint is None:
        return Tracing()
    # Imported here, so that the SDK is loaded only if spans are exported.
    from api.telemetry import ExportedTracing, parse_headers

    headers = settings.otel_exporter_otlp_headers
    return ExportedTracing(
        settings.otel_exporter_otlp_endpoint,
        parse_headers(headers.get_secret_value()) if headers else {},
        settings.otel_service_name,
    )


def _jwt_rules(settings: Settings) -> JwtRules:
    secret = settings.supabase_jwt_secret
    return JwtRules(
        algorithms=frozenset(settings.supabase_jwt_algorithms),
        issuer=settings.jwt_issuer,
        audience=settings.supabase_jwt_audience,
        hs256_secret=secret.get_secret_value() if secret else None,
    )


def _signing_key(settings: Settings) -> SigningKey:
    """The imported ES256 key if it is set, for projects whose HS256 secret is revoked; else the secret."""
    if settings.supabase_jwt_signing_key:
        key = jwt.PyJWK.from_json(settings.supabase_jwt_signing_key.get_secret_value(), "ES256")
        return SigningKey("ES256", key, key.key_id)
    assert settings.supabase_jwt_secret is not None  # Settings refuses to have neither
    return SigningKey("HS256", settings.supabase_jwt_secret.get_secret_value())
