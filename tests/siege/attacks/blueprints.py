"""Blueprints that are expensive to check or to store."""

from __future__ import annotations

from itertools import cycle
from uuid import uuid4

from tests.siege.attacks.attack import Attack, Attacker
from tests.siege.target import Json, encoded


def blueprint(slug: str, config: Json, **step: object) -> bytes:
    return encoded({"name": f"Blueprint {uuid4().hex}", "steps": [{"slug": slug, "config": config, **step}]})


class ConfigsToCheck(Attack):
    name = "configs of 1.8 MB"
    sends = (
        "blueprints/create by a member, who may not: match_on, blank_values and headers with all they hold"
    )
    at_once = 2
    most = 6

    async def prepare(self, attacker: Attacker) -> None:
        self._bodies = cycle(
            [
                blueprint("dedupe-records", {"match_on": [[0]] * 450_000}),
                blueprint("normalize-company", {"blank_values": [n % 10 for n in range(900_000)]}),
                blueprint("deliver-webhook", {"headers": {f"h{n}": "" for n in range(150_000)}}),
            ]
        )

    async def send(self, attacker: Attacker) -> None:
        await attacker.api("blueprints/create", next(self._bodies))


class ConditionsToCheck(Attack):
    name = "conditions of 2,000 characters"
    sends = "blueprints/create with run_if of lists within lists, some behind a comment"
    at_once = 4
    most = 200

    async def prepare(self, attacker: Attacker) -> None:
        lists = "[1,2].all(a, " * 60 + "true" + ")" * 60
        self._bodies = cycle(
            blueprint("normalize-company", {}, run_if=condition[:2000])
            for condition in (
                lists,
                f"// [\n{lists}",
                "[" * 900 + "]" * 900 + " == []",
                "1+" * 990 + "1 == 2",
            )
        )

    async def send(self, attacker: Attacker) -> None:
        await attacker.api("blueprints/create", next(self._bodies), as_admin=True)


class BlueprintsToKeep(Attack):
    name = "submissions of a large blueprint"
    sends = "one-record submissions of a blueprint of 12.5 MB, and updates of it; each keeps a copy"
    at_once = 4
    most = 200

    async def prepare(self, attacker: Attacker) -> None:
        """Creates the largest blueprint that is accepted: 12.5 MB at the Data API, or 1.8 MB at the API."""
        steps = [{"slug": "validate-records", "config": {"schema": {"title": "x" * 12_500_000}}}]
        body = encoded({"p_name": f"Blueprint {uuid4().hex}", "p_steps": steps})
        made = await attacker.rpc("create_blueprint", body, as_admin=True)
        made = made or await attacker.api(
            "blueprints/create",
            blueprint("validate-records", {"schema": {"title": "x" * 1_800_000}}),
            as_admin=True,
        )
        self._blueprint_id = made["id"] if made else attacker.target.blueprint_id
        self._number = 0

    async def send(self, attacker: Attacker) -> None:
        self._number += 1
        if self._number % 4 == 0:
            body = {"blueprint_id": self._blueprint_id, "description": f"Update {self._number}"}
            await attacker.api("blueprints/update", encoded(body), as_admin=True)
            return
        await attacker.submit([{"n": 1}], p_blueprint_id=self._blueprint_id)
