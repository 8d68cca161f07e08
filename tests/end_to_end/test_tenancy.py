"""Both credentials of a company's people work on the same runs."""

from __future__ import annotations

import httpx
import psycopg

from tests.end_to_end.samples import CLEAN
from tests.support.product import Product
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org, create_token

RECORDS = [{"name": "Globex", "domain": "globex.com"}, {"name": ""}]


async def test_both_credentials_submit_and_read_what_their_company_submitted(
    stack: StackEnvironment, http: httpx.AsyncClient, org: Org, admin: Product, member: Product
) -> None:
    with psycopg.connect(stack.database_url) as connection:
        token = create_token(connection, org.first.other_member)
    integration = Product(http, stack.api_url, token.secret)
    blueprint_id = await admin.blueprint(CLEAN)
    for submitter, reader in ((member, integration), (integration, member)):
        accepted = await submitter.submit(org.first.id, blueprint_id, RECORDS)
        run = await reader.succeeded(accepted["pipeline_run"]["id"])
        assert [record["id"] for record in await reader.records(run["id"])] == ["1"]
        assert [record["id"] for record in await reader.records(run["id"], "rejected")] == ["2"]
        assert len(await reader.step_records(run["steps"][0]["id"], "input")) == 2
