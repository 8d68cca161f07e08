-- Step results: what each step of a run did, in chunks, with a ledger that must balance.
--
-- records_in + records_added = records_out + records_rejected + records_dropped, counted from the ids that were
-- written: for every record of an input chunk, the output chunk says where it went.

create type public.step_result_status as enum ('pending', 'running', 'succeeded', 'failed', 'cancelled', 'skipped');
comment on type public.step_result_status is 'pending → running → succeeded | failed | cancelled; pending → skipped.';

create type public.skip_reason as enum ('condition', 'run_failed', 'run_cancelled');
comment on type public.skip_reason is 'Why a step did not run: its run_if was false, or the run ended before its turn.';

create table public.step_results (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null,
    company_id uuid not null,
    pipeline_run_id uuid not null,
    position int not null,
    slug text not null,
    version text not null,
    execution_mode public.execution_mode not null,
    status public.step_result_status not null default 'pending',
    skip_reason public.skip_reason,
    continue_on_error boolean not null default false,
    input_step_result_id uuid,
    reused_from uuid,
    resumed_from uuid,
    delivery_key text not null check (delivery_key ~ '^[0-9a-f]{32}$'),
    attempt int not null default 0,
    chunk_count int not null,
    chunks_written int not null default 0,
    records_in int not null default 0,
    records_added int not null default 0,
    records_out int not null default 0,
    records_rejected int not null default 0,
    records_dropped int not null default 0,
    error jsonb,
    reading_ms int check (reading_ms >= 0),
    processing_ms int check (processing_ms >= 0),
    writing_ms int check (writing_ms >= 0),
    started_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz not null default now(),
    unique (pipeline_run_id, position),
    unique (org_id, company_id, id),
    foreign key (org_id, company_id, pipeline_run_id)
        references public.pipeline_runs (org_id, company_id, id) on delete cascade,
    -- All three point into the same submission, and go with it.
    foreign key (org_id, company_id, input_step_result_id)
        references public.step_results (org_id, company_id, id) on delete cascade,
    foreign key (org_id, company_id, reused_from)
        references public.step_results (org_id, company_id, id) on delete cascade,
    foreign key (org_id, company_id, resumed_from)
        references public.step_results (org_id, company_id, id) on delete cascade,
    check (records_in + records_added = records_out + records_rejected + records_dropped),
    check ((status = 'failed') = (error is not null)),
    check ((status = 'skipped') = (skip_reason is not null)),
    check (reused_from is null or status = 'succeeded')
);
comment on table public.step_results is 'Status, ledger, error and timing of one step in one run.';
comment on column public.step_results.chunk_count is 'Chunks that the step will have written when it is done: one for each of the submission.';
comment on column public.step_results.input_step_result_id is 'Whose output chunks are the step''s input, set when it starts; null: the submission''s chunks.';
comment on column public.step_results.reused_from is 'The step result of an earlier run that did the step: its chunks stand for this one''s own.';
comment on column public.step_results.resumed_from is 'The step result of an earlier run that had begun the step: this one keeps its input, and begins with a copy of its chunks.';
comment on column public.step_results.delivery_key is 'What deliveries of the step name themselves by. Retries of the run have the same.';
comment on column public.step_results.reading_ms is 'Waited for chunks to arrive, as the worker measured that ended the step; null when none did.';
comment on column public.step_results.processing_ms is 'Spent in the step itself, measured likewise.';
comment on column public.step_results.writing_ms is 'Waited for written chunks to be acknowledged, measured likewise.';
comment on column public.step_results.attempt is 'How often a worker has started the step.';

create index step_results_org_id_company_id_idx on public.step_results (org_id, company_id, pipeline_run_id);
create index step_results_input_idx on public.step_results (org_id, company_id, input_step_result_id) where input_step_result_id is not null;
create index step_results_reused_from_idx on public.step_results (org_id, company_id, reused_from) where reused_from is not null;
create index step_results_resumed_from_idx on public.step_results (org_id, company_id, resumed_from) where resumed_from is not null;

