import pytest

from local.trigger_platform.errors import PlatformError
from local.trigger_platform.models import JsonObject
from local.trigger_platform.run_metadata import apply_operations


@pytest.mark.parametrize(
    ("before", "operation", "after"),
    [
        ({}, {"type": "set", "key": "step", "value": "done"}, {"step": "done"}),
        ({"a": {}}, {"type": "set", "key": "$.a.b", "value": 1}, {"a": {"b": 1}}),
        ({"a.b": 1}, {"type": "delete", "key": "a.b"}, {}),
        ({}, {"type": "append", "key": "list", "value": 1}, {"list": [1]}),
        ({"list": [1]}, {"type": "append", "key": "list", "value": 2}, {"list": [1, 2]}),
        ({"list": 1}, {"type": "append", "key": "list", "value": 2}, {"list": [1, 2]}),
        ({"list": [1, 2, 1]}, {"type": "remove", "key": "list", "value": 1}, {"list": [2]}),
        ({"n": 1}, {"type": "increment", "key": "n", "value": -2}, {"n": -1}),
        ({"n": "x"}, {"type": "increment", "key": "n", "value": 2}, {"n": 2}),
        ({"old": 1}, {"type": "update", "value": {"new": 1}}, {"new": 1}),
    ],
)
def test_an_operation_changes_the_metadata(
    before: JsonObject, operation: JsonObject, after: JsonObject
) -> None:
    assert apply_operations(before, [operation]) == after


@pytest.mark.parametrize(
    "operation",
    [
        {"type": "remove", "key": "text", "value": "a"},
        {"type": "set", "key": "$.text.below", "value": 1},
        {"type": "set", "key": "$.", "value": 1},
        {"type": "set", "key": "__proto__", "value": 1},
        {"type": "unheard-of", "key": "text"},
    ],
)
def test_an_invalid_operation_changes_nothing(operation: JsonObject) -> None:
    assert apply_operations({"text": "a"}, [operation]) == {"text": "a"}


def test_the_given_metadata_is_left_alone() -> None:
    before: JsonObject = {"list": [1]}
    apply_operations(before, [{"type": "append", "key": "list", "value": 2}])
    assert before == {"list": [1]}


def test_metadata_beyond_its_limit_is_refused() -> None:
    with pytest.raises(PlatformError) as refused:
        apply_operations({}, [{"type": "set", "key": "big", "value": "x" * 262_144}])
    assert refused.value.status == 413
