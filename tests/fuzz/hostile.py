"""JSON that breaks programs: legal or almost legal."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

# Raw JSON, as Python's json module cannot write most of it.
RAW_VALUES = (
    r'"\ud800"',  # half a surrogate pair
    r'"\udc00\ud800"',
    r'"a\u0000b"',
    r'"\u212a"',  # the Kelvin sign, whose lower case is k
    r'"\u202e"',
    '"' + "a" * 70_000 + '"',
    "1e400",
    "-1e400",
    "1e-400",
    "-0",
    "1" * 5_000,
    "0." + "1" * 5_000,
    "9007199254740993",
    "18446744073709551616",
    "1e19",
    "NaN",
    "Infinity",
    "[" * 150 + "]" * 150,
    "[" * 1_500 + "]" * 1_500,
    '{"a":' * 1_500 + "1" + "}" * 1_500,
    r'{"\ud800": 1}',
    r'{"\u0000": 1}',
    '{"": 1}',
    '{"__proto__": {"role": "org_admin"}}',
    '{"a": 1, "a": 2}',
    '{"$ref": "#"}',
    r'"2026-02-30T25:61:61Z"',
    r'"0001-01-01T00:00:00+23:59"',
    r'"9999-12-31T23:59:59-23:59"',
    "true",
    "null",
)
RAW_NAMES = (r'"\ud800"', r'"a\u0000b"', '"' + "k" * 70_000 + '"', '"__proto__"', '""')
_SHARE_OF_NAMES = 0.2
_PLACE = "place of the hostile value"
_NAME = "place of the hostile name"

Path = tuple[str | int, ...]


def with_hostile_value(body: Any, luck: random.Random) -> bytes:  # noqa: ANN401 (JSON)
    """The encoded body with a hostile value or field name in a random place."""
    paths = list(_paths(body))
    if luck.random() < _SHARE_OF_NAMES:
        objects = [path for path in paths if isinstance(_at(body, path), dict)]
        path = luck.choice(objects or [()])
        content = {**_at(body, path), _NAME: 1} if objects else {_NAME: 1}
        marked = json.dumps(_replaced(body, path, content))
        return marked.replace(json.dumps(_NAME), luck.choice(RAW_NAMES)).encode()
    marked = json.dumps(_replaced(body, luck.choice(paths), _PLACE))
    return marked.replace(json.dumps(_PLACE), luck.choice(RAW_VALUES)).encode()


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:  # noqa: ANN401
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:
        yield from _paths(part, (*path, name))


def _at(value: Any, path: Path) -> Any:  # noqa: ANN401
    for name in path:
        value = value[name]
    return value


def _replaced(value: Any, path: Path, new: Any) -> Any:  # noqa: ANN401
    """A copy of `value` with `new` at the path."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copy
