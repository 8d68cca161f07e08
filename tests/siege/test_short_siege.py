"""The short form of `make siege`: some seconds of each attack that needs few requests.

Other tests may keep the machine busy, so the margins are wide. Before there were limits, these attacks made
the neighbour wait a hundred times as long, or took gigabytes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.siege.attacks import BOMBS
from tests.siege.campaign import Plan, play
from tests.siege.measured import Targets
from tests.siege.report import misses, report

PLAN = Plan(
    quiet_seconds=10, attack_seconds=4, settle_seconds=10, attacks=tuple(attack.name for attack in BOMBS)
)
TARGETS = Targets(request_factor=5, request_floor=1.0, run_factor=5, run_floor=30, loop_delay=0.5)


@pytest.mark.long
def test_one_tenant_does_not_take_the_other_down(tmp_path: Path) -> None:
    measured = play(tmp_path / "stack", PLAN)
    told = report(measured)
    print(told)
    assert not list(misses(measured, TARGETS)), told
