"""The cases of a campaign: a few sets of records, and blueprints of different kinds."""

from __future__ import annotations

import random
from typing import Any

Json = dict[str, Any]

BLUEPRINTS = ("inline", "delivering", "may fail", "several at once")
SETS = 3
SECRET_NAME = "webhook_key"

_SCHEMA = {"type": "object", "required": ["name"], "properties": {"employees": {"maximum": 900}}}


def case_name(blueprint: str, record_set: int) -> str:
    return f"{blueprint}, records {record_set + 1}"


def steps_of(blueprint: str, webhook_url: str) -> list[Json]:
    def deliver(batch_size: int, **options: object) -> Json:
        config = {
            "url": webhook_url,
            "secret_name": SECRET_NAME,
            "batch_size": batch_size,
            "timeout_seconds": 5,
        }
        return {"slug": "deliver-webhook", "config": config, **options}

    patient = {"max_attempts": 8, "backoff": {"initial_seconds": 0.2, "max_seconds": 2}}
    clean, dedupe = {"slug": "normalize-company"}, {"slug": "dedupe-records"}
    validate: Json = {"slug": "validate-records", "config": {"schema": _SCHEMA}}
    return {
        "inline": [clean, validate, dedupe],
        "delivering": [clean, deliver(300, retry=patient), dedupe],
        # The delivery has one attempt. The run continues if it fails.
        "may fail": [clean, deliver(500, retry={"max_attempts": 1}, continue_on_error=True), validate],
        "several at once": [
            {**clean, "concurrency": 3},
            {**dedupe, "concurrency": 2},
            deliver(400, retry=patient, concurrency=3),
        ],
    }[blueprint]


def records_of(record_set: int, count: int) -> list[Json]:
    """The same companies each time. Some are duplicates, some are rejected, some lack name and domain."""
    luck = random.Random(record_set)  # noqa: S311 (to be repeatable)
    records: list[Json] = []
    for row in range(count):
        number = luck.randrange(row + 1) if luck.random() < 0.1 else row
        record: Json = {"Company name": f"company {number} GMBH", "employees": str(luck.randrange(1000))}
        if luck.random() < 0.9:
            record["website"] = f"https://WWW.company-{record_set}-{number}.com/"
        if luck.random() < 0.03:
            record = {"note": "no name, no domain"}
        records.append(record)
    return records
