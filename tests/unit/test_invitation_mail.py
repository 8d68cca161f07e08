"""Supabase Auth sends the e-mails of invitations, and no failure of Auth fails a request."""

from __future__ import annotations

import logging
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from api import invitation_mail
from api.main import create_app
from api.settings import Settings
from tests.support.loopback import Answer, Loopback, Request, rpc_error
from tests.unit.conftest import AUTH_CONTEXT, ORG_ID, USER_ID, make_settings, session_token

OTP_PATH = "/auth/v1/otp"
EMAIL = "grace@example.com"
LATER = "2026-01-02T00:00:00Z"


def invitation(**values: object) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": str(uuid4()),
        "org_id": ORG_ID,
        "company_id": None,
        "email": EMAIL,
        "full_name": None,
        "role": "org_admin",
        "status": "open",
        "invited_by": USER_ID,
        "expires_at": "2026-01-08T00:00:00Z",
        "sent_at": None,
        "accepted_at": None,
        "accepted_by": None,
        "revoked_at": None,
        "created_at": "2026-01-01T00:00:00Z",
    }
    return made | values


def knows_invitation(data_api: Loopback, **values: object) -> dict[str, Any]:
    """Answers the RPCs of an invitation, and accepts every e-mail as Auth."""
    made = invitation(**values)
    data_api.rpc("create_invitation", Answer(200, made))
    data_api.rpc("resend_invitation", Answer(200, made))
    data_api.rpc("mark_invitation_sent", Answer(200, made | {"sent_at": LATER}))
    data_api.routes[OTP_PATH] = lambda _: Answer(200, {})
    return made


def create(client: TestClient) -> dict[str, Any]:
    answer = client.post("/v1/invitations/create", json={"email": EMAIL, "role": "org_admin"})
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def resend(client: TestClient, invitation_id: str) -> dict[str, Any]:
    answer = client.post("/v1/invitations/resend", json={"invitation_id": invitation_id})
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def test_the_invited_person_gets_a_link_and_that_is_recorded(client: TestClient, data_api: Loopback) -> None:
    made = knows_invitation(data_api)
    assert create(client) == made | {"sent_at": LATER, "sent": True}
    (asked,) = data_api.asked(OTP_PATH)
    assert (asked.method, asked.body) == ("POST", {"email": EMAIL, "create_user": True})
    (marked,) = data_api.asked("/mark_invitation_sent")
    assert marked.body == {"p_invitation_id": made["id"]}


def test_the_link_leads_to_the_page_that_accepts(data_api: Loopback, trigger: Loopback) -> None:
    made = knows_invitation(data_api)
    page = "https://app.example.com/join?from=mail"
    settings = make_settings(data_api.url, trigger.url, invitation_redirect_url=page)
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        create(client)
    (asked,) = [request for request in data_api.requests if request.path.startswith(OTP_PATH)]
    (target,) = parse_qs(urlsplit(asked.path).query)["redirect_to"]
    assert target == f"{page}&invitation_id={made['id']}"


def test_auth_gets_the_publishable_key_and_no_credential_of_the_caller(
    client: TestClient, data_api: Loopback
) -> None:
    knows_invitation(data_api)
    create(client)
    (asked,) = data_api.asked(OTP_PATH)
    assert asked.headers["apikey"] == "sb_publishable_of_the_unit_tests"
    assert "authorization" not in asked.headers


REFUSALS = [
    Answer(429, {"code": 429, "error_code": "over_email_send_rate_limit", "msg": f"Too many for {EMAIL}."}),
    Answer(422, {"code": 422, "error_code": "otp_disabled", "msg": "Signups not allowed for otp"}),
    Answer(500, b"oops"),
    Answer(502, []),
    Answer(302, {}, {"Location": "/elsewhere"}),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: str(refusal.status))
def test_a_refusal_of_auth_leaves_the_invitation_unsent(
    client: TestClient, data_api: Loopback, caplog: pytest.LogCaptureFixture, refusal: Answer
) -> None:
    made = knows_invitation(data_api)
    data_api.routes[OTP_PATH] = lambda _: refusal
    with caplog.at_level(logging.WARNING):
        assert create(client) == made | {"sent": False}
    (warning,) = [record.getMessage() for record in caplog.records if record.name == "api.invitation_mail"]
    assert made["id"] in warning
    assert str(refusal.status) in warning
    assert EMAIL not in caplog.text
    assert len(data_api.asked(OTP_PATH)) == 1
    assert not data_api.asked("/mark_invitation_sent")
    data_api.routes[OTP_PATH] = lambda _: Answer(200, {})
    assert resend(client, made["id"])["sent"] is True