create table public.step_result_chunks (
    org_id uuid not null,
    company_id uuid not null,
    step_result_id uuid not null,
    chunk_index int not null check (chunk_index >= 0),
    records jsonb not null,
    dropped jsonb not null default '[]',
    fields text[] not null,
    records_in int not null,
    records_added int not null,
    records_out int not null,
    records_rejected int not null,
    records_dropped int not null,
    -- SHA-256 over records, rejected and dropped: tells a repeated write from a different one.
    content_hash bytea not null,
    created_at timestamptz not null default now(),
    primary key (step_result_id, chunk_index),
    foreign key (org_id, company_id, step_result_id)
        references public.step_results (org_id, company_id, id) on delete cascade,
    check (records_in + records_added = records_out + records_rejected + records_dropped)
);
comment on table public.step_result_chunks is 'What a step made of one input chunk: records [{"id", "data"}] and dropped [{"id", "reason", "message", "details"}]. Immutable.';
comment on column public.step_result_chunks.fields is 'Field names that occur in the records, sorted.';

create index step_result_chunks_org_id_company_id_idx on public.step_result_chunks (org_id, company_id, step_result_id);

create table public.rejected_records (
    id bigint generated always as identity primary key,
    org_id uuid not null,
    company_id uuid not null,
    submission_id uuid not null,
    step_result_id uuid,
    chunk_index int not null,
    record_id text not null check (length(record_id) between 1 and 100),
    reason text not null check (reason ~ '^[a-z][a-z0-9_]{0,62}$'),
    message text not null check (length(message) <= 10000),
    details jsonb not null default '{}' check (jsonb_typeof(details) = 'object'),
    data jsonb check (jsonb_typeof(data) = 'object' and octet_length(data::text) <= 8388608),
    created_at timestamptz not null default now(),
    foreign key (org_id, company_id, submission_id)
        references public.submissions (org_id, company_id, id) on delete cascade,
    foreign key (org_id, company_id, step_result_id)
        references public.step_results (org_id, company_id, id) on delete cascade
);
comment on table public.rejected_records is 'A record that was refused, with a machine-readable reason: by a step, or at ingestion (step_result_id is null). Immutable.';
comment on column public.rejected_records.data is 'The record as it came in; null when it could not be read.';

create unique index rejected_records_submission_record_idx on public.rejected_records (submission_id, record_id) where step_result_id is null;
create unique index rejected_records_step_result_record_idx on public.rejected_records (step_result_id, chunk_index, record_id) where step_result_id is not null;
create index rejected_records_submission_idx on public.rejected_records (org_id, company_id, submission_id, id);
create index rejected_records_step_result_idx on public.rejected_records (org_id, company_id, step_result_id, id);

alter table public.step_results enable row level security;
alter table public.step_result_chunks enable row level security;
alter table public.rejected_records enable row level security;

create policy step_results_select_visible on public.step_results for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);
create policy step_result_chunks_select_visible on public.step_result_chunks for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);
create policy rejected_records_select_visible on public.rejected_records for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);
-- Clients report what they refused at ingestion, while the submission takes records.
create policy rejected_records_insert_ingestion on public.rejected_records for insert to authenticated
with check (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
    and step_result_id is null
);

-- Step results and their chunks have no write grant at all: only the worker functions write them.
grant select on public.step_results, public.step_result_chunks to authenticated;
grant select, insert (submission_id, chunk_index, record_id, reason, message, details, data)
on public.rejected_records to authenticated;

create function private.share_done(p_step_result public.step_results) returns numeric
language sql immutable set search_path = '' as $$
    select case
        when p_step_result.status = 'succeeded' then 1
        -- The run has gone on without it: nothing of it is left to do.
        when p_step_result.skip_reason = 'condition' then 1
        when p_step_result.status = 'failed' and p_step_result.continue_on_error then 1
        -- Cut off and not rounded: 1 is said of what is done.
        else trunc(p_step_result.chunks_written::numeric / greatest(p_step_result.chunk_count, 1), 4)
    end;
$$;
comment on function private.share_done is 'How much of a step is done, 0 to 1, by its chunks; what the run passes over is done.';
grant execute on function private.share_done to authenticated;

create function private.step_result_json(p_step_result public.step_results) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    -- So far, while it runs. By the clock: in one transaction now() stands still.
    v_seconds numeric := extract(epoch from coalesce(p_step_result.finished_at, clock_timestamp()) - p_step_result.started_at);
begin
    return to_jsonb(p_step_result) - '{org_id,company_id}'::text[] || jsonb_build_object(
        'progress', private.share_done(p_step_result),
        'duration_ms', round(v_seconds * 1000),
        'records_per_second', round(p_step_result.records_in / nullif(v_seconds, 0), 1)
    );
end;
$$;
comment on function private.step_result_json is
    'Step result as clients and tasks see it, with how much is done, how long it took and how many records it took in a second, so far.';
grant execute on function private.step_result_json to authenticated;

