"""Checks the config of a step against the JSON Schema (2020-12) that the step publishes.

The schema comes from the worker's own definition of the step, so both refuse the same configs. The messages
hold no value of the config: a value may be a URL with a password.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from jsonschema_rs import Draft202012Validator, FancyRegexOptions, ValidationError, ValidationErrorKind

MAX_ERRORS_PER_STEP: Final = 20
MAX_MESSAGE_LENGTH: Final = 300
MAX_SCHEMAS: Final = 256
MAX_BACKTRACKS: Final = 100_000
# The library copies the config for each error, so the time for all errors grows with its square.
MAX_BYTES_WITH_ALL_ERRORS: Final = 2 * 1024
MASK: Final = "The value"


def config_errors(schema: str, config: dict[str, Any]) -> list[dict[str, str]]:
    """The errors of a config, or the first error of a large one. `path` is a JSON Pointer."""
    validator = _validator(schema)
    if validator.is_valid(config):
        return []
    if len(json.dumps(config)) > MAX_BYTES_WITH_ALL_ERRORS:
        found = [_first_error(validator, config)]
    else:
        found = list(validator.iter_errors(config))
    found.sort(key=lambda error: [str(part) for part in error.instance_path])
    rules = json.loads(schema)
    return [
        {"path": _pointer(error.instance_path), "message": _message(error, rules)}
        for error in found[:MAX_ERRORS_PER_STEP]
    ]


@lru_cache(MAX_SCHEMAS)
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(
        json.loads(schema),
        validate_formats=True,
        # A schema refers to nothing outside of itself.
        offline=True,
        mask=MASK,
        pattern_options=FancyRegexOptions(backtrack_limit=MAX_BACKTRACKS),
    )


def _first_error(validator: Draft202012Validator, config: dict[str, Any]) -> ValidationError:
    try:
        validator.validate(config)
    except ValidationError as error:
        return error
    raise AssertionError("the config is valid")


def _pointer(path: Sequence[str | int]) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join(f"/{part}" for part in parts)


def _message(error: ValidationError, rules: dict[str, Any]) -> str:
    """The reason; for a failed `anyOf` also that of the alternative that came closest."""
    if isinstance(error.kind, ValidationErrorKind.AnyOf | ValidationErrorKind.OneOfNotValid):
        alternatives = [inner for branch in error.kind.context for inner in branch]
        closest = max(alternatives, key=lambda inner: len(inner.instance_path))
        return f"{error.message}; closest: {_message(closest, rules)}"[:MAX_MESSAGE_LENGTH]
    # A pattern says little to a person. Its description says what it is for.
    if error.schema_path[-1] in ("pattern", "not") and (
        description := _description(error.schema_path, rules)
    ):
        name = (
            error.message.partition(" does not match ")[0] if "propertyNames" in error.schema_path else MASK
        )
        return f"{name} is not allowed. {description}"[:MAX_MESSAGE_LENGTH]
    return error.message[:MAX_MESSAGE_LENGTH]


def _description(keyword_path: Sequence[str | int], rules: Any) -> str:  # noqa: ANN401 (JSON is anything)
    """The description of the schema in which the keyword stands."""
    for part in keyword_path[:-1]:
        known = rules.get(part) if isinstance(rules, dict) else None
        rules = rules[part] if isinstance(rules, list) and isinstance(part, int) else known
    return str(rules.get("description", "")) if isinstance(rules, dict) else ""
