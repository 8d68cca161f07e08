"""The settings with which the API refuses to start."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from dotenv import dotenv_values

from api.settings import Settings, SettingsError
from local.settings import ROOT
from tests.unit.signing import private_jwk, public_jwk

COMPLETE = {
    "SUPABASE_URL": "https://abcdefgh.supabase.co",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_kJ3nR8sQ2vX5",
    "SUPABASE_JWT_SECRET": "Zk3p9QmXw7Rt2Lb8Vn4Hs6Yc1Jd5Gf0A",
    "TRIGGER_SECRET_KEY": "tr_prod_8sQ2vX5kJ3nR1mWz",
}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [*Settings.model_fields, "supabase_secret_key"]:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)  # no .env here


def read(monkeypatch: pytest.MonkeyPatch, **changed: str | None) -> Settings:
    for name, value in {**COMPLETE, **changed}.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    return Settings.read()


def problems(monkeypatch: pytest.MonkeyPatch, **changed: str | None) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        read(monkeypatch, **changed)
    return raised.value.problems


def test_a_complete_environment_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch)
    assert settings.jwt_issuer == "https://abcdefgh.supabase.co/auth/v1"
    assert settings.supabase_jwt_algorithms == ("HS256",)
    assert settings.trigger_api_url == "https://api.trigger.dev"
    assert settings.environment == "production"


def test_all_problems_are_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as raised:
        read(
            monkeypatch,
            SUPABASE_URL=None,
            SUPABASE_PUBLISHABLE_KEY="changeme",
            SUPABASE_JWT_SECRET="short",
            TRIGGER_SECRET_KEY="",
            LOG_LEVEL="loud",
            MAX_UPLOAD_BYTES="many",
        )
    text = str(raised.value)
    for name in (
        "SUPABASE_URL is not set",
        "SUPABASE_PUBLISHABLE_KEY is still a placeholder",
        "SUPABASE_JWT_SECRET is too short",
        "TRIGGER_SECRET_KEY is not set",
        "LOG_LEVEL",
        "MAX_UPLOAD_BYTES",
    ):
        assert name in text
    assert "6 problem(s)" in text


def test_the_message_shows_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as raised:
        read(monkeypatch, SUPABASE_JWT_SECRET="hunter2-hunter2", SUPABASE_JWT_SIGNING_KEY="hunter3")
    assert "hunter" not in str(raised.value)


def test_settings_do_not_show_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = repr(read(monkeypatch))
    for name in ("SUPABASE_JWT_SECRET", "TRIGGER_SECRET_KEY", "SUPABASE_PUBLISHABLE_KEY"):
        assert COMPLETE[name] not in shown


@pytest.mark.parametrize(
    "secret",
    [
        "super-secret-jwt-token-with-at-least-32-characters-long",
        "<your jwt secret, from the dashboard here>",
        "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ],
)
def test_placeholder_secrets_are_refused_in_production_only(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    assert problems(monkeypatch, SUPABASE_JWT_SECRET=secret) == ["SUPABASE_JWT_SECRET is still a placeholder"]
    read(monkeypatch, SUPABASE_JWT_SECRET=secret, ENVIRONMENT="local")


@pytest.mark.parametrize(
    "url", ["http://abcdefgh.supabase.co", "abcdefgh.supabase.co", "ftp://x", "https://"]
)
def test_urls_must_be_https_in_production(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert len(problems(monkeypatch, SUPABASE_URL=url, TRIGGER_API_URL=url)) == 2


def test_plain_http_is_fine_locally_and_inside_a_private_network(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(
        monkeypatch, TRIGGER_API_URL="http://trigger.railway.internal:3030/"
    ).trigger_api_url.endswith("30")
    assert read(monkeypatch, SUPABASE_URL="http://127.0.0.1:54321", ENVIRONMENT="local").supabase_url


def test_placeholder_url_of_the_example_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(problems(monkeypatch, SUPABASE_URL="https://<project-ref>.supabase.co")) == 1
    assert len(problems(monkeypatch, SUPABASE_URL="https://your-project.supabase.co")) == 1


def test_hs256_needs_the_secret_and_es256_the_key_set(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {"SUPABASE_JWT_SECRET": None}
    assert "SUPABASE_JWT_SECRET is needed to check HS256 tokens" in problems(monkeypatch, **without)
    assert any(
        "SUPABASE_JWKS_URL is needed to check ES256 tokens" in problem
        for problem in problems(monkeypatch, SUPABASE_JWT_ALGORITHMS="ES256,HS256")
    )


@pytest.mark.parametrize("algorithms", ["none", "HS256,none", "HS512", ","])
def test_other_algorithms_cannot_be_allowed(monkeypatch: pytest.MonkeyPatch, algorithms: str) -> None:
    assert any(
        "SUPABASE_JWT_ALGORITHMS" in p for p in problems(monkeypatch, SUPABASE_JWT_ALGORITHMS=algorithms)
    )


def asymmetric(**changed: str | None) -> dict[str, str | None]:
    jwks_url = "https://abcdefgh.supabase.co/auth/v1/.well-known/jwks.json"
    return {
        "SUPABASE_JWT_SECRET": None,
        "SUPABASE_JWT_ALGORITHMS": "ES256",
        "SUPABASE_JWKS_URL": jwks_url,
        **changed,
    }


def test_an_es256_signing_key_replaces_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    assert any("needed to sign" in problem for problem in problems(monkeypatch, **asymmetric()))
    signing_key = json.dumps(private_jwk(ec.generate_private_key(ec.SECP256R1()), "imported"))
    assert read(monkeypatch, **asymmetric(SUPABASE_JWT_SIGNING_KEY=signing_key))


def test_the_example_file_asks_for_what_a_new_project_signs_with(monkeypatch: pytest.MonkeyPatch) -> None:
    example = {name: value for name, value in dotenv_values(ROOT / ".env.example").items() if value}
    filled = {name: value.replace("<project-ref>", "abcdefgh") for name, value in example.items()}
    signing_key = json.dumps(private_jwk(ec.generate_private_key(ec.SECP256R1()), "imported"))
    secrets = {"SUPABASE_JWT_SECRET": None, "SUPABASE_JWT_SIGNING_KEY": signing_key}
    settings = read(monkeypatch, **filled | secrets)
    assert settings.supabase_jwt_algorithms == ("ES256",)
    assert settings.supabase_jwks_url == f"{settings.supabase_url}/auth/v1/.well-known/jwks.json"
    assert settings.environment == "production"


def bad_signing_keys() -> dict[str, str]:
    good, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    jwk = private_jwk(good, "imported")
    p384 = private_jwk(ec.generate_private_key(ec.SECP384R1()), "imported")
    rivest = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    bad: dict[str, object] = {
        "public": public_jwk(good, "imported"),
        "without a kid": {name: value for name, value in jwk.items() if name != "kid"},
        "with an empty kid": jwk | {"kid": ""},
        "with a kid that is no text": jwk | {"kid": 1},
        "of another curve": p384,
        "of another curve that says ES256": p384 | {"alg": "ES256"},
        "of two halves": jwk | {"d": private_jwk(other, "other")["d"]},
        "RSA": jwt.algorithms.RSAAlgorithm.to_jwk(rivest, as_dict=True) | {"kid": "imported"},
        "symmetric": {"kty": "oct", "k": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4", "kid": "imported"},
        "a key set": {"keys": [jwk]},
        "a list": [jwk],
        "text": "imported",
        "a number": 1,
        "nothing": {},
    }
    return {name: json.dumps(value) for name, value in bad.items()} | {"no JSON": "-----BEGIN EC PRIVATE KEY"}


BAD_SIGNING_KEYS = bad_signing_keys()


@pytest.mark.parametrize("bad", BAD_SIGNING_KEYS)
def test_a_signing_key_is_a_private_p256_key_with_a_kid(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    signing_key = BAD_SIGNING_KEYS[bad]
    (problem,) = problems(monkeypatch, **asymmetric(SUPABASE_JWT_SIGNING_KEY=signing_key))
    assert problem.startswith("SUPABASE_JWT_SIGNING_KEY must ")


def test_a_key_set_that_no_algorithm_uses_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    jwks_url = "https://abcdefgh.supabase.co/auth/v1/.well-known/jwks.json"
    (problem,) = problems(monkeypatch, SUPABASE_JWKS_URL=jwks_url)
    assert problem.startswith("SUPABASE_JWKS_URL is set, but SUPABASE_JWT_ALGORITHMS names neither")


def test_the_service_key_is_refused_even_locally(monkeypatch: pytest.MonkeyPatch) -> None:
    legacy = jwt.encode({"role": "service_role", "iss": "supabase"}, "x" * 32, algorithm="HS256")
    for key in ("sb_secret_kJ3nR8sQ2vX5mWz", legacy):
        (problem,) = problems(monkeypatch, SUPABASE_PUBLISHABLE_KEY=key, ENVIRONMENT="local")
        assert "must not have" in problem
    anon = jwt.encode({"role": "anon", "iss": "supabase"}, "x" * 32, algorithm="HS256")
    assert read(monkeypatch, SUPABASE_PUBLISHABLE_KEY=anon)


def test_cors_origins_are_a_list_of_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    given = "https://app.acme.com, https://acme.com"
    assert read(monkeypatch, CORS_ALLOWED_ORIGINS=given).cors_allowed_origins == (
        "https://app.acme.com",
        "https://acme.com",
    )
    for bad in ("*", "acme.com", "https://acme.com/app"):
        assert len(problems(monkeypatch, CORS_ALLOWED_ORIGINS=bad)) == 1


def test_log_level_may_have_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, LOG_LEVEL="info").log_level == "INFO"


def test_loading_the_app_reports_the_missing_settings() -> None:
    with pytest.raises(SettingsError) as raised:
        import_module("api.main").app  # noqa: B018 (the access makes the app)
    assert len(raised.value.problems) == 4