create function private.copy_step_results(p_from_run_id uuid, p_to_run_id uuid) returns void
language sql volatile set search_path = '' as $$
    insert into public.step_results (
        org_id, company_id, pipeline_run_id, position, slug, version, execution_mode, chunk_count, continue_on_error, delivery_key,
        status, skip_reason, input_step_result_id, reused_from, resumed_from,
        chunks_written, records_in, records_added, records_out, records_rejected, records_dropped,
        reading_ms, processing_ms, writing_ms, started_at, finished_at
    )
    select sr.org_id, sr.company_id, p_to_run_id, sr.position, sr.slug, sr.version, sr.execution_mode, sr.chunk_count,
        sr.continue_on_error, sr.delivery_key,
        case
            when kept.is_done then 'succeeded'
            when sr.skip_reason = 'condition' then 'skipped'
            else 'pending'
        end::public.step_result_status,
        case when sr.skip_reason = 'condition' then sr.skip_reason end,
        case when kept.is_done then sr.input_step_result_id end,
        case when kept.is_done then coalesce(sr.reused_from, sr.id) end,
        case when not kept.is_done then case when sr.attempt > 0 then sr.id else sr.resumed_from end end,
        sr.chunks_written * kept.share, sr.records_in * kept.share, sr.records_added * kept.share,
        sr.records_out * kept.share, sr.records_rejected * kept.share, sr.records_dropped * kept.share,
        case when kept.is_done then sr.reading_ms end, case when kept.is_done then sr.processing_ms end,
        case when kept.is_done then sr.writing_ms end,
        case when kept.is_done then sr.started_at end,
        case when kept.is_done or sr.skip_reason = 'condition' then sr.finished_at end
    from public.step_results sr
    cross join lateral (select sr.status = 'succeeded' as is_done, (sr.status = 'succeeded')::int as share) kept
    where sr.pipeline_run_id = p_from_run_id;
$$;
comment on function private.copy_step_results is
    'The step results of a retry: what had succeeded has, by reference, and what its condition had skipped stays skipped; the rest is pending, and goes on from what was begun.';

-- Definer: creating a run creates its step results, and no client may write those.
create function private.create_step_results() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if new.retry_of is not null then
        perform private.copy_step_results(new.retry_of, new.id);
        return null;
    end if;
    insert into public.step_results (
        id, org_id, company_id, pipeline_run_id, position, slug, version, execution_mode, chunk_count, continue_on_error, delivery_key
    )
    select named.id, new.org_id, new.company_id, new.id, (s ->> 'position')::int, s ->> 'slug', s ->> 'version',
        (s ->> 'execution_mode')::public.execution_mode, new.chunk_count, (s ->> 'continue_on_error')::boolean,
        replace(named.id::text, '-', '')
    from (
        select gen_random_uuid() as id, e.value as s from jsonb_array_elements(new.blueprint_snapshot -> 'steps') e
    ) named;
    return null;
end;
$$;
comment on function private.create_step_results is
    'Trigger: one pending step result for each step of the snapshot; those of a retry as private.copy_step_results makes them.';

create trigger pipeline_runs_create_step_results after insert on public.pipeline_runs
for each row execute function private.create_step_results();

create function private.success_of_run(p_pipeline_run_id uuid) returns public.pipeline_run_status
language sql stable set search_path = '' as $$
    select case
        when not bool_and(
            sr.status = 'succeeded'
            or (sr.status = 'skipped' and sr.skip_reason = 'condition')
            or (sr.status = 'failed' and sr.continue_on_error)
        ) then null
        when bool_or(sr.status = 'failed') then 'succeeded_with_errors'
        else 'succeeded'
    end::public.pipeline_run_status
    from public.step_results sr
    where sr.pipeline_run_id = p_pipeline_run_id;
$$;
comment on function private.success_of_run is
    'How a run whose steps are as they are now succeeds: succeeded, succeeded_with_errors, or null when it does not.';

-- Definer: ending a run ends its steps, and no client may write those.
create function private.settle_step_results() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if new.status in ('succeeded', 'succeeded_with_errors') then
        if new.status is distinct from private.success_of_run(new.id) then
            perform private.raise_error(409, 'invalid_transition',
                'A run succeeds only when each of its steps has, was skipped by its condition, or may fail; and it succeeds with errors when one did.');
        end if;
        return null;
    end if;
    update public.step_results
    set status = 'skipped',
        skip_reason = case when new.status = 'cancelled' then 'run_cancelled' else 'run_failed' end::public.skip_reason
    where pipeline_run_id = new.id and status = 'pending';
    update public.step_results
    set status = case when new.status = 'cancelled' then 'cancelled' else 'failed' end::public.step_result_status,
        error = case when new.status = 'failed' then coalesce(new.error, '{}') - '{position,slug}'::text[] end
    where pipeline_run_id = new.id and status = 'running';
    return null;
