"""Bounds on JSON text: what is refused before it is parsed, and that looking takes no time."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest

from api.json_text import JsonBounds, RefusedJsonError, check_json_text, encode_json, parse_json

BOUNDS = JsonBounds(elements=1_000)
SMALL_BYTES = 64 * 1024


@pytest.mark.parametrize(
    "value",
    [
        {"text": "a, [b], {c} and NaN, Infinity, " + "9" * 300},
        {"text": "," * 5_000 + "[" * 5_000},
        {"text": 'a "quoted" word and a backslash \\'},
        {"text": "\\u0000 and \\ud800 after an escaped backslash"},
        {"emoji": "😀", "umlaut": "ä"},
        {"number": 1.5e300, "digits": int("9" * 100)},
        json.loads("[" * 100 + "]" * 100),
        [0] * 999,
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_a_body_within_the_bounds_is_parsed_as_it_is(value: object, ensure_ascii: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ensure_ascii).encode(), BOUNDS) == value


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 101 + b"]" * 101,
        b'{"a":' * 101 + b"1" + b"}" * 101,
        b"[" * 100_000,
        b"[" + b"1" * 101 + b"]",
        b"1" * 5_000,
        b"[1." + b"0" * 100 + b"]",
        b"[NaN]",
        b"[-Infinity]",
        b"[" + b"1," * 1_000 + b"1]",
        b"[" + b"[]," * 600 + b"1]",
        b'{"a": "\\u0000"}',
        b'{"a": "\\\\\\u0000"}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\udc00\\ud800"}',
        b'{"a": "\\ud800\\u0041"}',
        b'{"\\uDBFF": 1}',
        '{"a": "ü"}'.encode("latin-1"),
        b'{"a": "\xed\xa0\x80"}',
        "[1]".encode("utf-16"),
        b"",
        b"{",
        b'{"a": 1} 2',
        b'"' * 1_001,
        b'"\\',
    ],
    ids=lambda text: repr(text[:24]),
)
def test_other_bodies_are_refused(text: bytes) -> None:
    with pytest.raises(RefusedJsonError):
        parse_json(text, BOUNDS)


@pytest.mark.parametrize(
    "pattern",
    [
        b"[],",
        b"[",
        b"]",
        b'"',
        b'\\"',
        b'"a\\',
        b"[{",
        b"\\\\u0000",
        b"\\ud83d\\ude00",
        b"1",
        b"[" * 99 + b"]" * 99,
    ],
    ids=lambda pattern: repr(pattern[:12]),
)
@pytest.mark.parametrize("start", [b"", b'"', b"[[[[[,,,,,"], ids=repr)
def test_looking_at_a_small_body_takes_a_few_milliseconds(pattern: bytes, start: bytes) -> None:
    body = (start + pattern * (SMALL_BYTES // len(pattern)))[:SMALL_BYTES]
    begun = time.thread_time()
    with suppress(RefusedJsonError):
        check_json_text(body, BOUNDS)
    assert time.thread_time() - begun < 0.05


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), "\ud800", {"\udfff": 1}])
def test_what_json_cannot_hold_is_not_encoded(value: object) -> None:
    with pytest.raises(RefusedJsonError):
        encode_json(value)
