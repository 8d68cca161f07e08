"""A finished run as the database recorded it, and the comparison of its chunks with replayed ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from local.errors import StackError

Json = dict[str, Any]

# The chunks of a reused step are those of the earlier run, which may itself have reused the step.
_RUN = """
    with recursive recorded as (
        select sr.id, sr.position, sr.id as recorded_id, sr.reused_from
        from public.step_results sr
        where sr.pipeline_run_id = %(run_id)s
        union all
        select r.id, r.position, sr.id, sr.reused_from
        from recorded r
        join public.step_results sr on sr.id = r.reused_from
    ),
    steps as (
        select r.position, jsonb_build_object(
            'recorded_id', r.recorded_id, 'skip_reason', own.skip_reason, 'chunk_count', own.chunk_count,
            'recorded_chunks', (
                select coalesce(jsonb_agg(c.chunk_index order by c.chunk_index), '[]')
                from public.step_result_chunks c
                where c.step_result_id = r.recorded_id
            )
        ) as step
        from recorded r
        join public.step_results own on own.id = r.id
        where r.reused_from is null
    )
    select r.finished_at is not null, r.status::text, r.blueprint_snapshot ->> 'name', r.blueprint_version,
        jsonb_set(private.work_of(r), '{steps}', (
            select jsonb_agg(w.step || s.step order by s.position)
            from jsonb_array_elements(private.work_of(r) -> 'steps') w (step)
            join steps s on s.position = (w.step ->> 'position')::int
        ))
    from public.pipeline_runs r
    where r.id = %(run_id)s
"""

# All three parts as the text that the database writes: the recorded hash is the hash of that text.
_CHUNK = """
    with replayed as (
        select %(records)s::jsonb as records, %(rejected)s::jsonb as rejected, %(dropped)s::jsonb as dropped
    )
    select
        encode(c.content_hash, 'hex'),
        encode(private.content_hash(p.records::text, p.rejected::text, p.dropped::text), 'hex'),
        c.records::text, p.records::text, c.dropped::text, p.dropped::text,
        (
            select coalesce(jsonb_agg(jsonb_build_object(
                'id', j.record_id, 'reason', j.reason, 'message', j.message, 'details', j.details
            ) order by j.id), '[]')::text
            from public.rejected_records j
            where j.step_result_id = c.step_result_id and j.chunk_index = c.chunk_index
        ),
        (
            select coalesce(jsonb_agg('{"details": {}}'::jsonb || j.item order by j.place), '[]')::text
            from jsonb_array_elements(p.rejected) with ordinality j (item, place)
        )
    from public.step_result_chunks c, replayed p
    where c.step_result_id = %(recorded_id)s and c.chunk_index = %(chunk_index)s
"""


@dataclass(frozen=True)
class RecordedRun:
    status: str
    blueprint: str  # its name
    blueprint_version: int
    work: Json  # {pipeline_run, steps}, as trigger/src/scripts/replay/recorded-run.ts takes it

    @property
    def steps(self) -> list[Json]:
        steps: list[Json] = self.work["steps"]
        return steps


@dataclass(frozen=True)
class Part:
    """One of the three lists of a chunk, as JSON text written by the database."""

    name: str  # records, rejected, dropped
    recorded: str
    replayed: str


@dataclass(frozen=True)
class ComparedChunk:
    recorded_hash: str
    replayed_hash: str
    parts: tuple[Part, ...]

    @property
    def is_identical(self) -> bool:
        """Whether the content and the hash recorded with it are both equal."""
        return self.recorded_hash == self.replayed_hash and all(
            part.recorded == part.replayed for part in self.parts
        )


class Records:
    """A read-only connection to the database, as its owner."""

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg.connect(
            database_url, autocommit=True, options="-c default_transaction_read_only=on"
        )

    def close(self) -> None:
        self._connection.close()

    def run(self, run_id: UUID) -> RecordedRun:
        """The run. Raises StackError if it does not exist or has not ended."""
        row = self._connection.execute(_RUN, {"run_id": run_id}).fetchone()
        if row is None:
            raise StackError(f"There is no pipeline run {run_id}.")
        is_finished, status, blueprint, version, work = row
        if not is_finished:
            raise StackError(f"Run {run_id} is {status}. Only a run that has ended can be replayed.")
        return RecordedRun(status, blueprint, version, work)

    def compare(self, recorded_id: str, chunk: Json) -> ComparedChunk:
        """Compares a replayed chunk: {chunk_index, records, rejected, dropped}."""
        row = self._connection.execute(
            _CHUNK,
            {
                "recorded_id": recorded_id,
                "chunk_index": chunk["chunk_index"],
                **{name: json.dumps(chunk[name]) for name in ("records", "rejected", "dropped")},
            },
        ).fetchone()
        assert row is not None, "only recorded chunks are replayed"
        recorded_hash, replayed_hash, records, new_records, dropped, new_dropped, rejected, new_rejected = row
        return ComparedChunk(
            recorded_hash,
            replayed_hash,
            (
                Part("records", records, new_records),
                Part("rejected", rejected, new_rejected),
                Part("dropped", dropped, new_dropped),
            ),
        )
