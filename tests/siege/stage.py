"""Starts a stack and prepares the two tenants."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.siege.target import Target
from tests.support.product import Product
from tests.support.stack import StackEnvironment, stack_for_tests
from tests.support.stack_processes import StackProcesses
from tests.support.tenants import Org, create_org

_NEIGHBOUR_ADDRESS, _ATTACKER_ADDRESS = "127.0.0.2", "127.0.0.3"
_STEPS = ({"slug": "normalize-company"}, {"slug": "dedupe-records"})
_ROWS_OF_LARGE_RUN = 20_000
_LARGE_RUN_SECONDS = 300


@dataclass(frozen=True)
class Stage:
    stack: StackEnvironment
    attacking_org: Org
    neighbour: Target
    attacker: Target

    def cancel_runs_of_attacker(self) -> None:
        """Cancels what an attack has left in the queue, so that it is no part of the next attack."""
        with psycopg.connect(self.stack.database_url, autocommit=True) as connection:
            while run_ids := self._unfinished_runs(connection):
                connection.execute("select ops.cancel_runs(%s, dry_run => false)", (" ".join(run_ids),))

    async def restart_api(self) -> None:
        async with StackProcesses(self.stack).killed("api"):
            pass

    def _unfinished_runs(self, connection: psycopg.Connection[Any]) -> list[str]:
        statement = (
            "select id::text from public.pipeline_runs "
            "where org_id = %s and status in ('queued', 'running') limit 500"
        )
        return [run_id for (run_id,) in connection.execute(statement, (self.attacking_org.id,))]


@contextmanager
def set_stage(directory: Path) -> Iterator[Stage]:
    with stack_for_tests(directory, "all", durable=True) as stack:
        with psycopg.connect(stack.database_url, autocommit=True) as connection:
            neighbours, attackers = create_org(connection, "neighbour"), create_org(connection, "attacker")
            connection.execute("update public.orgs set max_runs_in_flight = default")
        neighbour = Target.of(stack, neighbours, _NEIGHBOUR_ADDRESS)
        attacker = Target.of(stack, attackers, _ATTACKER_ADDRESS)
        yield Stage(stack, attackers, *asyncio.run(_furnish(neighbour, attacker)))


async def _furnish(neighbour: Target, attacker: Target) -> tuple[Target, Target]:
    async with httpx.AsyncClient(trust_env=False) as http:
        furnished = []
        for target in (neighbour, attacker):
            blueprint_id = await Product(http, target.api_url, target.admin).blueprint(*_STEPS)
            furnished.append(replace(target, blueprint_id=blueprint_id))
        neighbour, attacker = furnished
        product = Product(http, attacker.api_url, attacker.member)
        rows = (
            f"Company {row} GmbH;www.company-{row}.example.com;{'x' * 300}"
            for row in range(_ROWS_OF_LARGE_RUN)
        )
        content = "name;domain;notes\n" + "\n".join(rows)
        accepted = await product.upload(
            attacker.company_id, attacker.blueprint_id, "companies.csv", content.encode()
        )
        run = await product.succeeded(accepted["pipeline_run"]["id"], seconds=_LARGE_RUN_SECONDS)
        return neighbour, replace(attacker, large_run_id=run["id"])
