-- RPCs of pipeline runs and step results: list, get, create, mark as dispatched, cancel.

create function public.list_pipeline_runs(
    p_company_id uuid default null,
    p_submission_id uuid default null,
    p_status public.pipeline_run_status default null,
    p_limit int default 50,
    p_cursor text default null
) returns jsonb
language plpgsql stable set search_path = ''
-- Planned for the given filters: they decide which index serves.
set plan_cache_mode = force_custom_plan
as $$
declare
    v_caller private.caller := private.require_caller();
    v_limit int := private.check_limit(p_limit);
    v_before private.sort_key := private.decode_time_cursor(p_cursor);
    v_company_id uuid := coalesce(p_company_id, v_caller.company_id);
begin
    return private.with_failed_steps(private.page(
        array(
            select jsonb_build_object('key', jsonb_build_array(r.created_at, r.id), 'item', to_jsonb(r))
            from private.pipeline_runs_readable r
            -- The policy says this too, but the planner could not choose the index by it.
            where r.org_id = v_caller.org_id
                and (v_company_id is null or r.company_id = v_company_id)
                and (p_submission_id is null or r.submission_id = p_submission_id)
                and (p_status is null or r.status = p_status)
                and (r.created_at, r.id) < (v_before.created_at, v_before.id)
            order by r.created_at desc, r.id desc
            limit v_limit + 1
        ),
        v_limit
    ));
end;
$$;
comment on function public.list_pipeline_runs is
    'Runs that the caller can see, newest first, without steps. Any caller. '
    'Raises 422 invalid_request, invalid_cursor.';
grant execute on function public.list_pipeline_runs to authenticated;

create function public.get_pipeline_run(p_pipeline_run_id uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_run jsonb;
begin
    select to_jsonb(r) || jsonb_build_object(
        'progress', case
            when r.status in ('succeeded', 'succeeded_with_errors') then 1
            else trunc(coalesce(done.progress, 0), 4)
        end,
        'steps', coalesce(done.steps, '[]')
    )
    into v_run
    from private.pipeline_runs_with_snapshot r
    cross join lateral (
        select avg(private.share_done(sr)) as progress,
            -- The columns are in the step results: a client polls its run.
            jsonb_agg(private.step_result_json(sr) - 'columns' order by sr.position) as steps
        from public.step_results sr
        where sr.pipeline_run_id = r.id
    ) done
    where r.id = p_pipeline_run_id;
    if v_run is null then
        perform private.raise_error(404, 'pipeline_run_not_found', 'No such pipeline run.');
    end if;
    return v_run;
end;
$$;
comment on function public.get_pipeline_run is
    'One run with its snapshot, its step results and its progress (0 to 1, the mean of its steps). Any caller who can '
    'see its company. '
    'Raises 404 pipeline_run_not_found.';
grant execute on function public.get_pipeline_run to authenticated;

create function public.create_pipeline_run(
    p_submission_id uuid,
    p_idempotency_key text default null,
    p_request_hash text default null
) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_result jsonb := private.recall_result('create_pipeline_run', p_idempotency_key, p_request_hash);
    v_id uuid := v_result ->> 'id';
begin
    if v_id is null then
        insert into public.pipeline_runs (submission_id) values (p_submission_id) returning id into v_id;
        set constraints public.pipeline_runs_admit immediate;
        perform private.remember_result('create_pipeline_run', p_idempotency_key, jsonb_build_object('id', v_id));
    end if;
    return public.get_pipeline_run(v_id);
end;
$$;
comment on function public.create_pipeline_run is
    'Creates a queued run of a received submission, with a fresh snapshot. It is to be started if it is admitted. Any '
    'caller who can see the company. '
    'Raises 404 submission_not_found, 409 submission_receiving, idempotency_key_reused. With an idempotency key a '
    'repeat returns the same run as it is now.';
grant execute on function public.create_pipeline_run to authenticated;

create function public.mark_pipeline_run_dispatched(p_pipeline_run_id uuid, p_trigger_run_id text)
returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
begin
    update public.pipeline_runs
    set trigger_run_id = p_trigger_run_id
    where id = p_pipeline_run_id and status = 'queued' and admitted_at is not null;
    return public.get_pipeline_run(p_pipeline_run_id);
end;
$$;
comment on function public.mark_pipeline_run_dispatched is
    'Notes that Trigger.dev took an admitted, queued run; leaves any other run as it is. Its creator and admins. '
    'Raises 404 pipeline_run_not_found. Safe to repeat.';
grant execute on function public.mark_pipeline_run_dispatched to authenticated;

create function public.cancel_pipeline_run(p_pipeline_run_id uuid) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_run jsonb;
begin
    update public.pipeline_runs
    set status = 'cancelled'
    where id = p_pipeline_run_id and status in ('queued', 'running');
    v_run := public.get_pipeline_run(p_pipeline_run_id);
    if v_run ->> 'status' in ('queued', 'running') then
        perform private.raise_error(403, 'forbidden', 'A member cancels only the runs that it created.');
    end if;
    if v_run ->> 'status' <> 'cancelled' then
        perform private.raise_error(409, 'pipeline_run_finished', format('The run is %s, which is final.', v_run ->> 'status'),
            jsonb_build_object('status', v_run -> 'status'));
    end if;
    return v_run;
end;
$$;
comment on function public.cancel_pipeline_run is
    'Cancels a run; steps that have not started become skipped. Its creator and admins. '
    'Raises 403 forbidden, 404 pipeline_run_not_found, 409 pipeline_run_finished. Repeating it changes nothing.';
grant execute on function public.cancel_pipeline_run to authenticated;

create function public.list_step_results(p_pipeline_run_id uuid, p_limit int default 50, p_cursor text default null)
returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_limit int := private.check_limit(p_limit);
    v_after int := coalesce(private.decode_cursor(p_cursor, 'int') ->> 0, '0');
begin
    if not exists (select from public.pipeline_runs r where r.id = p_pipeline_run_id) then
        perform private.raise_error(404, 'pipeline_run_not_found', 'No such pipeline run.');
    end if;
    return private.page(
        array(
            select jsonb_build_object('key', jsonb_build_array(sr.position), 'item', private.step_result_json(sr))
            from public.step_results sr
            where sr.pipeline_run_id = p_pipeline_run_id and sr.position > v_after
            order by sr.position
            limit v_limit + 1
        ),
        v_limit
    );
end;
$$;
comment on function public.list_step_results is
    'Step results of a run, in order. Any caller who can see the run. '
    'Raises 404 pipeline_run_not_found, 422 invalid_request, invalid_cursor.';
grant execute on function public.list_step_results to authenticated;

create function public.get_step_result(p_step_result_id uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_step_result public.step_results;
begin
    select sr.* into v_step_result from public.step_results sr where sr.id = p_step_result_id;
    if not found then
        perform private.raise_error(404, 'step_result_not_found', 'No such step result.');
    end if;
    return private.step_result_json(v_step_result);
end;
$$;
comment on function public.get_step_result is
    'One step result. Any caller who can see its run. '
    'Raises 404 step_result_not_found.';
grant execute on function public.get_step_result to authenticated;
