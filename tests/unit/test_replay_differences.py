"""The first difference between two chunks is described so that a person can find it."""

from __future__ import annotations

import json

import pytest

from local.replay.differences import first_difference
from local.replay.recorded import ComparedChunk, Part

Records = list[dict[str, object]]


def compared(recorded: str, replayed: str, *, name: str = "records") -> ComparedChunk:
    return ComparedChunk("aa", "bb", (Part("records", "[]", "[]"), Part(name, recorded, replayed)))


def record(id: str, **data: object) -> dict[str, object]:
    return {"id": id, "data": data}


@pytest.mark.parametrize(
    ("recorded", "replayed", "named"),
    [
        ([record("1", a=1)], [record("1", a=2)], "records, record 1, data.a: recorded 1, now 2"),
        ([record("1", a=1)], [record("1", a="1")], 'records, record 1, data.a: recorded 1, now "1"'),
        ([record("1", a=True)], [record("1", a=1)], "records, record 1, data.a: recorded true, now 1"),
        ([record("1", a=None)], [record("1")], "records, record 1, data.a: recorded null, now nothing"),
        ([record("1")], [record("1", b=[])], "records, record 1, data.b: recorded nothing, now []"),
        (
            [record("1", a=[{"b": 1}, {"b": 2}])],
            [record("1", a=[{"b": 1}, {"b": 3}])],
            "records, record 1, data.a[1].b: recorded 2, now 3",
        ),
        ([record("1"), record("2")], [record("2")], "records: record 1 was here, now it is record 2"),
        ([record("1"), record("2")], [record("1")], "records: record 2 is recorded, now it is missing"),
        ([record("1")], [record("1"), record("2")], "records: record 2 is new"),
    ],
)
def test_a_difference_is_named(recorded: Records, replayed: Records, named: str) -> None:
    assert first_difference(compared(json.dumps(recorded), json.dumps(replayed))) == named


def test_a_number_written_in_another_way_is_a_difference() -> None:
    before, now = '[{"id": "1", "data": {"a": 1.0}}]', '[{"id": "1", "data": {"a": 1.00}}]'
    named = first_difference(compared(before, now))
    assert named == "records, record 1, data.a: recorded 1.0, now 1.00"


def test_a_long_value_is_cut() -> None:
    named = first_difference(
        compared(json.dumps([record("1", a="x" * 500)]), json.dumps([record("1", a="")]))
    )
    assert len(named) < 200
    assert "…" in named


def test_a_recorded_hash_that_does_not_fit_its_content_is_named() -> None:
    chunk = compared("[]", "[]")
    assert not chunk.is_identical
    assert first_difference(chunk) == "the content is the same, its recorded hash is not: aa, now bb"