def test_inviting_does_not_wait_for_a_slow_auth(
    data_api: Loopback, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitation_mail, "TIMEOUT_SECONDS", 0.2)
    knows_invitation(data_api)

    def slow(_: Request) -> Answer:
        time.sleep(1.0)
        return Answer(200, {})

    data_api.routes[OTP_PATH] = slow
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {session_token(settings)}"
        assert create(client)["sent"] is False


def test_an_email_counts_as_sent_even_if_that_is_not_recorded(client: TestClient, data_api: Loopback) -> None:
    made = knows_invitation(data_api)
    data_api.rpc("mark_invitation_sent", rpc_error(503, "PGRST000"))
    assert create(client) == made | {"sent": True}
    assert len(data_api.asked("/mark_invitation_sent")) == 2  # a repeatable call is sent once more


def test_a_repeated_create_sends_no_second_email(client: TestClient, data_api: Loopback) -> None:
    made = knows_invitation(data_api, sent_at=LATER)
    assert create(client) == made | {"sent": True}
    assert not data_api.asked(OTP_PATH)


@pytest.mark.parametrize("status", ["accepted", "revoked", "expired"])
def test_a_repeated_create_sends_no_email_for_a_closed_invitation(
    client: TestClient, data_api: Loopback, status: str
) -> None:
    made = knows_invitation(data_api, status=status)
    assert create(client) == made | {"sent": False}
    assert not data_api.asked(OTP_PATH)


def test_resending_sends_again(client: TestClient, data_api: Loopback) -> None:
    made = knows_invitation(data_api, sent_at="2026-01-01T00:00:00Z")
    assert resend(client, made["id"])["sent_at"] == LATER
    assert len(data_api.asked(OTP_PATH)) == 1


def test_an_invitation_that_sql_refuses_is_not_sent(client: TestClient, data_api: Loopback) -> None:
    knows_invitation(data_api)
    for name in ("create_invitation", "resend_invitation"):
        data_api.rpc(name, rpc_error(403, "PT403", hint="forbidden"))
    body = {"email": EMAIL, "role": "org_admin"}
    assert client.post("/v1/invitations/create", json=body).status_code == 403
    assert client.post("/v1/invitations/resend", json={"invitation_id": str(uuid4())}).status_code == 403
    assert not data_api.asked(OTP_PATH)


@pytest.mark.parametrize(
    "email", ["", "grace", "grace@example", "a b@example.com", "grace@example.com\n.org"]
)
def test_an_implausible_email_reaches_nobody(client: TestClient, data_api: Loopback, email: str) -> None:
    answer = client.post("/v1/invitations/create", json={"email": email, "role": "org_admin"})
    assert answer.json()["error"]["details"]["errors"][0]["path"] == "email"
    assert not data_api.asked("/create_invitation")


@pytest.mark.parametrize("named", [True, False])
def test_accepting_needs_no_context_and_answers_with_the_new_one(
    client: TestClient, data_api: Loopback, named: bool
) -> None:
    data_api.rpc("auth_context", rpc_error(403, "PT403", hint="identity_not_registered"))
    data_api.rpc("accept_invitation", Answer(200, AUTH_CONTEXT))
    invitation_id = str(uuid4())
    body = {"invitation_id": invitation_id} if named else None
    answer = client.post("/v1/invitations/accept", json=body)
    assert answer.json() == {"data": AUTH_CONTEXT}
    (asked,) = data_api.requests
    assert asked.path.endswith("/accept_invitation")
    assert asked.body == ({"p_invitation_id": invitation_id} if named else {})


def test_a_refused_accept_is_not_cached(client: TestClient, data_api: Loopback) -> None:
    several = '{"invitations": [{"invitation_id": "1", "org_name": "Acme", "role": "member"}]}'
    data_api.rpc("accept_invitation", rpc_error(409, "PT409", hint="several_invitations", details=several))
    for count in (1, 2):
        error = client.post("/v1/invitations/accept").json()["error"]
        assert error["code"] == "several_invitations"
        assert error["details"]["invitations"][0]["org_name"] == "Acme"
        assert len(data_api.requests) == count


def test_accepting_takes_an_id_and_nothing_else(client: TestClient, data_api: Loopback) -> None:
    for body in ({"invitation_id": "1"}, {"email": EMAIL}, {"invitation_id": None, "role": "org_admin"}):
        assert client.post("/v1/invitations/accept", json=body).status_code == 422
    assert data_api.requests == []
