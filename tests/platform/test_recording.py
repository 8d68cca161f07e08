"""Replays a recorded session of the real CLI and SDK, and compares the platform's answers.

`recording.jsonl` is trimmed from a recording of Trigger.dev server 4.5.12 with CLI and SDK 4.8.3: a run, a
run that fails once, a parent that waits for a child and a batch, waits, a cancelled run. Requests are sent
with the platform's ids in place of the recorded ones. The clock follows the recording.
"""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from local.trigger_platform.app import create_app
from tests.platform.bench import ACCESS_TOKEN, PROJECT_REF, SECRET_KEY, Bench

RECORDING = Path(__file__).parent / "recording.jsonl"
RECORDED_PROJECT = "proj_rrkpdguyagvsoktglnod"
RECORDED_ID = re.compile(r"\bc[a-z0-9]{24}\b|(?<=_)c[a-z0-9]{24}\b")
RECORDED_VERSION = "20261121.2"
STATUSES = (("status",), ("result", "attemptStatus"), ("execution", "snapshot", "executionStatus"))


class Session:
    """Maps recorded ids to the platform's ids."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {RECORDED_VERSION: "20261121.1", RECORDED_PROJECT: PROJECT_REF}
        self.handed_out: list[Any] = []

    def translate(self, text: str) -> str:
        text = text.replace(RECORDED_PROJECT, PROJECT_REF)
        text = text.replace(RECORDED_VERSION, self.ids[RECORDED_VERSION])
        return RECORDED_ID.sub(lambda match: self.ids.get(match[0], match[0]), text)

    def learn(self, recorded: object, answered: object) -> None:
        """Walk both answers side by side and note which ids correspond."""
        if isinstance(recorded, dict) and isinstance(answered, dict):
            for key in recorded.keys() & answered.keys():
                self.learn(recorded[key], answered[key])
        elif isinstance(recorded, list) and isinstance(answered, list):
            for left, right in zip(recorded, answered, strict=False):
                self.learn(left, right)
        elif isinstance(recorded, str) and isinstance(answered, str):
            match, ours = RECORDED_ID.search(recorded), RECORDED_ID.search(answered)
            if match and ours:
                self.ids.setdefault(match[0], ours[0])


def shape(value: object) -> object:
    """The keys of an answer at every depth, without the values."""
    if isinstance(value, dict):
        # The recorded task sets metadata. The platform keeps none, since no task of the product sets any.
        kept = {key: content for key, content in value.items() if key != "metadata" or not content}
        return {key: shape(content) for key, content in sorted(kept.items())}
    if isinstance(value, list):
        return [shape(content) for content in value]
    return None


async def answer(client: httpx.AsyncClient, session: Session, entry: dict[str, Any]) -> tuple[int, Any]:
    method, path = session.translate(entry["call"]).split(" ", 1)
    headers = {name: session.translate(value) for name, value in entry["headers"].items()}
    token = ACCESS_TOKEN if "tr_pat" in headers["authorization"] else SECRET_KEY
    headers["authorization"] = f"Bearer {token}"
    if path.endswith("/dequeue") and session.handed_out:
        return 200, {"dequeuedMessages": [session.handed_out.pop(0)]}
    request = entry.get("request")
    body = request if isinstance(request, str) else None if request is None else json.dumps(request)
    content = session.translate(body) if body is not None else None
    response = await client.request(method, path, headers=headers, content=content)
    parsed = response.json()
    if path.endswith("/dequeue"):
        # The recorded server handed out one run at a time; this one hands out all at once.
        session.handed_out = parsed["dequeuedMessages"][1:]
        del parsed["dequeuedMessages"][1:]
    return response.status_code, parsed


async def test_the_recorded_session_gets_the_recorded_answers() -> None:
    bench, session = Bench(), Session()
    entries = [json.loads(line) for line in RECORDING.read_text().splitlines()]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(bench.platform)), base_url="http://platform.test"
    ) as client:
        for entry in entries:
            bench.clock.moment = datetime.fromisoformat(f"2026-11-21T{entry['at']}+00:00")
            bench.platform.timers.run_due()
            status, answered = await answer(client, session, entry)
            call = f"{entry['at']} {entry['call']}"
            assert status == entry["status"], (call, answered)
            session.learn(entry["response"], answered)
            assert shape(answered) == shape(entry["response"]), call
            for path in STATUSES:
                assert pick(answered, path) == pick(entry["response"], path), call
    assert not session.handed_out


def pick(value: Any, path: tuple[str, ...]) -> object:  # noqa: ANN401 (JSON)
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
