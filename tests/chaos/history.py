"""The history of a campaign in plain values, so that the oracle needs no stack and tests can invent one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

Place = tuple[int, int]
"""Position of a step and index of a chunk."""


@dataclass(frozen=True)
class Chunk:
    position: int
    index: int
    content: str
    record_ids: tuple[str, ...]
    written_at: datetime


@dataclass(frozen=True)
class Step:
    position: int
    slug: str
    status: str
    chunk_count: int
    chunks_written: int
    records_in: int
    records_added: int
    records_out: int
    records_rejected: int
    records_dropped: int


@dataclass(frozen=True)
class Run:
    """`case` names its records and blueprint. `statuses` are the ones that the watcher saw, in order."""

    id: str
    case: str
    status: str
    error_code: str | None
    record_count: int
    statuses: tuple[str, ...]
    cancel_confirmed: bool
    started_at: datetime | None
    finished_at: datetime | None
    restart_count: int
    steps: tuple[Step, ...]
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True)
class Delivery:
    """A request that reached the receiver in full, whatever the answer."""

    run_id: str
    key: str
    content: str
    record_ids: tuple[str, ...]
    answer: str
    is_signed: bool

    @property
    def is_acknowledged(self) -> bool:
        """Whether the sender learned the status 200. The rest of the answer does not count."""
        return self.answer in ("ok", "slow", "truncated")


@dataclass(frozen=True)
class Fault:
    kind: str
    at: datetime
    back_at: datetime | None = None
    """When the killed part answered again."""


@dataclass(frozen=True)
class History:
    accepted: Mapping[str, str]
    """The case of each run that the API accepted, by run id."""
    runs: Sequence[Run]
    deliveries: Sequence[Delivery]
    undisturbed: Mapping[str, Mapping[Place, str]]
    """The content of each chunk that a run of the case writes without faults, by case."""
    faults: Sequence[Fault] = ()
    repairs: Mapping[str, int] = field(default_factory=dict)
    """How often the reconciler made each repair, from the audit log."""
    surprises: Sequence[str] = ()
    """Answers of the API that no outage explains."""
