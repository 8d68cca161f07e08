"""Numbers that jsonb stores in a few bytes and prints with 131,000 digits."""

from __future__ import annotations

from uuid import uuid4

from tests.siege.attacks.attack import Attack, Attacker
from tests.siege.target import encoded

_HUGE = "1e131000"
_PLACE = "place of the numbers"


def with_huge_numbers(value: object, count: int) -> bytes:
    """The encoded body with `count` huge numbers at `_PLACE`; Python has no numbers beyond 1e308."""
    numbers = f"[{','.join([_HUGE] * count)}]"
    return encoded(value).replace(encoded(_PLACE), numbers.encode())


class ChunkOfHugeNumbers(Attack):
    name = "huge numbers in a chunk"
    sends = "append_submission_chunk at the Data API, one record of 54 kB: 6,000 times 1e131000"
    at_once = 1
    most = 6

    async def prepare(self, attacker: Attacker) -> None:
        self._submission_id = await attacker.open_upload()

    async def send(self, attacker: Attacker) -> None:
        record = {"id": "1", "data": {"x": _PLACE}}
        body = {"p_submission_id": self._submission_id, "p_chunk_index": 0, "p_records": [record]}
        await attacker.rpc_verbatim("append_submission_chunk", with_huge_numbers(body, 6_000))


class HugeNumbersInDetails(Attack):
    name = "huge numbers in details"
    sends = "reads of a run with one rejected record, 1.7 kB stored: its details have 220 times 1e131000"
    at_once = 2
    most = 40

    async def prepare(self, attacker: Attacker) -> None:
        self._submission_id = await attacker.open_upload()
        await self._append(attacker)
        body = encoded({"p_submission_id": self._submission_id})
        received = await attacker.rpc("finalize_submission", body)
        self._run_id = received["pipeline_run"]["id"] if received else None

    async def _append(self, attacker: Attacker) -> None:
        rejected = {"id": "2", "reason": "malformed_row", "message": "No.", "details": {"x": _PLACE}}
        body = {
            "p_submission_id": self._submission_id,
            "p_chunk_index": 0,
            "p_records": [{"id": "1", "data": {}}],
            "p_rejected": [rejected],
        }
        await attacker.rpc_verbatim("append_submission_chunk", with_huge_numbers(body, 220))

    async def send(self, attacker: Attacker) -> None:
        if self._run_id is None:  # the numbers were refused, so there is no run to read
            await self._append(attacker)
            return
        body = {"pipeline_run_id": self._run_id, "kind": "rejected"}
        await attacker.api("pipeline-runs/records", encoded(body))


class HugeNumbersInConfig(Attack):
    name = "huge numbers in a config"
    sends = "create_blueprint at the Data API, a config with 6,000 times 1e131000"
    at_once = 1
    most = 6

    async def send(self, attacker: Attacker) -> None:
        step = {"slug": "validate-records", "config": {"schema": {"enum": _PLACE}}}
        body = {"p_name": f"Numbers {uuid4().hex}", "p_steps": [step]}
        await attacker.rpc_verbatim("create_blueprint", with_huge_numbers(body, 6_000), as_admin=True)
