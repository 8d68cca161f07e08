"""A large file, from the first row to the last."""

from __future__ import annotations

import time

from tests.end_to_end.samples import CLEAN
from tests.support.product import Product, assert_ledger_balances
from tests.support.tenants import Org

ROWS = 10_000
MALFORMED_EVERY = 1_000
EMPTY_EVERY = 250
DUPLICATE_EVERY = 100


def company_row(row: int) -> str:
    if row % MALFORMED_EVERY == 0:
        return f"Company {row},company-{row}.com,DE,Berlin,one,field,too,many"
    if row % EMPTY_EVERY == 0:
        return ",,DE,Berlin,"
    company = row - 1 if row % DUPLICATE_EVERY == 0 else row
    return f"Company {company},https://www.company-{company}.com/about,Germany,Berlin,{10 + company % 90}"


async def test_every_row_of_a_large_file_comes_out_or_says_why_not(
    member: Product, admin: Product, org: Org
) -> None:
    header = "Company,Website,Country,City,Employees"
    content = "\n".join([header, *(company_row(row) for row in range(1, ROWS + 1))])
    blueprint_id = await admin.blueprint(
        CLEAN,
        {"slug": "validate-records", "config": {"schema": {"required": ["name", "domain"]}}},
        {"slug": "dedupe-records"},
    )

    started = time.monotonic()
    accepted = await member.upload(org.first.id, blueprint_id, "companies.csv", content.encode())
    uploaded = time.monotonic()
    run = await member.succeeded(accepted["pipeline_run"]["id"], seconds=120)
    finished = time.monotonic()
    print(f"{ROWS} rows: upload {uploaded - started:.1f} s, run {finished - uploaded:.1f} s")

    submission = await member.call("submissions/get", {"submission_id": accepted["submission"]["id"]})
    malformed = {str(row) for row in range(1, ROWS + 1) if row % MALFORMED_EVERY == 0}
    assert submission["rejected_count"] == len(malformed)
    assert submission["record_count"] == ROWS - len(malformed)
    assert submission["chunk_count"] >= 10
    assert_ledger_balances(run)

    output = await member.records(run["id"])
    rejected = await member.records(run["id"], "rejected")
    dropped = await member.records(run["id"], "dropped")
    ids = [record["id"] for record in (*output, *rejected, *dropped)]
    assert sorted(ids, key=int) == [str(row) for row in range(1, ROWS + 1)]

    empty = {str(row) for row in range(1, ROWS + 1) if row % EMPTY_EVERY == 0} - malformed
    assert {r["id"]: r["position"] for r in rejected} == dict.fromkeys(malformed, 0) | dict.fromkeys(empty, 1)
    duplicates = {str(row) for row in range(1, ROWS + 1) if row % DUPLICATE_EVERY == 0} - malformed - empty
    assert {record["id"] for record in dropped} == duplicates
    assert all(record["data"]["name"] == f"Company {record['id']}" for record in output)
