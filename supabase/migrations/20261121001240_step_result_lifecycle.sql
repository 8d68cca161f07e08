-- The life of a step result: created with its run, moved by the worker, ended at the latest with its run.

create function private.copy_step_results(p_from_run_id uuid, p_to_run_id uuid) returns void
language sql volatile set search_path = '' as $$
    insert into public.step_results (
        org_id, company_id, pipeline_run_id, position, slug, version, execution_mode, chunk_count, continue_on_error,
        delivery_key, status, skip_reason, input_step_result_id, reused_from, resumed_from,
        chunks_written, records_in, records_added, records_out, records_rejected, records_dropped,
        warnings, columns, reading_ms, processing_ms, writing_ms, started_at, finished_at
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
        sr.warnings, sr.columns,
        case when kept.is_done then sr.reading_ms end, case when kept.is_done then sr.processing_ms end,
        case when kept.is_done then sr.writing_ms end,
        case when kept.is_done then sr.started_at end,
        case when kept.is_done or sr.skip_reason = 'condition' then sr.finished_at end
    from public.step_results sr
    cross join lateral (select sr.status = 'succeeded' as is_done, (sr.status = 'succeeded')::int as share) kept
    where sr.pipeline_run_id = p_from_run_id
    -- Their warnings are added to the run in this order.
    order by sr.position;
$$;
comment on function private.copy_step_results is
    'Creates the step results of a retry: those that succeeded are reused by reference, those that their condition '
    'skipped stay skipped, the others are pending and resume what was begun.';

-- Definer: creating a run creates its step results, and no client may write those.
create function private.create_step_results() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if new.retry_of is not null then
        perform private.copy_step_results(new.retry_of, new.id);
        return null;
    end if;
    insert into public.step_results (
        id, org_id, company_id, pipeline_run_id, position, slug, version, execution_mode, chunk_count,
        continue_on_error, delivery_key
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
    'Trigger: creates a pending step result for each step of the snapshot; for a retry see private.copy_step_results.';

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
    'The success that the steps of a run allow now: succeeded, succeeded_with_errors, or null for none.';

-- Definer: ending a run ends its steps, and no client may write those.
create function private.settle_step_results() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if new.status in ('succeeded', 'succeeded_with_errors') then
        if new.status is distinct from private.success_of_run(new.id) then
            perform private.raise_error(409, 'invalid_transition',
                'A run succeeds only when each step has succeeded, was skipped by its condition, or failed with '
                'continue_on_error; it succeeds with errors when one has failed.');
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
    'Trigger: when a run fails or is cancelled, its pending steps are skipped, and its running step fails or is '
    'cancelled with it. '
    'Raises 409 invalid_transition for a success that the steps do not allow.';

create trigger pipeline_runs_settle_step_results after update of status on public.pipeline_runs
for each row when (
    new.status in ('succeeded', 'succeeded_with_errors', 'failed', 'cancelled') and old.status is distinct from new.status
)
execute function private.settle_step_results();

create function private.guard_step_result() returns trigger
language plpgsql set search_path = '' as $$
declare
    v_mutable constant text[] :=
        '{status,skip_reason,input_step_result_id,attempt,chunks_written,records_in,records_added,records_out,'
        'records_rejected,records_dropped,error,warnings,columns,reading_ms,processing_ms,writing_ms,started_at,finished_at}';
    v_written record;
begin
    if (to_jsonb(new) - v_mutable) is distinct from (to_jsonb(old) - v_mutable) or old.finished_at is not null then
        perform private.raise_error(409, 'immutable',
            'A finished step result cannot be changed, nor what a step result belongs to.');
    end if;
    if new.status is not distinct from old.status then
        if (new.skip_reason, new.input_step_result_id) is distinct from (old.skip_reason, old.input_step_result_id) then
            perform private.raise_error(409, 'immutable', 'The input of a step is set when it starts.');
        end if;
        return new;
    end if;
    if not (
        (old.status = 'pending' and new.status in ('running', 'skipped'))
        or (old.status = 'running' and new.status in ('succeeded', 'failed', 'cancelled'))
    ) then
        perform private.raise_error(409, 'invalid_transition',
            format('A step result cannot go from %s to %s.', old.status, new.status));
    end if;
    if new.status = 'running' then
        new.started_at := now();
        new.input_step_result_id := private.input_step_result_id(new);
        return new;
    end if;
    -- The transaction that ends the run may have begun before the step started.
    new.finished_at := greatest(now(), new.started_at);
    if new.status = 'succeeded' then
        select count(*) as chunks, coalesce(sum(c.records_in), 0) as records_in,
            coalesce(sum(c.records_added), 0) as records_added, coalesce(sum(c.records_out), 0) as records_out,
            coalesce(sum(c.records_rejected), 0) as records_rejected,
            coalesce(sum(c.records_dropped), 0) as records_dropped
        into v_written
        from public.step_result_chunks c
        where c.step_result_id = new.id;
        if v_written.chunks <> new.chunk_count then
            perform private.raise_error(409, 'step_incomplete',
                format('%s of %s chunks are written.', v_written.chunks, new.chunk_count));
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
    'Trigger: transitions are those of step_result_status, terminal states are final, the input is set at the start, '
    'and success needs every chunk; the ledger is counted from them. '
    'Raises 409 immutable, invalid_transition, step_incomplete.';

create trigger step_results_guard before update on public.step_results
for each row execute function private.guard_step_result();
