"""Test processes that run at once never draw the same ports."""

from __future__ import annotations

import subprocess
import sys

from local.settings import ROOT
from tests.support.stack import free_port_base

DRAW_FROM = """
import sys
from tests.support import stack
stack._PORT_BASES = range(int(sys.argv[1]), int(sys.argv[2]), 10)
print(stack.free_port_base())
"""


def draw(first: int, stop: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DRAW_FROM, str(first), str(stop)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_ports_that_one_process_has_drawn_are_not_drawn_by_another() -> None:
    base = free_port_base()
    refused = draw(base, base + 10)
    assert refused.returncode == 1
    assert "No ten consecutive ports are free" in refused.stderr
    assert free_port_base() != base
