"""What is wrong with a body, for its sender: paths and reasons, but no values."""

from collections.abc import Mapping, Sequence
from typing import Any

MAX_REPORTED_FIELD_ERRORS = 20


def describe(errors: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    """The message and the details of an error, from what pydantic found."""
    return "The request does not match what this endpoint expects.", {
        # The `input` of an error is left out: it may be a secret, or ten megabytes.
        "errors": [
            {"path": _path(item["loc"]), "type": item["type"], "message": item["msg"]}
            for item in errors[:MAX_REPORTED_FIELD_ERRORS]
        ],
        "error_count": len(errors),
    }


def _path(location: Sequence[str | int]) -> str:
    parts = [str(part) for part in location]
    return ".".join(parts[1:] if parts[:1] == ["body"] and len(parts) > 1 else parts) or "body"
