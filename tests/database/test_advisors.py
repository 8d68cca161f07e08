"""Supabase's advisors, run by its CLI on the migrated database."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from local.settings import ROOT
from local.supabase_cli import supabase_cli
from tests.support.sql_client import connect
from tests.support.stack import StackEnvironment

# Accepted findings, each with its reason.
ACCEPTED = {
    ("rls_enabled_no_policy", "private.idempotency_keys"): "reached only through two definer functions",
    ("rls_enabled_no_policy", "private.limits"): "reached only through one definer function",
    ("rls_enabled_no_policy", "private.org_limits"): "reached only through one definer function",
    ("rls_enabled_no_policy", "private.request_buckets"): "reached only through one definer function",
    ("rls_enabled_no_policy", "private.run_limits"): "reached only through one definer function",
    ("rls_enabled_no_policy", "private.reconciler"): "reached only through definer functions",
    ("rls_enabled_no_policy", "private.run_turns"): "reached only through one definer function",
    ("rls_enabled_no_policy", "private.usage_days"): "reached only through definer functions",
}


PROBE = "probe_for_the_advisors"


@pytest.fixture(scope="module")
def findings(supabase: StackEnvironment) -> Iterator[list[dict[str, Any]]]:
    """The advisors' findings while a table exists that they must object to."""
    with connect(supabase) as connection:
        connection.execute(f"create table public.{PROBE} (id int)")
        try:
            connection.execute(f"grant select on public.{PROBE} to anon")
            yield run_advisors(supabase)
        finally:
            connection.execute(f"drop table public.{PROBE}")


def run_advisors(supabase: StackEnvironment) -> list[dict[str, Any]]:
    remote = f"--remote={supabase.database_url}"
    command = supabase_cli("advisors", ["db", "advisors", remote, "--level=info", "--output-format=json"])
    answer = subprocess.run(
        command.arguments,
        cwd=command.cwd,
        env=os.environ | command.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    results: list[dict[str, Any]] = json.loads(answer.stdout)["results"]
    return results


def test_the_advisors_find_the_probe(findings: list[dict[str, Any]]) -> None:
    found = {finding["level"] for finding in findings if finding["metadata"].get("name") == PROBE}
    assert "ERROR" in found


def test_the_advisors_find_nothing_else(findings: list[dict[str, Any]]) -> None:
    others = [
        f"{finding['level']} {finding['name']}: {finding['detail']}"
        for finding in findings
        if finding["name"] != "unused_index"  # hardly anything has used this database
        and finding["metadata"].get("name") != PROBE
        and (finding["name"], place(finding)) not in ACCEPTED
    ]
    assert others == []


def test_every_accepted_finding_is_still_found(findings: list[dict[str, Any]]) -> None:
    assert {(finding["name"], place(finding)) for finding in findings} >= set(ACCEPTED)


def test_the_page_on_security_gives_the_reason_for_each_accepted_finding() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    listed = re.findall(r"^\| `(\w+)` \| `(\w+\.\w+)` \| (.+) \|$", page, re.MULTILINE)
    assert {(name, on): reason for name, on, reason in listed} == ACCEPTED


def place(finding: dict[str, Any]) -> str:
    return f"{finding['metadata'].get('schema')}.{finding['metadata'].get('name')}"
