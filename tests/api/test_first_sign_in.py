"""The path of an invited person: invited, mailed, signed in by the link, accepted, working."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx

from local.mail import read_mail
from tests.api.caller import Caller
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org


def open_link(link: str) -> str:
    """The session's access token, which the link hands to the frontend at the Site URL."""
    with httpx.Client(trust_env=False) as browser:
        answer = browser.get(link, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    (token,) = parse_qs(urlsplit(answer.headers["Location"]).fragment)["access_token"]
    return token


def test_an_invited_person_signs_in_by_the_link_accepts_and_works(
    supabase: StackEnvironment, http: httpx.Client, org: Org, admin: Caller
) -> None:
    email = f"ivy.{uuid4()}@example.com"
    invited = admin.data("invitations/create", {"email": email, "role": "member", "company_id": org.first.id})
    assert (invited["status"], invited["sent"]) == ("open", True)

    mail = read_mail(supabase.directory)[0]
    assert mail.to == email
    invitee = Caller(http, open_link(str(mail.link)))
    assert invitee.refusal("companies/list") == (403, "identity_not_registered")

    context = invitee.data("invitations/accept")
    assert (context["org_id"], context["company_id"], context["role"]) == (org.id, org.first.id, "member")
    assert invitee.data("auth/context") == context
    assert [company["id"] for company in invitee.data("companies/list")] == [org.first.id]


def test_a_person_whom_nobody_invited_signs_in_and_reaches_nothing(
    supabase: StackEnvironment, http: httpx.Client
) -> None:
    email = f"eve.{uuid4()}@example.com"
    with httpx.Client(base_url=supabase.supabase_url, trust_env=False) as auth:
        headers = {"apikey": supabase.publishable_key}
        asked = auth.post("/auth/v1/otp", json={"email": email, "create_user": True}, headers=headers)
    assert asked.status_code == 200, asked.text
    stranger = Caller(http, open_link(str(read_mail(supabase.directory)[0].link)))
    assert stranger.refusal("companies/list") == (403, "identity_not_registered")
    assert stranger.refusal("invitations/accept") == (404, "invitation_not_found")
