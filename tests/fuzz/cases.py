"""Generates requests from the API's OpenAPI document."""

from __future__ import annotations

import math
import random
import warnings
from copy import deepcopy
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Err, Ok

Json = dict[str, Any]
Case = schemathesis.Case[Any]
Operation = schemathesis.APIOperation[Any, Any, Any, Any]

_SHARE_OF_BOUNDARIES = 0.2
_SHARE_OF_VALID = 0.55
_MOST_WEIGHT = 15.0


def load(document: Json, steps: list[Json]) -> list[Endpoint]:
    """The endpoints of the document. Blueprints get published steps, as unknown ones are refused early."""
    document = deepcopy(document)
    schemas = document["components"]["schemas"]
    any_step = schemas["BlueprintStepInput"]
    schemas["BlueprintStepInput"] = {"anyOf": [_of_one_step(any_step, step) for step in steps]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema = schemathesis.openapi.from_dict(document)
        return [Endpoint.of(_valid(found)) for found in schema.get_all_operations()]


def _valid(found: Ok[Operation] | Err[Any]) -> Operation:
    assert isinstance(found, Ok), f"the document is wrong: {found}"
    return found.ok()


def _of_one_step(any_step: Json, step: Json) -> Json:
    config = {name: value for name, value in step["config_schema"].items() if name != "$schema"}
    return {
        **any_step,
        "properties": {
            **any_step["properties"],
            "slug": {"const": step["slug"]},
            "version": {"const": step["version"]},
            "config": config,
        },
        "required": ["slug", "config"],
    }


@dataclass(frozen=True)
class Endpoint:
    """An operation of the document, with the cases at the boundaries of its fields."""

    operation: Operation
    boundaries: list[Case]

    @classmethod
    def of(cls, operation: Operation) -> Endpoint:
        config = operation.schema.config.generation_for(operation=operation)
        boundaries = operation.schema.iter_coverage_cases(
            operation, generation_modes=list(GenerationMode), generation_config=config
        )
        return cls(operation, list(boundaries))

    @property
    def weight(self) -> float:
        """A larger body gets more cases."""
        return min(math.sqrt(len(self.boundaries)), _MOST_WEIGHT)

    def cases(self, count: int, seed: int) -> list[Case]:
        """Some boundaries, then valid and invalid cases at random."""
        boundaries = self.boundaries.copy()
        random.Random(seed).shuffle(boundaries)  # noqa: S311
        cases = boundaries[: round(count * _SHARE_OF_BOUNDARIES)]
        cases += _drawn(self.operation, GenerationMode.POSITIVE, round(count * _SHARE_OF_VALID), seed)
        if self.operation.body or self.operation.headers:
            cases += _drawn(self.operation, GenerationMode.NEGATIVE, count - len(cases), seed)
        # An operation without a body has few different cases. Each is sent by several callers.
        return list(islice(cycle(cases), count))


def _drawn(operation: Operation, mode: GenerationMode, count: int, number: int) -> list[Case]:
    found: list[Case] = []

    @seed(number)
    @settings(
        max_examples=max(1, count),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found
