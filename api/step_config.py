"""Checks the steps of a blueprint: each config against the schema of its step, and each condition.

The API knows no step by name. It has only the JSON Schema (2020-12) that each step publishes.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from api.auth.caller import Caller
from api.errors import ApiError, ErrorCode
from api.models.blueprints import BlueprintStepInput
from api.models.steps import Step
from api.run_if import find_fault

MAX_ERRORS_PER_STEP = 20
MAX_MESSAGE_LENGTH = 300


async def checked_steps(caller: Caller, steps: Sequence[BlueprintStepInput]) -> list[dict[str, Any]]:
    """Returns the steps for the RPC, each with the version that its config was checked against.

    Raises ApiError unknown_step, invalid_step_config or invalid_run_if; the error lists every faulty step.
    """
    wanted = list(dict.fromkeys((step.slug, step.version) for step in steps))
    found = await asyncio.gather(*(_published_step(caller, *reference) for reference in wanted))
    published = dict(zip(wanted, found, strict=True))
    unknown = [
        {"position": position, "slug": step.slug, "version": step.version}
        for position, step in enumerate(steps, start=1)
        if published[step.slug, step.version] is None
    ]
    if unknown:
        raise ApiError(
            ErrorCode.UNKNOWN_STEP,
            "The blueprint names a step that is not published.",
            details={"steps": unknown},
        )
    checked, faulty = [], []
    for position, step in enumerate(steps, start=1):
        definition = published[step.slug, step.version]
        assert definition is not None  # for the type checker: an unknown step was refused above
        if errors := config_errors(definition.config_schema, step.config):
            faulty.append({"position": position, "slug": step.slug, "errors": errors})
        checked.append(step.model_dump(mode="json", exclude_unset=True) | {"version": definition.version})
    if faulty:
        raise ApiError(
            ErrorCode.INVALID_STEP_CONFIG,
            "The config of a step does not match its schema.",
            details={"steps": faulty},
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
        raise ApiError(
            ErrorCode.INVALID_RUN_IF, "The run_if of a step is not valid.", details={"steps": faulty}
        )


async def _published_step(caller: Caller, slug: str, version: str | None) -> Step | None:
    arguments = {"p_slug": slug} if version is None else {"p_slug": slug, "p_version": version}
    try:
        return await caller.call("get_step", arguments, Step)
    except ApiError as error:
        if error.code == "step_not_found":
            return None
        raise


def config_errors(schema: dict[str, Any], config: dict[str, Any]) -> list[dict[str, str]]:
    """The errors of a config; `path` is a JSON Pointer, empty for the whole config."""
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    found = sorted(
        validator.iter_errors(config), key=lambda error: [str(part) for part in error.absolute_path]
    )
    return [{"path": _pointer(error), "message": _reason(error)} for error in found[:MAX_ERRORS_PER_STEP]]


def _pointer(error: ValidationError) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in error.absolute_path)
    return "".join(f"/{part}" for part in parts)


def _reason(error: ValidationError) -> str:
    """The message of an error; for a failed `anyOf` also that of the alternative that came closest."""
    if error.context:
        closest = max(error.context, key=lambda inner: len(inner.absolute_path))
        return f"{error.message}; closest: {closest.message}"[:MAX_MESSAGE_LENGTH]
    return error.message[:MAX_MESSAGE_LENGTH]
