"""The settings of the API, read once from the environment and from a `.env` file in the working directory.

The process refuses to start half-configured. `Settings.read` reports all problems in one message.
"""

import re
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from jwt import PyJWK
from jwt import decode as decode_jwt
from jwt.exceptions import PyJWTError
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.ingest.job import ReadLimits
from api.ingest.pool import UploadLimits

MIN_JWT_SECRET_LENGTH = 32
MIN_KEY_LENGTH = 20
ASYMMETRIC_ALGORITHMS = frozenset({"ES256", "RS256"})
# Includes the secret that is the same in every `supabase start`.
PLACEHOLDER = re.compile(
    r"change.?me|your[-_ ]|placeholder|replace|example|dummy|x{6,}|<.*>|super-secret-jwt-token",
    re.IGNORECASE,
)


class Environment(StrEnum):
    LOCAL = "local"
    PRODUCTION = "production"


class SettingsError(SystemExit):
    """Ends the process with the list of problems, without a traceback."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"The API cannot start. Its settings have {len(problems)} problem(s):\n{lines}")


class Settings(BaseSettings):
    """The order of the fields matters: a check can read only the fields above its own."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    environment: Environment = Environment.PRODUCTION
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    supabase_url: str
    supabase_publishable_key: SecretStr
    supabase_jwt_algorithms: Annotated[tuple[Literal["HS256", "ES256", "RS256"], ...], NoDecode] = ("HS256",)
    supabase_jwt_secret: Annotated[SecretStr | None, Field(validate_default=True)] = None
    supabase_jwks_url: Annotated[str | None, Field(validate_default=True)] = None
    supabase_jwt_signing_key: Annotated[SecretStr | None, Field(validate_default=True)] = None
    supabase_jwt_issuer: str = ""
    supabase_jwt_audience: str = Field("authenticated", min_length=1)
    invitation_redirect_url: str | None = None
    trigger_api_url: str = "https://api.trigger.dev"
    trigger_secret_key: SecretStr
    cors_allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    otel_exporter_otlp_endpoint: str | None = None
    otel_exporter_otlp_headers: SecretStr | None = None
    otel_service_name: str = Field("data-engine-x-api", min_length=1)
    max_unauthenticated_per_second: int = Field(10, ge=1, le=1_000_000)
    max_upload_bytes: int = Field(100 * 1024 * 1024, ge=1024, le=2 * 1024**3)
    max_upload_rows: int = Field(1_000_000, ge=1, le=100_000_000)
    max_upload_blank_lines: int = Field(1_000_000, ge=1)
    max_upload_ratio: int = Field(200, ge=1)
    max_open_uploads: int = Field(16, ge=1)
    max_open_uploads_per_org: int = Field(4, ge=1)
    upload_processes: int = Field(2, ge=1, le=64)
    upload_receive_seconds: float = Field(600, gt=0)
    upload_read_seconds: float = Field(120, gt=0)
    upload_wait_seconds: float = Field(60, gt=0)

    @field_validator("supabase_jwt_algorithms", "cors_allowed_origins", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper_case(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("supabase_jwt_algorithms")
    @classmethod
    def _check_algorithms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("needs at least one of HS256, ES256, RS256")
        return value

    @field_validator("supabase_url", "supabase_jwks_url", "trigger_api_url", "invitation_redirect_url")
    @classmethod
    def _check_url(cls, value: str | None, info: ValidationInfo) -> str | None:
        algorithms = ASYMMETRIC_ALGORITHMS.intersection(info.data.get("supabase_jwt_algorithms", ()))
        if value is None:
            if algorithms and info.field_name == "supabase_jwks_url":
                raise ValueError(f"is needed to check {' and '.join(sorted(algorithms))} tokens")
            return None
        if info.field_name == "supabase_jwks_url" and not algorithms:
            raise ValueError("is set, but SUPABASE_JWT_ALGORITHMS names neither ES256 nor RS256")
        url = urlsplit(value)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("must be an http(s) URL")
        # Names of a private network, such as *.railway.internal, have no certificates.
        if url.scheme == "http" and not _is_local(info) and not url.hostname.endswith(".internal"):
            raise ValueError("must be https outside ENVIRONMENT=local: it carries secrets")
        if PLACEHOLDER.search(url.hostname) and not _is_local(info):
            raise ValueError("is still the placeholder of the example file")
        return value.rstrip("/")

    @field_validator("supabase_publishable_key", "trigger_secret_key")
    @classmethod
    def _check_key(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.field_name == "supabase_publishable_key" and _is_service_key(value.get_secret_value()):
            raise ValueError("is a secret key, which the API must not have: it bypasses row-level security")
        return _check_secret(value, info, MIN_KEY_LENGTH)

    @field_validator("supabase_jwt_secret")
    @classmethod
    def _check_jwt_secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None:
            return _check_secret(value, info, MIN_JWT_SECRET_LENGTH)
        if "HS256" in info.data.get("supabase_jwt_algorithms", ()):
            raise ValueError("is needed to check HS256 tokens")
        return None

    @field_validator("supabase_jwt_signing_key")
    @classmethod
    def _check_signing_key(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None:
            # A secret that failed its own check is absent from data and reported there.
            if info.data.get("supabase_jwt_secret", "failed") is None:
                raise ValueError("or SUPABASE_JWT_SECRET is needed to sign the context JWTs of API tokens")
            return None
        try:
            key = PyJWK.from_json(value.get_secret_value(), "ES256")
        except (PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise ValueError("must be a private key on the curve P-256, as JWK (JSON)") from error
        if not isinstance(key.key, EllipticCurvePrivateKey) or not isinstance(key.key.curve, SECP256R1):
            raise ValueError("must be a private key on the curve P-256")
        # Supabase finds the public key by its kid.
        if not isinstance(key.key_id, str) or not key.key_id:
            raise ValueError("must have a kid, the one that Supabase shows for the imported key")
        return value

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _check_collector(cls, value: str | None) -> str | None:
        """Allows http in production: a collector often runs on the same host as the API."""
        if value is None:
            return None
        url = urlsplit(value)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("must be an http(s) URL")
        return value.rstrip("/")

    @field_validator("cors_allowed_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for origin in value:
            url = urlsplit(origin)
            if origin == "*" and _is_local(info):
                continue
            if url.scheme not in ("http", "https") or not url.netloc or url.path or url.query:
                raise ValueError(f"{origin!r} is not an origin like https://app.acme.com")
        return value

    @cached_property
    def jwt_issuer(self) -> str:
        return self.supabase_jwt_issuer or f"{self.supabase_url}/auth/v1"

    @cached_property
    def upload_limits(self) -> UploadLimits:
        return UploadLimits(
            read=ReadLimits(
                max_bytes=self.max_upload_bytes,
                max_rows=self.max_upload_rows,
                max_blank_lines=self.max_upload_blank_lines,
                max_ratio=self.max_upload_ratio,
            ),
            max_open=self.max_open_uploads,
            max_open_per_org=self.max_open_uploads_per_org,
            processes=self.upload_processes,
            receive_seconds=self.upload_receive_seconds,
            read_seconds=self.upload_read_seconds,
            wait_seconds=self.upload_wait_seconds,
        )

    @classmethod
    def read(cls) -> Self:
        """Reads the environment; raises SettingsError with all problems."""
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError([_describe(problem) for problem in error.errors()]) from error


def _is_local(info: ValidationInfo) -> bool:
    return info.data.get("environment") == Environment.LOCAL


def _is_service_key(key: str) -> bool:
    """Recognises both kinds of secret keys: `sb_secret_…`, and the older JWT of role service_role."""
    if key.startswith("sb_secret_"):
        return True
    try:
        return decode_jwt(key, options={"verify_signature": False}).get("role") == "service_role"
    except PyJWTError:
        return False


def _check_secret(value: SecretStr, info: ValidationInfo, minimum: int) -> SecretStr:
    secret = value.get_secret_value()
    if _is_local(info):
        return value
    if PLACEHOLDER.search(secret):
        raise ValueError("is still a placeholder")
    if len(secret) < minimum:
        raise ValueError(f"is too short: {len(secret)} characters, at least {minimum} are needed")
    return value


def _describe(problem: ErrorDetails) -> str:
    name = str(problem["loc"][0]).upper()
    if problem["type"] == "missing":
        return f"{name} is not set"
    return f"{name} {problem['msg'].removeprefix('Value error, ')}"
