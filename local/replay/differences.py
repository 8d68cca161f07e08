"""The first difference between a recorded and a replayed chunk, named so that a person finds it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from local.replay.recorded import ComparedChunk, Part

_MISSING = object()
_LONGEST = 120


def first_difference(chunk: ComparedChunk) -> str:
    """Such as `records, record 17, data.phone: recorded "+49…", now null`."""
    for part in chunk.parts:
        if part.recorded != part.replayed:
            return _of_part(part)
    return (
        f"the content is the same, its recorded hash is not: {chunk.recorded_hash}, now {chunk.replayed_hash}"
    )


def _of_part(part: Part) -> str:
    recorded, replayed = _parse(part.recorded), _parse(part.replayed)
    for before, now in zip(recorded, replayed, strict=False):
        if before == now:
            continue
        if before["id"] != now["id"]:
            return f"{part.name}: record {before['id']} was here, now it is record {now['id']}"
        path, old, new = next(_paths("", before, now))
        return f"{part.name}, record {before['id']}, {path}: recorded {_show(old)}, now {_show(new)}"
    if len(recorded) > len(replayed):
        return f"{part.name}: record {recorded[len(replayed)]['id']} is recorded, now it is missing"
    if len(recorded) < len(replayed):
        return f"{part.name}: record {replayed[len(recorded)]['id']} is new"
    raise AssertionError("different JSON texts of the database have different values")


def _parse(text: str) -> list[dict[str, Any]]:
    """Parses, but leaves numbers as text: 1.0 and 1 are different bytes."""
    parsed: list[dict[str, Any]] = json.loads(text, parse_float=_Number, parse_int=_Number)
    return parsed


class _Number(str):
    """A number as it is written."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Number) and str.__eq__(self, other)

    def __hash__(self) -> int:
        return str.__hash__(self)


def _paths(path: str, before: object, now: object) -> Iterator[tuple[str, object, object]]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in (*before, *(key for key in now if key not in before)):
            inner = f"{path}.{key}" if path else key
            yield from _paths(inner, before.get(key, _MISSING), now.get(key, _MISSING))
    elif isinstance(before, list) and isinstance(now, list):
        for index in range(max(len(before), len(now))):
            old, new = (side[index] if index < len(side) else _MISSING for side in (before, now))
            yield from _paths(f"{path}[{index}]", old, new)
    elif before != now or type(before) is not type(now):
        yield path, before, now


def _show(value: object) -> str:
    if value is _MISSING:
        return "nothing"
    text = str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
