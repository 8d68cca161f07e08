"""Which conditions can be saved, and which answers the tasks must give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cel_expr_python import cel

from api.run_if import Fault, environment, find_fault

SHARED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "shared/run_if.json").read_text())


def as_json_numbers(value: Any) -> Any:  # noqa: ANN401
    """A number from JSON is a double in a condition."""
    if isinstance(value, dict):
        return {name: as_json_numbers(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_json_numbers(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def answer(expression: str) -> object:
    steps = {}
    for step in SHARED["input"]["steps"]:
        steps[step["position"]] = steps[step["slug"]] = as_json_numbers(step)
    data = {"record": as_json_numbers(SHARED["record"]), "run": as_json_numbers(SHARED["input"]["run"])}
    result = environment().compile(expression).eval(data={**data, "steps": steps})
    return result.value() if result.type() == cel.Type.BOOL else "error"


@pytest.mark.parametrize(("expression", "expected"), SHARED["cases"])
def test_a_condition_can_be_saved_and_gives_the_answer_that_the_tasks_expect(
    expression: str, expected: object
) -> None:
    assert find_fault(expression) is None
    assert answer(expression) == expected


@pytest.mark.parametrize(("expression", "line", "column"), SHARED["invalid"] + SHARED["invalid_when_saved"])
def test_a_faulty_condition_is_refused_with_its_place(expression: str, line: int, column: int) -> None:
    fault = find_fault(expression)
    assert fault is not None
    assert fault.reason
    assert (fault.line, fault.column) == (line, column)


@pytest.mark.parametrize(
    "expression", ["(" * 1000, "[" * 1000, "!" * 1999, "a." * 999 + "b", "\0", '"', "'''"]
)
def test_nonsense_of_any_depth_is_refused(expression: str) -> None:
    assert isinstance(find_fault(expression), Fault)


@pytest.mark.parametrize(
    "expression",
    [
        "record.tags.exists(t, t == '.exists(')",
        "record.tags.exists(t, t == \"it's .map(\") && record.tags.all(t, t != r'.map(\\d')",
        "record.tags.exists(t, t == '''a'.map(\n''')",
        "record.tags.exists(t, t == 'a') // .map(x, y.map(",
        "(record.tags.filter(t, t != '')).exists(t, t == 'a')",
    ],
)
def test_a_call_inside_a_string_or_a_comment_does_not_count(expression: str) -> None:
    assert find_fault(expression) is None
