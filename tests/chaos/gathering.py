"""Gathers the history of a campaign from the database."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.chaos.history import Chunk, Delivery, Fault, History, Place, Run, Step
from tests.support.tenants import Org

_CHUNKS = """
select r.id::text as run_id, s.position, c.chunk_index as index, encode(c.content_hash, 'hex') as content,
    array(select e ->> 'id' from jsonb_array_elements(c.records) e) as record_ids, c.created_at as written_at
from public.pipeline_runs r
join public.step_results s on s.pipeline_run_id = r.id
join public.step_result_chunks c on c.step_result_id = s.id
where r.id = any (%(runs)s::uuid[])
"""
_STEPS = """
select pipeline_run_id::text as run_id, position, slug, status::text, chunk_count, chunks_written, records_in,
    records_added, records_out, records_rejected, records_dropped
from public.step_results where pipeline_run_id = any (%(runs)s::uuid[]) order by position
"""
_RUNS = """
select id::text, status::text, error ->> 'code' as error_code, record_count, started_at, finished_at,
    restart_count
from public.pipeline_runs where org_id = %(org)s order by created_at
"""
_REPAIRS = """
select after ->> 'repair' as repair, count(*) as times from public.audit_log
where org_id = %(org)s and entity = 'pipeline_runs' and action = 'reconciled' group by 1
"""
# A worker renews its lease of a minute every five seconds: with less than 45 seconds left, nobody renews it.
# The reconciler asks Trigger.dev about longer leases anyway.
_FORWARD = """
update public.pipeline_runs
set lease_expires_at = case
        when lease_expires_at < now() + interval '45 seconds'
            then least(lease_expires_at, now() - interval '1 second')
        else lease_expires_at
    end,
    dispatched_at = case
        when dispatched_at < now() - interval '15 seconds' then dispatched_at - interval '2 minutes'
        else dispatched_at
    end
where org_id = %s and finished_at is null
"""


def contents(database_url: str, run_ids: Sequence[str]) -> dict[str, dict[Place, str]]:
    """The content hash of each chunk, by run and place."""
    found: dict[str, dict[Place, str]] = defaultdict(dict)
    for row in _rows(database_url, _CHUNKS, runs=list(run_ids)):
        found[row["run_id"]][row["position"], row["index"]] = row["content"]
    return found


def bring_forward(database_url: str, org: Org) -> None:
    """Ends leases that no worker renews, and ages dispatches by two minutes, as if the time had passed."""
    with psycopg.connect(database_url, connect_timeout=5) as connection:
        connection.execute(_FORWARD, (org.id,))


def gather(
    database_url: str,
    org: Org,
    *,
    accepted: Mapping[str, str],
    statuses: Mapping[str, Sequence[str]],
    cancelled: set[str],
    deliveries: Sequence[Delivery],
    undisturbed: Mapping[str, Mapping[Place, str]],
    faults: Sequence[Fault],
    surprises: Sequence[str],
) -> History:
    runs = _rows(database_url, _RUNS, org=org.id)
    run_ids = [run["id"] for run in runs]
    steps: dict[str, list[Step]] = defaultdict(list)
    for row in _rows(database_url, _STEPS, runs=run_ids):
        steps[row.pop("run_id")].append(Step(**row))
    chunks: dict[str, list[Chunk]] = defaultdict(list)
    for row in _rows(database_url, _CHUNKS, runs=run_ids):
        chunks[row.pop("run_id")].append(Chunk(**{**row, "record_ids": tuple(row["record_ids"])}))
    return History(
        accepted=accepted,
        runs=[
            Run(
                **run,
                case=accepted.get(run["id"], ""),
                statuses=tuple(statuses.get(run["id"], ())),
                cancel_confirmed=run["id"] in cancelled,
                steps=tuple(steps[run["id"]]),
                chunks=tuple(chunks[run["id"]]),
            )
            for run in runs
        ],
        deliveries=list(deliveries),
        undisturbed=undisturbed,
        faults=list(faults),
        repairs=Counter({row["repair"]: row["times"] for row in _rows(database_url, _REPAIRS, org=org.id)}),
        surprises=list(surprises),
    )


def _rows(database_url: str, statement: str, **parameters: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        return connection.execute(statement.encode(), parameters).fetchall()
