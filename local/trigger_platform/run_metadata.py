"""Run metadata: the change operations that the SDK sends for a run, its parent and its root."""

import copy
from datetime import datetime
from typing import Any

from local.trigger_platform.errors import PlatformError
from local.trigger_platform.models import JsonObject, Run
from local.trigger_platform.packets import dump_json
from local.trigger_platform.state import State

MAX_BYTES = 262_144
_UNSAFE = frozenset({"__proto__", "constructor", "prototype"})


def check_size(metadata: JsonObject) -> None:
    """Raise PlatformError (413) if the metadata is larger than a run may carry."""
    if len(dump_json(metadata).encode()) > MAX_BYTES:
        raise PlatformError(413, f"Metadata exceeds maximum size of {MAX_BYTES} bytes")


def apply_operations(metadata: JsonObject | None, operations: list[JsonObject]) -> JsonObject:
    """Return the metadata after the operations. An operation that makes no sense changes nothing."""
    changed = copy.deepcopy(metadata or {})
    for operation in operations:
        if operation.get("type") == "update":
            changed = dict(operation.get("value") or {})
            continue
        path = _path(str(operation.get("key", "")))
        if path and not _UNSAFE.intersection(path):
            _apply(changed, path, str(operation.get("type")), operation.get("value"))
    check_size(changed)
    return changed


def apply_changes(run: Run, changes: JsonObject, state: State, now: datetime) -> None:
    """Apply FlushedRunMetadata: a whole new object, or operations for the run, its parent and its root."""
    if isinstance(changes.get("metadata"), dict):
        run.metadata = apply_operations(changes["metadata"], [])
    parent = state.runs.get(run.parent_id or run.id)
    root = state.runs.get(run.root_id or run.id)
    for name, target in (("operations", run), ("parentOperations", parent), ("rootOperations", root)):
        if target and changes.get(name):
            target.metadata = apply_operations(target.metadata, changes[name])
            target.updated_at = now


def _path(key: str) -> list[str]:
    """Split `$.a.b`; any other key is one segment, dots included."""
    return [part for part in key[2:].split(".") if part] if key.startswith("$.") else [key]


def _apply(metadata: JsonObject, path: list[str], kind: str, value: Any) -> None:  # noqa: ANN401 (JSON)
    holder: Any = metadata
    for segment in path[:-1]:
        holder = holder.setdefault(segment, {}) if isinstance(holder, dict) else None
    if not isinstance(holder, dict):
        return
    key, current = path[-1], holder.get(path[-1])
    match kind:
        case "set":
            holder[key] = value
        case "delete":
            holder.pop(key, None)
        case "append":
            held = current if isinstance(current, list) else [] if current is None else [current]
            holder[key] = [*held, value]
        case "remove" if isinstance(current, list):
            holder[key] = [item for item in current if item != value]
        case "increment" if isinstance(value, int | float):
            holder[key] = (current if isinstance(current, int | float) else 0) + value
