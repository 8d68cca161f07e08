"""Thousands of waiting runs."""

from __future__ import annotations

from itertools import cycle
from uuid import uuid4

from tests.siege.attacks.attack import Attack, Attacker
from tests.siege.target import encoded

_COMPANIES = 300
_QUEUED = 5_000


class QueuedRuns(Attack):
    name = "5,000 queued runs"
    sends = "runs of 300 companies, 16 at once, where 5,000 wait already"
    at_once = 16
    most = 5_000

    async def prepare(self, attacker: Attacker) -> None:
        """Queues 5,000 runs, or as many as the limits and the time allow."""
        self._submissions: list[str] = []
        await attacker.repeat(lambda: self._submit(attacker), at_once=8, most=_COMPANIES)
        self._next = cycle(self._submissions or [str(uuid4())])
        await attacker.repeat(lambda: self._queue(attacker), at_once=8, most=_QUEUED - _COMPANIES)

    async def _submit(self, attacker: Attacker) -> None:
        name = encoded({"p_name": f"Company {uuid4().hex}"})
        company = await attacker.rpc("create_company", name, as_admin=True)
        if company is None:
            return
        made = await attacker.submit([{"name": "Company"}], as_admin=True, p_company_id=company["id"])
        if made is not None:
            self._submissions.append(made["submission"]["id"])

    async def _queue(self, attacker: Attacker) -> None:
        body = encoded({"p_submission_id": next(self._next)})
        await attacker.rpc("create_pipeline_run", body, as_admin=True)

    async def send(self, attacker: Attacker) -> None:
        body = encoded({"submission_id": next(self._next)})
        await attacker.api("pipeline-runs/create", body, as_admin=True)
