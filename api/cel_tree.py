"""The syntax tree of a compiled CEL expression, read from its serialized form.

The package gives the tree only as bytes: a `cel.expr.CheckedExpr`, wrapped in a `google.protobuf.Any`. The
numbers of the fields are those of the specification:
https://github.com/google/cel-spec/tree/master/proto/cel/expr
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# Any.value, CheckedExpr.expr and CheckedExpr.source_info.
ANY_VALUE, CHECKED_EXPR, CHECKED_SOURCE_INFO = 2, 4, 5
# SourceInfo.positions, a map from the id of an expression to its offset in code points.
POSITIONS: Final = 4
EXPR_ID, SELECT, CALL, LIST, STRUCT, COMPREHENSION = 2, 5, 6, 7, 8, 9
ENTRIES: Final = 2
VARINT, LENGTH_DELIMITED, FIXED_SIZES = 0, 2, {1: 8, 5: 4}
# The fields that hold expressions.
OPERANDS: Final = {SELECT: (1,), CALL: (1, 3), LIST: (1,)}
ENTRY_OPERANDS: Final = (3, 4)
LIST_OF_COMPREHENSION: Final = (2, 4)
LOOP_OF_COMPREHENSION: Final = (5, 6, 7)

Field = tuple[int, int | bytes]


@dataclass(frozen=True, slots=True)
class Iteration:
    """A call that goes through a list: `all`, `exists`, `exists_one`, `filter` or `map`."""

    offset: int
    is_nested: bool


def iterations(serialized: bytes) -> list[Iteration]:
    """In the order in which they stand in the text."""
    checked = _message(serialized, ANY_VALUE)
    offsets = _offsets(_message(checked, CHECKED_SOURCE_INFO))
    found = []
    # A list instead of recursion: an expression can be nested deeply.
    rest = [(_message(checked, CHECKED_EXPR), False)]
    while rest:
        expression, is_inside = rest.pop()
        fields = dict(_fields(expression))
        for kind, value in fields.items():
            if not isinstance(value, bytes):
                continue
            if kind in OPERANDS:
                rest += ((inner, is_inside) for inner in _messages(value, OPERANDS[kind]))
            elif kind == STRUCT:
                for entry in _messages(value, (ENTRIES,)):
                    rest += ((inner, is_inside) for inner in _messages(entry, ENTRY_OPERANDS))
            elif kind == COMPREHENSION:
                identity = fields.get(EXPR_ID, 0)
                assert isinstance(identity, int)
                found.append(Iteration(offsets.get(identity, 0), is_inside))
                rest += ((inner, is_inside) for inner in _messages(value, LIST_OF_COMPREHENSION))
                rest += ((inner, True) for inner in _messages(value, LOOP_OF_COMPREHENSION))
    return sorted(found, key=lambda iteration: iteration.offset)


def _offsets(source_info: bytes) -> dict[int, int]:
    entries = (dict(_fields(entry)) for entry in _messages(source_info, (POSITIONS,)))
    return {int(entry.get(1, 0)): int(entry.get(2, 0)) for entry in entries}


def _message(message: bytes, number: int) -> bytes:
    return next(_messages(message, (number,)), b"")


def _messages(message: bytes, numbers: tuple[int, ...]) -> Iterator[bytes]:
    for number, value in _fields(message):
        if number in numbers and isinstance(value, bytes):
            yield value


def _fields(message: bytes) -> Iterator[Field]:
    """The fields of a message in the wire format: https://protobuf.dev/programming-guides/encoding/"""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, value
        elif kind == LENGTH_DELIMITED:
            length, at = _varint(message, at)
            yield number, message[at : at + length]
            at += length
        else:
            # Numbers of a fixed size: only constants have them.
            at += FIXED_SIZES[kind]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at
