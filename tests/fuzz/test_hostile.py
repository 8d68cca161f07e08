"""Hostile values are sent as they are written, in random places."""

from __future__ import annotations

import json
import random

from tests.fuzz.hostile import RAW_NAMES, RAW_VALUES, with_hostile_value

BODY = {"name": "Acme", "steps": [{"slug": "a", "config": {"fields": ["email"]}}]}


def test_every_hostile_value_is_sent_somewhere() -> None:
    luck = random.Random(1)  # noqa: S311 (a test that can be repeated)
    sent = [with_hostile_value(BODY, luck).decode() for _ in range(1000)]
    unchanged = json.dumps(BODY)
    assert unchanged not in sent
    for raw in (*RAW_VALUES, *RAW_NAMES):
        if len(raw) > 10:  # short ones are in the body anyway
            assert any(raw in body for body in sent), raw[:40]


def test_body_itself_can_be_replaced() -> None:
    luck = random.Random(1)  # noqa: S311 (a test that can be repeated)
    assert with_hostile_value(None, luck).decode() in (*RAW_VALUES, *(f"{{{name}: 1}}" for name in RAW_NAMES))
