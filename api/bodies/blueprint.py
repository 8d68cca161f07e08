"""A blueprint's body → the arguments of the RPC that saves it, with every config and condition checked.

The API knows no step by name. It has only the JSON Schema (2020-12) that each step publishes.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from api.bodies.read import read_body
from api.json_text import JsonBounds, encode_json
from api.models.blueprints import BlueprintStepInput, CreateBlueprint, UpdateBlueprint
from api.offload.job import Job, JobRefusedError, Options
from api.request_hash import idempotency_arguments
from api.run_if import find_fault
from api.step_config import config_errors

MAX_BYTES: Final = 1024 * 1024
BOUNDS: Final = JsonBounds(elements=100_000)


def list_steps(body: bytes, options: Options) -> bytes:
    """The arguments of `pin_steps`: each step of the blueprint once; empty if the body has no steps."""
    blueprint = _read(body, options)
    if blueprint.steps is None:
        return b""
    slugs, versions = zip(*_references(blueprint.steps), strict=True)
    arguments: dict[str, Any] = {"p_slugs": slugs, "p_versions": versions}
    if isinstance(blueprint, UpdateBlueprint):
        arguments["p_blueprint_id"] = str(blueprint.blueprint_id)
    return encode_json(arguments)


def check_blueprint(body: bytes, options: Options) -> bytes:
    """`options["pinned"]` is the answer of `pin_steps`. The error lists every faulty step.

    Raises JobRefusedError unknown_step, invalid_step_config or invalid_run_if.
    """
    blueprint = _read(body, options)
    arguments = blueprint.rpc_arguments()
    if blueprint.steps is not None:
        arguments["p_steps"] = _checked_steps(blueprint.steps, options["pinned"])
    return encode_json(
        arguments
        | idempotency_arguments(
            options.get("idempotency_key"), options.get("route", ""), blueprint.model_dump(mode="json")
        )
    )


def _read(body: bytes, options: Options) -> CreateBlueprint | UpdateBlueprint:
    if options["creates"]:
        return read_body(CreateBlueprint, body, BOUNDS)
    return read_body(UpdateBlueprint, body, BOUNDS)


def _references(steps: Sequence[BlueprintStepInput]) -> list[tuple[str, str | None]]:
    return list(dict.fromkeys((step.slug, step.version) for step in steps))


def _checked_steps(
    steps: Sequence[BlueprintStepInput], pinned: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The steps for the RPC, each with the version that its config was checked against."""
    published = dict(zip(_references(steps), pinned, strict=True))
    unknown, faulty, checked = [], [], []
    for position, step in enumerate(steps, start=1):
        found = published[step.slug, step.version]
        if found["version"] is None:
            unknown.append({"position": position, "slug": step.slug, "version": step.version})
        elif errors := config_errors(json.dumps(found["config_schema"]), step.config):
            faulty.append({"position": position, "slug": step.slug, "errors": errors})
        checked.append(step.model_dump(mode="json", exclude_unset=True) | {"version": found["version"]})
    if unknown:
        raise JobRefusedError(
            "unknown_step", "The blueprint names a step that is not published.", {"steps": unknown}
        )
    if faulty:
        raise JobRefusedError(
            "invalid_step_config", "The config of a step does not match its schema.", {"steps": faulty}
        )
    _check_conditions(steps)
    return checked


def _check_conditions(steps: Sequence[BlueprintStepInput]) -> None:
    faulty = [
        {"position": position, "slug": step.slug, **fault.as_details()}
        for position, step in enumerate(steps, start=1)
        if step.run_if is not None and (fault := find_fault(step.run_if)) is not None
    ]
    if faulty:
        raise JobRefusedError("invalid_run_if", "The run_if of a step is not valid.", {"steps": faulty})


LIST_STEPS: Final = Job(list_steps, inline_bytes=64 * 1024)
# A condition of 2,000 characters takes 2 ms, and the errors of a config grow with its square.
CHECK_BLUEPRINT: Final = Job(check_blueprint, inline_bytes=4 * 1024)
