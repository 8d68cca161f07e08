"""The form of API tokens, and the context JWTs that stand for them."""

from __future__ import annotations

import re
import string
import zlib

import jwt
import pytest

from api.auth.api_token import (
    CONTEXT_JWT_SECONDS,
    ContextJwtMinter,
    SigningKey,
    generate_api_token,
    parse_api_token,
)
from api.errors import ApiError

SECRET = "a-secret-that-only-the-unit-tests-know-of"


def assert_malformed(text: str) -> None:
    with pytest.raises(ApiError) as raised:
        parse_api_token(text)
    assert raised.value.code == "api_token_malformed"
    assert raised.value.status_code == 401


def test_generated_token_has_the_documented_form_and_is_recognised_offline() -> None:
    token = generate_api_token()
    assert re.fullmatch(r"dex_[0-9A-Za-z]{49}", token.secret)
    assert parse_api_token(token.secret) == token
    assert re.fullmatch(r"[0-9a-f]{64}", token.token_hash)
    assert token.secret.startswith(token.prefix)
    assert len(token.prefix) == 12


def test_checksum_is_the_crc32_of_the_body_in_base62() -> None:
    secret = generate_api_token().secret
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    checksum = 0
    for digit in secret[-6:]:
        checksum = checksum * 62 + digits.index(digit)
    assert checksum == zlib.crc32(secret[4:-6].encode())


def test_tokens_do_not_repeat() -> None:
    assert len({generate_api_token().secret for _ in range(200)}) == 200


def test_every_single_typo_is_refused() -> None:
    secret = generate_api_token().secret
    for position in range(4, len(secret)):
        other = "A" if secret[position] != "A" else "B"
        assert_malformed(secret[:position] + other + secret[position + 1 :])


def test_swapped_neighbours_are_refused() -> None:
    secret = generate_api_token().secret
    for position in range(4, len(secret) - 1):
        if secret[position] != secret[position + 1]:
            pair = secret[position + 1] + secret[position]
            assert_malformed(secret[:position] + pair + secret[position + 2 :])


@pytest.mark.parametrize(
    "mangle",
    [
        lambda secret: secret[:-1],
        lambda secret: secret + "0",
        lambda secret: secret[:20] + "\u00e9" + secret[21:],
        lambda secret: secret[:20] + " " + secret[21:],
        lambda secret: secret.lower(),
        lambda _: "dex_",
        lambda _: "dex_" + "0" * 49 + "\n",
        lambda _: "dex_" + "\u0661" * 49,
    ],
)
def test_mangled_tokens_are_refused(mangle: object) -> None:
    assert callable(mangle)
    assert_malformed(mangle(generate_api_token().secret))


def test_token_is_not_shown_by_repr() -> None:
    token = generate_api_token()
    assert token.secret not in repr(token)


def test_context_jwt_names_only_the_hash_and_lives_a_minute() -> None:
    token = generate_api_token()
    minter = ContextJwtMinter(SigningKey("HS256", SECRET), "https://issuer/auth/v1", "authenticated")
    minted = minter.mint(token.token_hash)
    claims = jwt.decode(minted, SECRET, algorithms=["HS256"], audience="authenticated")
    assert claims["exp"] - claims["iat"] == CONTEXT_JWT_SECONDS
    assert {name: claims[name] for name in ("role", "aud", "iss", "api_token_hash")} == {
        "role": "authenticated",
        "aud": "authenticated",
        "iss": "https://issuer/auth/v1",
        "api_token_hash": token.token_hash,
    }
    assert "sub" not in claims
    assert token.secret not in minted


def test_a_context_jwt_is_reused_for_the_same_token_only() -> None:
    minter = ContextJwtMinter(SigningKey("HS256", SECRET), "issuer", "authenticated")
    first, second = generate_api_token().token_hash, generate_api_token().token_hash
    assert minter.mint(first) is minter.mint(first)
    assert minter.mint(first) != minter.mint(second)


def test_signing_key_is_not_shown_by_repr() -> None:
    assert SECRET not in repr(SigningKey("HS256", SECRET))
