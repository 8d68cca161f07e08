"""What other people see of a run that was really executed: nothing, whichever credential they have."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import psycopg
import pytest

from tests.end_to_end.samples import CLEAN
from tests.support.product import Product
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org, User, create_org, create_token

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


@pytest.mark.parametrize(
    "outsider",
    [
        pytest.param(lambda org, other: org.second.company_admin, id="another company's admin"),
        pytest.param(lambda org, other: other.admin, id="another org's admin"),
    ],
)
@pytest.mark.parametrize("credential", ["session", "api token"])
async def test_nobody_else_sees_submission_run_results_or_records(
    stack: StackEnvironment,
    http: httpx.AsyncClient,
    org: Org,
    admin: Product,
    member: Product,
    as_user: Callable[[User], Product],
    outsider: Callable[[Org, Org], User],
    credential: str,
) -> None:
    blueprint_id = await admin.blueprint(CLEAN)
    accepted = await member.submit(org.first.id, blueprint_id, RECORDS)
    run = await member.succeeded(accepted["pipeline_run"]["id"])
    with psycopg.connect(stack.database_url) as connection:
        user = outsider(org, create_org(connection, "globex"))
        token = create_token(connection, user)
    stranger = as_user(user) if credential == "session" else Product(http, stack.api_url, token.secret)

    of_submission = {"submission_id": accepted["submission"]["id"]}
    of_run = {"pipeline_run_id": run["id"]}
    of_step = {"step_result_id": run["steps"][0]["id"]}
    for path, body, code in (
        ("submissions/get", of_submission, "submission_not_found"),
        ("pipeline-runs/create", of_submission, "submission_not_found"),
        ("pipeline-runs/get", of_run, "pipeline_run_not_found"),
        ("pipeline-runs/cancel", of_run, "pipeline_run_not_found"),
        ("pipeline-runs/records", of_run, "pipeline_run_not_found"),
        ("pipeline-runs/records", of_run | {"kind": "rejected"}, "pipeline_run_not_found"),
        ("pipeline-runs/export", of_run | {"format": "ndjson"}, "pipeline_run_not_found"),
        ("step-results/list", of_run, "pipeline_run_not_found"),
        ("step-results/get", of_step, "step_result_not_found"),
        ("step-results/records", of_step, "step_result_not_found"),
    ):
        assert await stranger.refusal(path, body) == (404, code), path
    assert await stranger.every("submissions/list", {}) == []
    assert await stranger.every("pipeline-runs/list", {}) == []
    assert await stranger.every("pipeline-runs/list", of_submission) == []
    assert (await member.run(run["id"])) == run
