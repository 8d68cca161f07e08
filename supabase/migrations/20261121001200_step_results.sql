-- Step results: status, input, counts, error and times of each step of a run.
--
-- The counts are the ledger, which must balance: see …_ledger.sql.

create type public.step_result_status as enum ('pending', 'running', 'succeeded', 'failed', 'cancelled', 'skipped');
comment on type public.step_result_status is 'pending → running → succeeded | failed | cancelled; pending → skipped.';

create type public.skip_reason as enum ('condition', 'run_failed', 'run_cancelled');
comment on type public.skip_reason is 'Why a step did not run: its run_if was false, or the run ended before its turn.';

create function private.is_warnings(p_warnings jsonb) returns boolean
language plpgsql immutable set search_path = '' as $$
declare
    v_warning jsonb;
begin
    if jsonb_typeof(p_warnings) is distinct from 'array' or jsonb_array_length(p_warnings) > 20 then
        return false;
    end if;
    for v_warning in select w.value from jsonb_array_elements(p_warnings) w loop
        if jsonb_typeof(v_warning) <> 'object' or v_warning - '{code,message,details}'::text[] <> '{}'
            or jsonb_typeof(v_warning -> 'code') is distinct from 'string'
            or v_warning ->> 'code' !~ '^[a-z][a-z0-9_]{0,62}$'
            or jsonb_typeof(v_warning -> 'message') is distinct from 'string'
            or length(v_warning ->> 'message') not between 1 and 500
            or jsonb_typeof(v_warning -> 'details') is distinct from 'object'
            -- In this order: a few bytes of jsonb can be a number of 131,000 digits as text.
            or pg_column_size(v_warning -> 'details') > 32768
        then
            return false;
        end if;
        if exists (
            select from jsonb_path_query(v_warning -> 'details', 'strict $.** ? (@.type() == "number")') n
            where not private.is_double(n::numeric)
        ) then
            return false;
        end if;
        if octet_length((v_warning -> 'details')::text) > 4096 then
            return false;
        end if;
    end loop;
    return true;
end;
$$;
comment on function private.is_warnings is
    'Whether a value is a list of at most 20 warnings: {"code": snake_case, "message": at most 500 characters, '
    '"details": an object of at most 4 kB}.';

create function private.is_column_uses(p_columns jsonb) returns boolean
language plpgsql immutable set search_path = '' as $$
declare
    v_column jsonb;
begin
    if jsonb_typeof(p_columns) is distinct from 'array' or jsonb_array_length(p_columns) > 2000 then
        return false;
    end if;
    for v_column in select c.value from jsonb_array_elements(p_columns) c loop
        if jsonb_typeof(v_column) <> 'object' or v_column - '{name,field}'::text[] <> '{}'
            or jsonb_typeof(v_column -> 'name') is distinct from 'string'
            or length(v_column ->> 'name') not between 1 and 255
            or coalesce(jsonb_typeof(v_column -> 'field'), '') not in ('string', 'null')
            or length(v_column ->> 'field') not between 1 and 255
        then
            return false;
        end if;
    end loop;
    return true;
end;
$$;
comment on function private.is_column_uses is
    'Whether a value is a list of at most 2,000 columns and the fields that took them: {"name", "field": text or null}.';

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
    warnings jsonb not null default '[]' check (private.is_warnings(warnings)),
    columns jsonb check (columns is null or private.is_column_uses(columns)),
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
    -- All three refer to step results of the same submission, and are deleted with it.
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
comment on column public.step_results.chunk_count is
    'Chunks that the step has to write: one for each of the submission.';
comment on column public.step_results.input_step_result_id is
    'The step result whose output is this one''s input, set when the step starts; null: the submission''s chunks.';
comment on column public.step_results.reused_from is
    'The step result of an earlier run that finished the step: its chunks count as this one''s.';
comment on column public.step_results.resumed_from is
    'The step result of an earlier run that began the step: this one keeps its input, and starts with a copy of its '
    'chunks.';
comment on column public.step_results.delivery_key is
    'Identifies the deliveries of the step. Retries of the run keep it.';
comment on column public.step_results.warnings is
    'What people should check although the step succeeded: [{code, message, details}].';
comment on column public.step_results.columns is
    'Which input column became which field of the step: [{name, field}], field null for none. Null if the step does '
    'not report it.';
comment on column public.step_results.reading_ms is
    'Time spent waiting for chunks, measured by the worker that ended the step; null if none did.';
comment on column public.step_results.processing_ms is 'Time spent in the step itself, measured likewise.';
comment on column public.step_results.writing_ms is
    'Time spent waiting for writes to be acknowledged, measured likewise.';
comment on column public.step_results.attempt is 'How often a worker has started the step.';

create index step_results_org_id_company_id_idx on public.step_results (org_id, company_id, pipeline_run_id);
create index step_results_input_idx on public.step_results (org_id, company_id, input_step_result_id)
where input_step_result_id is not null;
create index step_results_reused_from_idx on public.step_results (org_id, company_id, reused_from)
where reused_from is not null;
create index step_results_resumed_from_idx on public.step_results (org_id, company_id, resumed_from)
where resumed_from is not null;

alter table public.step_results enable row level security;

create policy step_results_select_visible on public.step_results for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);

-- No write grant at all: only the worker functions write step results.
grant select on public.step_results to authenticated;

create function private.share_done(p_step_result public.step_results) returns numeric
language sql immutable set search_path = '' as $$
    select case
        when p_step_result.status = 'succeeded' then 1
        -- The run has gone on without it.
        when p_step_result.skip_reason = 'condition' then 1
        when p_step_result.status = 'failed' and p_step_result.continue_on_error then 1
        -- Truncated, not rounded: only a finished step is 1.
        else trunc(p_step_result.chunks_written::numeric / greatest(p_step_result.chunk_count, 1), 4)
    end;
$$;
comment on function private.share_done is
    'The share of a step that is done, 0 to 1, by its chunks. A step that the run passes over is done.';
grant execute on function private.share_done to authenticated;

create function private.step_result_json(p_step_result public.step_results) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    -- Up to now while it runs. By the clock: now() stands still within a transaction.
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
    'A step result as clients and tasks see it, with progress, duration and records per second.';
grant execute on function private.step_result_json to authenticated;

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
    'The step result whose chunks a step takes if it starts now: the nearest one before it that succeeded, null for '
    'the submission. A step that an earlier run began keeps its input, so that its chunks do not mix two.';
grant execute on function private.input_step_result_id to authenticated;