end;
$$;
comment on function private.settle_step_results is
    'Trigger, fail-fast and cancellation: when a run ends otherwise than well, what has not started is skipped and what was running shares its fate. Raises 409 invalid_transition for a success with unfinished steps.';

create trigger pipeline_runs_settle_step_results after update of status on public.pipeline_runs
for each row when (new.status in ('succeeded', 'succeeded_with_errors', 'failed', 'cancelled') and old.status is distinct from new.status)
execute function private.settle_step_results();

create function private.input_step_result_id(p_step_result public.step_results) returns uuid
language sql stable set search_path = '' as $$
    select case
        when p_step_result.resumed_from is not null then (
            select begun.input_step_result_id from public.step_results begun where begun.id = p_step_result.resumed_from
        )
        else (
            select coalesce(before.reused_from, before.id)
            from public.step_results before
            where before.pipeline_run_id = p_step_result.pipeline_run_id and before.position < p_step_result.position
                and before.status = 'succeeded'
            order by before.position desc
            limit 1
        )
    end;
$$;
comment on function private.input_step_result_id is
    'Whose chunks a step that starts now takes: those of the nearest step before it that succeeded, null for the submission''s. A step that an earlier run had begun keeps its input, or it would mix two.';

grant execute on function private.input_step_result_id to authenticated;

create function private.guard_step_result() returns trigger
language plpgsql set search_path = '' as $$
declare
    v_mutable constant text[] :=
        '{status,skip_reason,input_step_result_id,attempt,chunks_written,records_in,records_added,records_out,records_rejected,records_dropped,error,reading_ms,processing_ms,writing_ms,started_at,finished_at}';
    v_written record;
begin
    if (to_jsonb(new) - v_mutable) is distinct from (to_jsonb(old) - v_mutable) or old.finished_at is not null then
        perform private.raise_error(409, 'immutable', 'A finished step result, and what any step result belongs to, cannot be changed.');
    end if;
    if new.status is not distinct from old.status then
        if (new.skip_reason, new.input_step_result_id) is distinct from (old.skip_reason, old.input_step_result_id) then
            perform private.raise_error(409, 'immutable', 'What a step works on is set when it starts.');
        end if;
        return new;
    end if;
    if not (
        (old.status = 'pending' and new.status in ('running', 'skipped'))
        or (old.status = 'running' and new.status in ('succeeded', 'failed', 'cancelled'))
    ) then
        perform private.raise_error(409, 'invalid_transition', format('A step result cannot go from %s to %s.', old.status, new.status));
    end if;
    if new.status = 'running' then
        new.started_at := now();
        new.input_step_result_id := private.input_step_result_id(new);
        return new;
    end if;
    -- Whoever ends the run may have begun before the step, and have waited for it.
    new.finished_at := greatest(now(), new.started_at);
    if new.status = 'succeeded' then
        select count(*) as chunks, coalesce(sum(c.records_in), 0) as records_in,
            coalesce(sum(c.records_added), 0) as records_added, coalesce(sum(c.records_out), 0) as records_out,
            coalesce(sum(c.records_rejected), 0) as records_rejected, coalesce(sum(c.records_dropped), 0) as records_dropped
        into v_written
        from public.step_result_chunks c
        where c.step_result_id = new.id;
        if v_written.chunks <> new.chunk_count then
            perform private.raise_error(409, 'step_incomplete', format('%s of %s chunks are written.', v_written.chunks, new.chunk_count));
        end if;
        new.chunks_written := v_written.chunks;
        new.records_in := v_written.records_in;
        new.records_added := v_written.records_added;
        new.records_out := v_written.records_out;
        new.records_rejected := v_written.records_rejected;
        new.records_dropped := v_written.records_dropped;
    end if;
    return new;
end;
$$;
comment on function private.guard_step_result is
    'Trigger: transitions as in step_result_status, terminal states final, the input set at the start, and success only with every chunk written and the ledger counted from them. Raises 409 immutable, invalid_transition, step_incomplete.';

create trigger step_results_guard before update on public.step_results
for each row execute function private.guard_step_result();
