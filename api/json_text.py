"""Bounds on JSON while it is still text: size, depth, elements, digits, and text that no database can hold.

Parsing multiplies: three bytes become an object of sixty, and a long number takes quadratic time. So the
text is looked through first, by scans whose time grows with its length alone.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 100
MAX_DIGITS = 100

# Without the second way to end, each quote of a text without an end would be scanned to the end again.
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_LONG_NUMBER = re.compile(rb"[0-9.]{%d}" % (MAX_DIGITS + 1))
_NO_NUMBER = re.compile(rb"NaN|Infinity")
_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


class RefusedJsonError(ValueError):
    """The message is for the caller."""


@dataclass(frozen=True, slots=True)
class JsonBounds:
    """`elements` bounds the members of objects and lists together, and so the memory that parsing takes."""

    elements: int
    depth: int = MAX_DEPTH


def check_json_text(body: bytes, bounds: JsonBounds) -> None:
    """Raises RefusedJsonError for text beyond the bounds. Text that is not JSON may pass."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise RefusedJsonError("The body is not UTF-8.") from error
    if b"\\u" in body:
        _check_escapes(body)
    if not _may_exceed(body, bounds):
        return
    structure = _STRING.sub(b"", body)
    if _LONG_NUMBER.search(structure):
        raise RefusedJsonError(f"A number has more than {MAX_DIGITS} digits. Send it as text.")
    if _NO_NUMBER.search(structure):
        raise RefusedJsonError("NaN and Infinity are not JSON.")
    if structure.count(b",") + _openings(structure) > bounds.elements:
        raise RefusedJsonError(f"The body has more than {bounds.elements:,} values.")
    if _is_deeper(structure, bounds.depth):
        raise RefusedJsonError(f"The body is nested more than {bounds.depth} levels deep.")


def parse_json(body: bytes, bounds: JsonBounds) -> Any:  # noqa: ANN401 (JSON is anything)
    """Checks and parses; raises RefusedJsonError."""
    check_json_text(body, bounds)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedJsonError(f"The body is not JSON: {error}") from error


def encode_json(value: object, *, sort_keys: bool = False) -> bytes:
    """Compact JSON; raises RefusedJsonError for NaN, infinity and lone surrogates, which JSON cannot hold."""
    try:
        text = json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=sort_keys
        )
        return text.encode()
    except (ValueError, RecursionError) as error:
        raise RefusedJsonError(
            "A value cannot be stored: it is NaN, infinite, half a surrogate pair or nested too deeply."
        ) from error


def _may_exceed(body: bytes, bounds: JsonBounds) -> bool:
    """Looks at strings and structure alike, which is quicker, and enough for nearly all bodies."""
    openings = _openings(body)
    return (
        openings > bounds.depth
        or body.count(b",") + openings > bounds.elements
        or _LONG_NUMBER.search(body) is not None
        or _NO_NUMBER.search(body) is not None
    )


def _check_escapes(body: bytes) -> None:
    # An escaped backslash before `u` is no escape.
    escapes = body.replace(b"\\\\", b"")
    if b"\\u0000" in escapes:
        raise RefusedJsonError("Text cannot hold the NUL character.")
    if _HALF_PAIR.search(escapes) and _HALF_PAIR.search(_PAIR.sub(b"", escapes)):
        raise RefusedJsonError("Text cannot hold half of a surrogate pair.")


def _openings(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")


def _is_deeper(structure: bytes, depth: int) -> bool:
    """Removes the innermost brackets, level by level."""
    rest = structure.translate(None, _BRACKETS)
    for _ in range(depth):
        if not rest:
            return False
        rest = rest.replace(b"[]", b"").replace(b"{}", b"")
    return bool(rest) and _openings(rest) > 0
