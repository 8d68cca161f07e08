"""Sign-up and sign-in through Supabase's own client give the sessions that hosted Auth issues."""

import uuid

import jwt
import pytest
from supabase import Client, create_client
from supabase_auth.errors import AuthApiError
from supabase_auth.types import Session

from tests.support.stack import StackEnvironment

PASSWORD = "correct horse battery staple"


@pytest.fixture
def client(supabase: StackEnvironment) -> Client:
    return create_client(supabase.supabase_url, supabase.publishable_key)


@pytest.fixture
def email(client: Client) -> str:
    """The address of an identity that has signed up."""
    address = f"{uuid.uuid4()}@example.com"
    assert client.auth.sign_up({"email": address, "password": PASSWORD}).session is not None
    return address


def signed_in(client: Client, email: str) -> Session:
    session = client.auth.sign_in_with_password({"email": email, "password": PASSWORD}).session
    assert session is not None
    return session


def test_a_session_passes_the_checks_of_the_api(
    supabase: StackEnvironment, client: Client, email: str
) -> None:
    session = signed_in(client, email)
    claims = jwt.decode(
        session.access_token,
        supabase.jwt_secret,
        algorithms=["HS256"],
        audience=supabase.jwt_audience,
        issuer=supabase.jwt_issuer,
        options={"require": ["exp", "iat", "sub"]},
    )
    assert claims["sub"] == session.user.id
    assert claims["role"] == "authenticated"
    assert claims["email"] == email
    assert claims["app_metadata"]["provider"] == "email"


def test_a_refreshed_session_has_the_same_key_and_issuer(
    supabase: StackEnvironment, client: Client, email: str
) -> None:
    signed_in(client, email)
    refreshed = client.auth.refresh_session().session
    assert refreshed is not None
    claims = jwt.decode(
        refreshed.access_token, supabase.jwt_secret, algorithms=["HS256"], audience="authenticated"
    )
    assert claims["iss"] == supabase.jwt_issuer


def test_a_session_names_its_user(client: Client, email: str) -> None:
    signed_in(client, email)
    answer = client.auth.get_user()
    assert answer is not None
    assert answer.user.email == email


def test_a_wrong_password_is_refused(client: Client, email: str) -> None:
    with pytest.raises(AuthApiError) as refusal:
        client.auth.sign_in_with_password({"email": email, "password": "wrong"})
    assert refusal.value.code == "invalid_credentials"


def test_an_address_can_sign_up_only_once(client: Client, email: str) -> None:
    with pytest.raises(AuthApiError) as refusal:
        client.auth.sign_up({"email": email, "password": PASSWORD})
    assert refusal.value.code == "user_already_exists"
