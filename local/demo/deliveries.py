"""What the webhook receiver got of a run."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from pydantic import TypeAdapter

from local.errors import DemoError
from local.webhook_receiver.inbox import Message

_MESSAGES = TypeAdapter(list[Message])


@dataclass(frozen=True)
class Deliveries:
    """A batch that is delivered again counts once. `refused`: not signed with the secret, or not readable."""

    batches: int
    records: int
    refused: int


def read_deliveries(receiver_url: str, pipeline_run_id: str) -> Deliveries:
    try:
        answer = httpx.get(f"{receiver_url}/messages", timeout=10, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        raise DemoError("The webhook receiver does not answer.", log="webhook-receiver") from error
    messages = [m for m in _MESSAGES.validate_json(answer.content) if m.pipeline_run_id == pipeline_run_id]
    batches = {message.webhook_id: message for message in messages if message.verdict == "accepted"}
    return Deliveries(
        batches=len(batches),
        records=sum(message.records or 0 for message in batches.values()),
        refused=sum(message.verdict != "accepted" for message in messages),
    )
