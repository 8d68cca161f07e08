"""Requests are taken from the buckets of a credential and its org, which fill at the rates of the org."""

from __future__ import annotations

import pytest

from tests.support.sql_client import Client, Connection, refused, signed_in, with_token
from tests.support.tenants import Company, Org, Tenants, create_token

OF_CREDENTIAL = "requests_per_second_of_a_credential"
OF_ORG = "requests_per_second"


@pytest.fixture(autouse=True)
def slow_rates(postgres: Client, org: Org) -> None:
    """Ten requests a second and credential, fifteen for the org: buckets of 50 and 75."""
    for name, value in ((OF_CREDENTIAL, 10), (OF_ORG, 15)):
        postgres.change(
            "insert into private.org_limits (org_id, name, value) values (%(org)s, %(name)s, %(value)s)",
            {"org": org.id, "name": name, "value": value},
        )


def age(postgres: Client, seconds: float) -> None:
    postgres.change(
        "update private.request_buckets set filled_at = filled_at - make_interval(secs => %(seconds)s)",
        {"seconds": seconds},
    )


def test_a_full_bucket_holds_five_seconds_of_its_rate(connection: Connection, company: Company) -> None:
    member = signed_in(connection, company.member)
    first = member.call("take_request_tokens", count=40)
    assert first == {"granted": 40, "limit_per_second": 10, "remaining": 10, "retry_after_seconds": 0}
    assert member.call("take_request_tokens", count=40)["granted"] == 10


def test_an_empty_bucket_says_when_the_next_request_is_possible(
    connection: Connection, postgres: Client, company: Company
) -> None:
    member = signed_in(connection, company.member)
    member.call("take_request_tokens", count=50)
    empty = member.call("take_request_tokens", count=5)
    assert (empty["granted"], empty["remaining"]) == (0, 0)
    assert 0 < empty["retry_after_seconds"] <= 0.1
    age(postgres, 1)
    assert member.call("take_request_tokens", count=50)["granted"] in (10, 11)


def test_a_bucket_never_holds_more_than_five_seconds(
    connection: Connection, postgres: Client, company: Company
) -> None:
    member = signed_in(connection, company.member)
    member.call("take_request_tokens", count=1)
    age(postgres, 3600)
    assert member.call("take_request_tokens", count=1000)["granted"] == 50


def test_a_clock_that_went_back_takes_nothing_away(
    connection: Connection, postgres: Client, company: Company
) -> None:
    member = signed_in(connection, company.member)
    member.call("take_request_tokens", count=40)
    age(postgres, -3600)
    assert member.call("take_request_tokens", count=50)["granted"] == 10


def test_each_credential_has_a_bucket_and_the_org_has_one_for_all(
    connection: Connection, org: Org, company: Company
) -> None:
    token = with_token(connection, create_token(connection, company.member))
    assert signed_in(connection, company.member).call("take_request_tokens", count=50)["granted"] == 50
    last = token.call("take_request_tokens", count=50)
    assert last["granted"] in (25, 26), "the rest of the org's 75"
    assert signed_in(connection, org.admin).call("take_request_tokens", count=50)["granted"] <= 1


def test_orgs_do_not_share_a_bucket(connection: Connection, tenants: Tenants, org: Org) -> None:
    signed_in(connection, org.admin).call("take_request_tokens", count=50)
    signed_in(connection, org.first.member).call("take_request_tokens", count=50)
    other = signed_in(connection, tenants.other.admin).call("take_request_tokens", count=50)
    assert (other["granted"], other["limit_per_second"]) == (50, 50), "the defaults"


@pytest.mark.parametrize("count", [None, 0, -1, 1001])
def test_a_batch_has_between_1_and_1000_requests(
    connection: Connection, company: Company, count: int | None
) -> None:
    with refused(422, "invalid_request"):
        signed_in(connection, company.member).call("take_request_tokens", count=count)
