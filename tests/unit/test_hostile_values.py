"""Hostile values in every field, header and parameter of every endpoint, as the OpenAPI document lists them.

The Data API refuses all calls here, so an answer of 500 or more is a defect of the API.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.loopback import Loopback, rpc_error

# Half surrogate pairs, NUL, digits and depth; text that confuses parsers; values of other types.
HOSTILE_JSON = (
    r'"\ud800"',
    r'"a\udfffb"',
    r'"\u0000"',
    r'{"\ud800": 1}',
    r'{"\u0000": {"\ud83d": "\udc00\ud800"}}',
    '"' + "x" * 60_000 + '"',
    '"\u212a \u202e \ufeff \u0130"',
    '"' + "\\" * 20_000 + '"',
    '"' + "😀" * 10_000 + '"',
    "9" * 5_000,
    "-" + "9" * 100,
    "1e999",
    "-1e-999",
    "NaN",
    "-Infinity",
    "0." + "1" * 5_000,
    "[" * 101 + "]" * 101,
    '{"a":' * 900 + "1" + "}" * 900,
    "[" * 30_000,
    "null",
    "true",
    "[]",
    "{}",
    "[[], {}, null, 1.5]",
    '"2026-02-30T25:61:61+99:99"',
    '"-292277026596-01-01T00:00:00Z"',
    "1e300",
)
HOSTILE_BYTES = (
    *(b'{"a": "\xed\xa0\x80"}', b'{"a": "\xff"}', "{}".encode("utf-16"), b"\x00", b"\xef\xbb\xbf{}", b"{}{}"),
)
HOSTILE_HEADERS = (b"\xff\xfe", b"\xed\xa0\x80", b"x" * 10_000, b"\\ud800", b"a\tb", b"%00", b"0" * 400)
HEADERS = ("Authorization", "X-Request-Id", "traceparent", "Idempotency-Key", "Content-Type", "Origin")


@pytest.fixture
def document(client: TestClient, data_api: Loopback) -> dict[str, Any]:
    data_api.fallback = lambda _: rpc_error(422, "PT422", hint="invalid_request")
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def paths(document: dict[str, Any]) -> list[str]:
    return [path for path in document["paths"] if path.startswith("/v1/") and not path.endswith("/upload")]


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def example(document: dict[str, Any], schema: dict[str, Any]) -> Any:  # noqa: ANN401 (JSON is anything)
    """The smallest value with all the fields that a schema knows."""
    schema = resolved(document, schema)
    if alternatives := schema.get("anyOf"):
        return example(document, alternatives[0])
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        fields = schema.get("properties", {})
        return {name: example(document, inner) for name, inner in fields.items()} or {"a": 1}
    if schema.get("type") == "array":
        return [example(document, schema.get("items", {}))]
    formats = {"uuid": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10", "date-time": "2026-01-01T00:00:00Z"}
    return {"integer": 1, "number": 1.5, "boolean": True}.get(
        schema.get("type", "string"), formats.get(schema.get("format", ""), "abc")
    )


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401
    """Every place of an example in which another value can stand, and one for an unknown field."""
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
        yield (*path, "unknown")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


def with_hostile(value: Any, path: tuple[str | int, ...], hostile: str) -> str:  # noqa: ANN401
    """The JSON text of the example with the hostile text in one place."""
    if not path:
        return hostile
    first, *rest = path
    inner = dict(value) if isinstance(value, dict) else dict(enumerate(value))
    parts = {
        key: json.dumps(item) if key != first else with_hostile(item, tuple(rest), hostile)
        for key, item in inner.items()
    }
    if first not in inner:
        parts[first] = hostile
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{text}" for key, text in parts.items()) + "}"
    return "[" + ",".join(parts.values()) + "]"


def refused(answer: Any) -> None:  # noqa: ANN401 (a response)
    assert answer.status_code < 500, answer.text[:300]
    # Only `auth/context` does what it is asked for: it takes no body.
    assert set(json.loads(answer.content.decode())) == {"data" if answer.status_code == 200 else "error"}


def test_a_hostile_value_in_any_place_of_a_body_is_no_defect(
    client: TestClient, document: dict[str, Any]
) -> None:
    headers = {"Content-Type": "application/json"}
    sent = 0
    for number, path in enumerate(paths(document)):
        content = document["paths"][path]["post"].get("requestBody")
        schema = content["content"]["application/json"]["schema"] if content else {}
        body = example(document, schema)
        for place_number, place in enumerate(places(body)):
            # Every value meets every endpoint, and every place some values: all in all is too many.
            for hostile in HOSTILE_JSON[(number + place_number) % 8 :: 8] if place else HOSTILE_JSON:
                text = with_hostile(body, place, hostile)
                refused(client.post(path, content=text.encode(), headers=headers))
                sent += 1
        for raw in HOSTILE_BYTES:
            refused(client.post(path, content=raw, headers=headers))
    assert sent > 500


def test_a_hostile_header_is_no_defect(client: TestClient, document: dict[str, Any]) -> None:
    for path in ("/v1/companies/create", "/v1/blueprints/create", "/v1/submissions/create"):
        for name in HEADERS:
            for hostile in HOSTILE_HEADERS:
                headers = {b"Content-Type": b"application/json", name.encode(): hostile}
                refused(client.post(path, content=b'{"name": "Acme"}', headers=headers))


def test_a_hostile_path_is_no_defect(client: TestClient, document: dict[str, Any]) -> None:
    for path in ("/v1/%00", "/v1/%ed%a0%80/list", "/v1/" + "a/" * 2_000, "/v1/companies/list?cursor=%00%ff"):
        refused(client.post(path, content=b"{}", headers={"Content-Type": "text/plain"}))
