"""The environment variables of the API, the tasks and the tools of one stack."""

from __future__ import annotations

from collections.abc import Mapping

from local.credentials import Credentials
from local.settings import StackSettings, SupabaseService, TriggerService

# Of a frontend in development: Supabase's default Site URL, `vite` and `vite preview`.
_FRONTEND_ORIGINS = tuple(
    f"http://{host}:{port}" for port in (3000, 5173, 4173) for host in ("localhost", "127.0.0.1")
)


def local_supabase(settings: StackSettings, credentials: Credentials) -> SupabaseService:
    """The local Supabase server, described like an existing project."""
    port = settings.ports.postgres
    return SupabaseService(
        url=f"http://127.0.0.1:{settings.ports.supabase}",
        publishable_key=credentials.publishable_key,
        secret_key=credentials.secret_key,
        jwt_secret=credentials.jwt_secret,
        database_url=f"postgresql://postgres:{credentials.postgres_password}@127.0.0.1:{port}/postgres",
    )


def local_trigger(settings: StackSettings, credentials: Credentials) -> TriggerService:
    """The local control plane, described like an existing platform."""
    return TriggerService(
        api_url=f"http://127.0.0.1:{settings.ports.trigger_platform}",
        access_token=credentials.trigger_access_token,
        secret_key=credentials.trigger_secret_key,
        project_ref=credentials.trigger_project_ref,
    )


def build_environment(
    settings: StackSettings, supabase: SupabaseService, trigger: TriggerService
) -> dict[str, str]:
    """Every variable of `.env.example` that has a value on this stack."""
    return {
        "API_URL": f"http://127.0.0.1:{settings.ports.api}",
        "SUPABASE_URL": supabase.url,
        "SUPABASE_PUBLISHABLE_KEY": supabase.publishable_key,
        "SUPABASE_SECRET_KEY": supabase.secret_key,
        "SUPABASE_JWT_SECRET": supabase.jwt_secret,
        "SUPABASE_JWT_ISSUER": f"{supabase.url}/auth/v1",
        "SUPABASE_JWT_AUDIENCE": "authenticated",
        "SUPABASE_JWT_ALGORITHMS": "HS256",
        "DATABASE_URL": supabase.database_url,
        "TRIGGER_API_URL": trigger.api_url,
        "TRIGGER_ACCESS_TOKEN": trigger.access_token,
        "TRIGGER_SECRET_KEY": trigger.secret_key,
        "TRIGGER_PROJECT_REF": trigger.project_ref,
        "WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "true",
        "ENVIRONMENT": "local",
        "LOG_LEVEL": "INFO",
        "CORS_ALLOWED_ORIGINS": ",".join(_FRONTEND_ORIGINS),
        "MAX_UPLOAD_BYTES": str(100 * 1024 * 1024),
        **settings.adjusted,
    }


def task_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The tasks' part of them, as a Trigger.dev project's environment variables."""
    names = (
        "SUPABASE_URL",
        "SUPABASE_SECRET_KEY",
        "WEBHOOK_ALLOW_PRIVATE_ADDRESSES",
        "TRIGGER_API_URL",
        "TRIGGER_SECRET_KEY",
    )
    return {name: environment[name] for name in names} | {
        # Send log lines and spans in batches. Dev mode sends one a request unless a platform sets this.
        "TRIGGER_OTEL_BATCH_PROCESSING_ENABLED": "1",
    }


def as_dotenv(environment: Mapping[str, str]) -> str:
    """Lines that dotenv readers and POSIX shells read alike."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in environment.items())


def _quoted(value: str) -> str:
    escaped = value.replace("'", "'\\''")
    return f"'{escaped}'"
