"""Floods of ordinary or refused requests."""

from __future__ import annotations

from itertools import cycle

from tests.siege.attacks.attack import Attack, Attacker
from tests.siege.target import encoded


class Lists(Attack):
    name = "lists, many"
    sends = "lists of 200 of every noun, 32 at once"
    at_once = 32
    most = 20_000

    async def prepare(self, attacker: Attacker) -> None:
        self._nouns = cycle(
            (
                "companies",
                "users",
                "api-tokens",
                "steps",
                "blueprints",
                "submissions",
                "pipeline-runs",
                "audit",
            )
        )

    async def send(self, attacker: Attacker) -> None:
        await attacker.api(f"{next(self._nouns)}/list", encoded({"limit": 200}), as_admin=True)


class Creates(Attack):
    name = "creates, many"
    sends = "submissions of 10 records, 32 at once"
    at_once = 32
    most = 5_000

    async def send(self, attacker: Attacker) -> None:
        records = [{"name": f"Company {number}"} for number in range(10)]
        body = {
            "company_id": attacker.target.company_id,
            "blueprint_id": attacker.target.blueprint_id,
            "records": records,
        }
        await attacker.api("submissions/create", encoded(body))


class LongLists(Attack):
    name = "lists of long field names"
    sends = "lists of 40 submissions that have 10,000 field names of 100 characters each"
    at_once = 4
    most = 200

    async def prepare(self, attacker: Attacker) -> None:
        fields = [f"{number:0100}" for number in range(10_000)]
        for _ in range(40):
            await attacker.submit([{"n": 1}], p_fields=fields)

    async def send(self, attacker: Attacker) -> None:
        await attacker.api("submissions/list", encoded({"limit": 40}))


class HostileBodies(Attack):
    name = "bodies that nobody expects"
    sends = "half surrogate pairs, depth of 20,000, 5,000 digits and NUL in records and configs, 16 at once"
    at_once = 16
    most = 5_000

    async def prepare(self, attacker: Attacker) -> None:
        values = [rb'"\ud800"', b"[" * 20_000 + b"]" * 20_000, b"1" * 5_000, rb'"\u0000"', rb'{"\ud800":1}']
        self._requests = cycle((path, value) for value in values for path in ("submissions", "blueprints"))

    async def send(self, attacker: Attacker) -> None:
        path, value = next(self._requests)
        ids = {"company_id": attacker.target.company_id, "blueprint_id": attacker.target.blueprint_id}
        step = {"slug": "validate-records", "config": {"schema": "here"}}
        bodies = {
            "submissions": {**ids, "records": [{"a": "here"}]},
            "blueprints": {"name": "Hostile", "steps": [step]},
        }
        body = encoded(bodies[path]).replace(b'"here"', value)
        await attacker.api(f"{path}/create", body, as_admin=True)


class DataApiReads(Attack):
    name = "reads at the Data API, many"
    sends = "tables with what hangs on their rows, past the API, 16 at once"
    at_once = 16
    most = 5_000

    async def prepare(self, attacker: Attacker) -> None:
        self._paths = cycle(
            (
                "pipeline_runs?select=*,step_results(*)&limit=1000",
                "submissions?select=*,pipeline_runs(*)&limit=1000",
                "audit_log?select=*&limit=1000",
                "blueprints?select=*&order=name.desc&limit=1000",
            )
        )

    async def send(self, attacker: Attacker) -> None:
        await attacker.read(next(self._paths), as_admin=True)
