"""Turns: the end of a run starts the run that waits for its place, without the reconciler."""

from __future__ import annotations

from itertools import pairwise

import psycopg

from tests.end_to_end.samples import CLEAN, companies
from tests.support.product import Product
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org


async def test_runs_that_wait_follow_each_other_without_the_reconciler(
    stack: StackEnvironment, member: Product, admin: Product, org: Org
) -> None:
    with psycopg.connect(stack.database_url) as connection:
        connection.execute("update public.orgs set max_runs_in_flight = 1 where id = %s", (org.id,))
    blueprint_id = await admin.blueprint(CLEAN)
    accepted = [await member.submit(org.first.id, blueprint_id, companies(2)) for _ in range(4)]
    run_ids = [one["pipeline_run"]["id"] for one in accepted]
    assert accepted[0]["dispatched"] is True
    for one in accepted:
        assert one["dispatched"] is one["pipeline_run"]["admitted"]

    runs = [await member.succeeded(run_id, seconds=120) for run_id in run_ids]
    for before, after in pairwise(runs):
        assert after["admitted_at"] >= before["finished_at"]
    repairs = await admin.every("audit/list", {"entity": "pipeline_runs"})
    assert [entry for entry in repairs if entry["action"] == "reconciled"] == []
