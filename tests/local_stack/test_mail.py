"""Local Auth's e-mails can be read, and their links sign their readers in."""

from __future__ import annotations

import stat
import uuid
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

import httpx
import jwt
import pytest
from supabase import create_client
from supabase_auth.types import SignInWithEmailAndPasswordlessCredentialsOptions

from local.__main__ import main
from local.mail import Mail, mail_folder, read_mail
from tests.support.stack import StackEnvironment


@pytest.fixture
def address() -> str:
    return f"{uuid.uuid4()}@example.com"


def ask_for_link(supabase: StackEnvironment, address: str, redirect_to: str | None = None) -> Mail:
    client = create_client(supabase.supabase_url, supabase.publishable_key)
    asked: SignInWithEmailAndPasswordlessCredentialsOptions = (
        {"email_redirect_to": redirect_to} if redirect_to else {}
    )
    client.auth.sign_in_with_otp({"email": address, "options": asked})
    newest = read_mail(supabase.directory)[0]
    assert newest.to == address
    return newest


def opened(link: str) -> SplitResult:
    """Where the link leads to."""
    answer = httpx.get(link, follow_redirects=False, trust_env=False)
    assert answer.status_code == 303
    return urlsplit(answer.headers["Location"])


def session_of(link: str) -> dict[str, list[str]]:
    """What the link hands to the frontend, in the fragment of the URL that it leads to."""
    target = opened(link)
    assert (target.scheme, target.netloc) == ("http", "localhost:3000")
    return parse_qs(target.fragment)


def test_the_link_leads_to_local_auth_and_signs_in_once(supabase: StackEnvironment, address: str) -> None:
    mail = ask_for_link(supabase, address)
    assert mail.link is not None
    assert mail.link.startswith(f"{supabase.supabase_url}/auth/v1/verify?")
    (token,) = session_of(mail.link)["access_token"]
    claims = jwt.decode(token, supabase.jwt_secret, algorithms=["HS256"], audience=supabase.jwt_audience)
    assert (claims["email"], claims["iss"]) == (address, supabase.jwt_issuer)
    assert "access_token" not in session_of(mail.link)


@pytest.mark.parametrize(
    ("asked", "origin"),
    [
        ("http://localhost:5173/welcome", "localhost:5173"),
        ("http://127.0.0.1:4173/", "127.0.0.1:4173"),
        ("https://evil.example/", "localhost:3000"),
    ],
)
def test_the_link_returns_to_a_frontend_that_supabase_toml_allows(
    supabase: StackEnvironment, address: str, asked: str, origin: str
) -> None:
    target = opened(str(ask_for_link(supabase, address, asked).link))
    assert target.netloc == origin
    assert "access_token" in parse_qs(target.fragment)


def test_the_code_signs_in_too(supabase: StackEnvironment, address: str) -> None:
    mail = ask_for_link(supabase, address)
    client = create_client(supabase.supabase_url, supabase.publishable_key)
    answer = client.auth.verify_otp({"email": address, "token": str(mail.code), "type": "email"})
    assert answer.session is not None


def test_the_command_shows_the_newest_first(
    supabase: StackEnvironment, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = ask_for_link(supabase, f"1.{address}"), ask_for_link(supabase, f"2.{address}")
    capsys.readouterr()
    assert main(["mail", "--dir", str(supabase.directory), "--limit", "2"]) == 0
    shown = capsys.readouterr().out
    assert shown.index(second.to) < shown.index(first.to)
    for mail in (first, second):
        assert str(mail.link) in shown
        assert str(mail.code) in shown


def test_only_the_owner_can_read_the_links(supabase: StackEnvironment, address: str) -> None:
    ask_for_link(supabase, address)
    folder = mail_folder(supabase.directory)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_an_inbox_without_mail_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mail", "--dir", str(tmp_path)]) == 0
    assert "no e-mail" in capsys.readouterr().out


@pytest.mark.parametrize("path", ["/auth/v1/otp", "/rest/v1/companies"])
def test_a_frontend_on_another_port_may_call_it_with_supabases_client(
    supabase: StackEnvironment, path: str
) -> None:
    asked = "apikey, authorization, content-type, x-client-info"
    answer = httpx.options(
        supabase.supabase_url + path,
        headers={
            "Origin": "http://localhost:5173",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": asked,
        },
        trust_env=False,
    )
    assert answer.is_success
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().replace(" ", "").split(",")
    assert set(asked.replace(" ", "").split(",")) <= set(allowed)
