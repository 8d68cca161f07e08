"""What a stack's folder tells about it: who runs it, which processes, how far it is."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

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
    """The last state that was written, or None for a folder that never held a stack."""
    path = _path(directory)
    if not path.exists():
        return None
    state = json.loads(path.read_text())
    owner = Identity(**state.pop("owner"))
    processes = {name: Identity(**identity) for name, identity in state.pop("processes").items()}
    return StackState(owner=owner, processes=processes, **state)


def write_state(directory: Path, state: StackState) -> None:
    """Replaces the state at once, so that a reader never sees half of it."""
    path = _path(directory)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(state), indent=2) + "\n")
    os.replace(fresh, path)


def _path(directory: Path) -> Path:
    return directory / "state.json"
