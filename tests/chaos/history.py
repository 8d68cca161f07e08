"""What was seen of a campaign: plain values, so that the oracle needs no stack and a test can invent it."""

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
    """`case` names its records and its blueprint; `statuses` are those that were seen, in order."""

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
    """A request that reached the receiver whole, however it was answered."""

    run_id: str
    key: str
    content: str
    record_ids: tuple[str, ...]
    answer: str
    is_signed: bool

    @property
    def is_acknowledged(self) -> bool:
        """Whether its sender learned the status, a 200. The rest of an answer counts for nothing."""
        return self.answer in ("ok", "slow", "truncated")


@dataclass(frozen=True)
class Fault:
    kind: str
    at: datetime
    back_at: datetime | None = None
    """When the part that was killed answered again."""


@dataclass(frozen=True)
class History:
    accepted: Mapping[str, str]
    """Case of each run that the API has accepted, by the run's id."""
    runs: Sequence[Run]
    deliveries: Sequence[Delivery]
    undisturbed: Mapping[str, Mapping[Place, str]]
    """Content of each chunk of a case that nothing disturbed."""
    faults: Sequence[Fault] = ()
    repairs: Mapping[str, int] = field(default_factory=dict)
    """How often the reconciler repaired what, from the audit log."""
    surprises: Sequence[str] = ()
    """Answers of the API that no outage explains."""
