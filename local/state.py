"""The state of a stack, kept in its folder: its phase, its owner and its processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from local.ports import DEFAULT_PORT_BASE
from local.private_file import write_private
from local.processes import Identity
from local.settings import Scope

Phase = Literal["starting", "ready", "stopped", "failed"]


@dataclass(frozen=True)
class StackState:
    phase: Phase
    owner: Identity
    scope: Scope
    port_base: int
    processes: dict[str, Identity] = field(default_factory=dict)
    reason: str | None = None

    @property
    def running(self) -> bool:
        return self.phase in ("starting", "ready") and self.owner.alive()


def read_state(directory: Path) -> StackState | None:
    """The last state, or None if no stack was ever started in the folder."""
    path = _path(directory)
    if not path.exists():
        return None
    state = json.loads(path.read_text())
    owner = Identity(**state.pop("owner"))
    processes = {name: Identity(**identity) for name, identity in state.pop("processes").items()}
    return StackState(owner=owner, processes=processes, **state)


def port_base_of(directory: Path) -> int:
    """The port base of the stack that was last started in the folder, else the default."""
    state = read_state(directory)
    return DEFAULT_PORT_BASE if state is None else state.port_base


def write_state(directory: Path, state: StackState) -> None:
    write_private(_path(directory), json.dumps(asdict(state), indent=2) + "\n")


def _path(directory: Path) -> Path:
    return directory / "state.json"
