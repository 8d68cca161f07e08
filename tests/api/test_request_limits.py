"""The database's buckets of requests, as the API heeds them."""

from __future__ import annotations

import time

import psycopg

from tests.api.caller import Caller
from tests.support.tenants import Org

RATE = 2
BUCKET = 5 * RATE


def set_limit(connection: psycopg.Connection, org: Org, name: str, value: int) -> None:
    connection.execute("select ops.set_org_limit(%s, %s, %s, dry_run => false)", (org.slug, name, value))


def test_a_credential_that_asks_too_often_is_refused_and_the_others_of_its_org_are_not(
    connection: psycopg.Connection, org: Org, admin: Caller, member: Caller
) -> None:
    set_limit(connection, org, "requests_per_second_of_a_credential", RATE)
    answers = [admin.post("companies/list") for _ in range(4 * BUCKET)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:BUCKET] == [200] * BUCKET
    assert statuses.count(429) > BUCKET
    assert answers[0].headers["RateLimit-Policy"] == f'"requests";q={BUCKET};w=5'
    left = [int(answer.headers["RateLimit"].partition("r=")[2].partition(";")[0]) for answer in answers]
    assert left[0] in (BUCKET - 1, BUCKET)
    assert left[-1] == 0
    assert answers[-1].json()["error"]["code"] == "too_many_requests"
    assert member.post("companies/list").status_code == 200
    time.sleep(int(answers[-1].headers["Retry-After"]))
    assert admin.post("companies/list").status_code == 200


def test_an_org_that_asks_too_often_is_refused_whichever_credential_it_uses(
    connection: psycopg.Connection, org: Org, admin: Caller, member: Caller
) -> None:
    set_limit(connection, org, "requests_per_second", RATE)
    statuses = [admin.post("companies/list").status_code for _ in range(4 * BUCKET)]
    assert 429 in statuses
    assert member.post("companies/list").status_code == 429
