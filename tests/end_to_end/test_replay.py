"""A replay executes a finished run's steps again, and names each difference from the recorded results."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from local.settings import ROOT
from tests.end_to_end.samples import CLEAN, companies
from tests.support.product import Json, Product, statuses
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org
from tests.support.webhook_receiver import Answer, Receiver

GERMAN_NAMES_ONLY = {
    "slug": "validate-records",
    "config": {"schema": {"properties": {"name": {"pattern": "GmbH$"}}}},
    "run_if": "record.country == 'DE'",
}
NEVER = {"slug": "validate-records", "run_if": "run.record_count > 1000000", "config": {"schema": {}}}
RECORDS = [
    {"name": "ACME GmbH", "website": "acme.de", "country": "Germany"},
    {"name": "Globex Ltd", "website": "globex.de", "country": "Germany"},
    {"name": "Initech", "website": "initech.com", "country": "US"},
    {"name": "Initech Inc.", "website": "initech.com", "country": "US"},
    {"name": "n/a"},
]


def replay(stack: StackEnvironment, run: Json) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local", "replay", run["id"], "--dir", str(stack.directory)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def verdicts(replayed: subprocess.CompletedProcess[str]) -> list[str]:
    """The replay's line for each step, without position and slug."""
    return [line.split(None, 2)[2] for line in replayed.stdout.splitlines()[1:]]


def tamper(stack: StackEnvironment, statement: str, step: Json) -> None:
    """Changes recorded results, which only the owner of the tables can do."""
    with psycopg.connect(stack.database_url) as connection:
        for table in ("step_result_chunks", "rejected_records"):
            connection.execute(f"alter table public.{table} disable trigger user")
        changed = connection.execute(statement, [step["id"]])
        assert changed.rowcount == 1
        for table in ("step_result_chunks", "rejected_records"):
            connection.execute(f"alter table public.{table} enable trigger user")


@pytest.fixture
async def run(member: Product, admin: Product, org: Org, receiver: Receiver) -> Json:
    blueprint_id = await admin.blueprint(
        CLEAN, GERMAN_NAMES_ONLY, NEVER, {"slug": "dedupe-records"}, receiver.step()
    )
    accepted = await member.submit(org.first.id, blueprint_id, RECORDS)
    run = await member.succeeded(accepted["pipeline_run"]["id"])
    assert statuses(run) == ["succeeded", "succeeded", "skipped", "succeeded", "succeeded"]
    ledger = [(step["records_rejected"], step["records_dropped"]) for step in run["steps"]]
    assert ledger == [(1, 0), (1, 0), (0, 0), (0, 1), (0, 0)]
    return run


async def test_a_run_is_identical_when_it_is_executed_again(
    stack: StackEnvironment, run: Json, receiver: Receiver, member: Product
) -> None:
    delivered = len(receiver.deliveries)
    replayed = replay(stack, run)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    said = verdicts(replayed)
    assert [line.split()[0].rstrip(":") for line in said] == ["identical"] * 5
    assert all("1 chunk  sha256 " in said[index] for index in (0, 1, 3, 4))
    assert said[2].endswith("its condition is false again")
    # The replay wrote nothing and called nothing outside.
    assert await member.run(run["id"]) == run
    assert len(receiver.deliveries) == delivered


CHANGED_DOMAIN = (
    0,
    "update public.step_result_chunks"
    """ set records = jsonb_set(records, '{2,data,domain}', '"other.com"')"""
    " where step_result_id = %s",
    'chunk 0, records, record 3, data.domain: recorded "other.com", now "initech.com"',
)
CHANGED_REASON = (
    1,
    "update public.rejected_records set reason = 'another' where step_result_id = %s",
    'chunk 0, rejected, record 2, reason: recorded "another", now "schema_violation"',
)
ADDED_RECORD = (
    3,
    "update public.step_result_chunks set records = records || jsonb_build_array(records -> 0)"
    " where step_result_id = %s",
    "chunk 0, records: record 1 is recorded, now it is missing",
)
CHANGED_HASH = (
    4,
    "update public.step_result_chunks set content_hash = sha256('') where step_result_id = %s",
    "chunk 0, the content is the same, its recorded hash is not",
)


# A step's input is the recorded output of the one before, so neighbours are not changed in the same run.
@pytest.mark.parametrize("changes", [(CHANGED_DOMAIN, CHANGED_HASH), (CHANGED_REASON, ADDED_RECORD)])
async def test_the_first_difference_of_a_step_is_named(
    stack: StackEnvironment, run: Json, changes: tuple[tuple[int, str, str], ...]
) -> None:
    for place, statement, _ in changes:
        tamper(stack, statement, run["steps"][place])
    replayed = replay(stack, run)
    assert replayed.returncode == 1
    for place, _, named in changes:
        assert verdicts(replayed)[place].startswith(f"DIFFERS: {named}")


async def test_a_retried_run_is_compared_with_what_the_first_one_recorded(
    stack: StackEnvironment, member: Product, admin: Product, org: Org, receiver: Receiver
) -> None:
    """The first run fails in its second chunk. The retry reuses one step and continues the other."""
    blueprint_id = await admin.blueprint(CLEAN, receiver.step(batch_size=1000))
    receiver.answers += [Answer(200), Answer(410)]
    accepted = await member.submit(org.first.id, blueprint_id, companies(1_500))
    failed = await member.finished(accepted["pipeline_run"]["id"])
    assert (failed["status"], failed["steps"][1]["chunks_written"]) == ("failed", 1)
    replayed = replay(stack, failed)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert ["2 chunks" in line or "1 chunk " in line for line in verdicts(replayed)] == [True, True]

    retried = await member.call("pipeline-runs/retry", {"pipeline_run_id": failed["id"]})
    run = await member.succeeded(retried["pipeline_run"]["id"])
    assert run["steps"][0]["reused_from"] is not None
    replayed = replay(stack, run)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert ["2 chunks" in line for line in verdicts(replayed)] == [True, True]


async def test_a_run_that_is_not_over_is_not_replayed(
    stack: StackEnvironment, member: Product, admin: Product, org: Org, receiver: Receiver
) -> None:
    blueprint_id = await admin.blueprint(receiver.step())
    receiver.hold()
    accepted = await member.submit(org.first.id, blueprint_id, RECORDS)
    run_id = accepted["pipeline_run"]["id"]
    await receiver.held(run_id)
    replayed = replay(stack, {"id": run_id})
    receiver.release()
    await member.succeeded(run_id)
    assert replayed.returncode == 1
    assert "is running" in replayed.stderr


def test_an_unknown_run_is_named(stack: StackEnvironment) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    replayed = replay(stack, {"id": unknown})
    assert replayed.returncode == 1
    assert unknown in replayed.stderr
