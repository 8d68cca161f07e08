"""Groups of tests for `pytest -n auto`, which runs three lanes side by side.

A group stays in one lane, where its tests share a stack. It is a folder, or a file that shares nothing with
its folder. pytest-xdist has groups too, but its 3.8 does not see them under pytest 9.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

# Two cores carry three: a lane mostly waits for processes, for a moment to come, or for an answer.
LANES = 3
# The lanes take the groups in this order: long ones first, groups that wait beside groups that compute. Other
# groups follow.
_ORDER = (
    "database/test_interleavings.py",
    "chaos/test_short_campaign.py",
    "end_to_end",
    "siege",
    "isolation/test_isolation.py",
    "database",
    "unit",
    "demo",
    "platform/test_with_cli.py",
    "fuzz",
    "local_stack",
    "isolation",
    "platform",
)


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]
    def __init__(self, config: pytest.Config, log: object) -> None:
        config.option.loadscopereorder = False  # would be by the number of tests
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def place(item: pytest.Item) -> tuple[int, bool]:
    """Sorts tests by group. Within a group long tests come first: a lane that has two tests left already
    takes the next group, which then waits for them."""
    group = _group(item.nodeid)
    return _ORDER.index(group) if group in _ORDER else len(_ORDER), item.get_closest_marker("long") is None


def _group(nodeid: str) -> str:
    path = nodeid.partition("::")[0].removeprefix("tests/")
    return path if path in _ORDER else path.partition("/")[0]
