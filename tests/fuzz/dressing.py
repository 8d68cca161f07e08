"""Puts existing ids, cursors, files, hostile JSON and a credential into generated requests."""

from __future__ import annotations

import gzip
import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from schemathesis.core import NOT_SET
from schemathesis.transport.serialization import Binary

from tests.fuzz.callers import Caller
from tests.fuzz.cases import Case, Json
from tests.fuzz.hostile import with_hostile_value
from tests.fuzz.world import SECRETS

_SHARE_OF_KNOWN = 0.8
_SHARE_OF_HOSTILE = 0.1
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
# Existing names, by field or by path and field.
WORDS: dict[str | tuple[str, str], list[str]] = {
    "entity": ["users", "blueprints", "submissions", "pipeline_runs", "api_tokens", "secrets", "companies"],
    "secret_name": SECRETS,
    ("/v1/secrets/set", "name"): SECRETS,
    ("/v1/secrets/delete", "name"): SECRETS,
    ("/v1/steps/get", "slug"): ["normalize-company", "dedupe-records", "testing-inline"],
    ("/v1/steps/get", "version"): ["1.0.0"],
    "run_if": [
        "record.n > 1",
        "has(record.name) && record.name != ''",
        "steps['normalize-company'].records_out > 0",
        "true",
    ],
}


class Dresser:
    """Without it hardly a request would get past 404 and 422."""

    def __init__(self, luck: random.Random) -> None:
        self._luck = luck

    def dress(self, generated: Case, caller: Caller) -> Case:
        """A copy of the case, as the caller sends it."""
        case = generated.derive()
        case.headers.pop("Authorization", None)
        if caller.bearer is not None:
            case.headers["Authorization"] = f"Bearer {caller.bearer}"
        elif self._luck.random() < 0.5:
            case.headers["Authorization"] = self._luck.choice(
                ("Bearer x.y.z", "Basic eDp5", "Bearer", "dex_")
            )
        if self._luck.random() < 0.8:
            self._give_fresh_key(case)
        if isinstance(case.body, dict):
            case.body = self._known(case.body, case.path, caller)
        if case.media_type == "application/json" and case.body is not NOT_SET:
            self._make_hostile(case)
        return case

    def _give_fresh_key(self, case: Case) -> None:
        """The generator repeats a few keys, which would all be conflicts."""
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = uuid4().hex

    def _known(self, value: Any, path: str, caller: Caller, name: str = "") -> Any:  # noqa: ANN401 (JSON)
        """A copy of `value` with existing values in the fields that name things."""
        if isinstance(value, dict):
            known = {field: self._known(part, path, caller, field) for field, part in value.items()}
            return known | self._file() if isinstance(value.get("file"), Binary) else known
        if isinstance(value, list):
            return [self._known(part, path, caller, name) for part in value]
        is_text = isinstance(value, str) and not isinstance(value, Binary)
        return self._known_text(name, value, path, caller) if is_text else value

    def _known_text(self, name: str, value: str, path: str, caller: Caller) -> str:
        if _UUID.fullmatch(value):
            return self._known_id(name, caller) or value
        if name == "entity_id":
            name = self._luck.choice(("blueprint_id", "pipeline_run_id", "api_token_id"))
        if name == "cursor":
            known = caller.belongings.cursors[path]
        elif name == "expires_at":
            known = [(datetime.now(UTC) + timedelta(hours=self._luck.randrange(1, 600))).isoformat()]
        else:
            known = WORDS.get((path, name)) or WORDS.get(name) or caller.belongings.values(name, None)
        return self._luck.choice(known) if known and self._luck.random() < _SHARE_OF_KNOWN else value

    def _known_id(self, name: str, caller: Caller) -> str | None:
        chance = self._luck.random()
        if chance < _SHARE_OF_KNOWN:
            return self._one_of(caller.belongings.values(name, caller.company_id))
        if chance < _SHARE_OF_KNOWN + 0.12:
            return self._one_of(caller.strangers.values(name, None))
        return None

    def _one_of(self, known: list[str]) -> str | None:
        return self._luck.choice(known) if known else None

    def _file(self) -> Json:
        """Usually the fields of an upload with a readable file, sometimes no field."""
        if self._luck.random() > _SHARE_OF_KNOWN:
            return {}
        number, form = self._luck.randrange(1, 20), self._luck.choice(("csv", "ndjson"))
        if form == "csv":
            lines = ["name;n", *(f"Company {row};{row}" for row in range(number))]
        else:
            lines = [f'{{"name": "Company {row}", "n": {row}}}' for row in range(number)]
        content = "\r\n".join(lines).encode()
        if self._luck.random() < 0.1:
            content = content[: len(content) // 2] + self._luck.randbytes(8)
        packed = gzip.compress(content) if self._luck.random() < 0.3 else content
        return {"file": Binary(packed), "format": form}

    def _make_hostile(self, case: Case) -> None:
        if self._luck.random() < _SHARE_OF_HOSTILE and not isinstance(case.body, bytes):
            case.body = with_hostile_value(case.body, self._luck)
