-- Pipeline runs as clients see them: with the steps that failed, and why.
--
-- Views, because RPCs run as the caller, who has no grant on claim_id and so cannot read whole rows.

create function private.failed_step_json(p_step_result public.step_results) returns jsonb
language sql immutable set search_path = '' as $$
    select jsonb_build_object(
        'position', p_step_result.position, 'slug', p_step_result.slug,
        'code', p_step_result.error -> 'code', 'message', p_step_result.error -> 'message'
    );
$$;
comment on function private.failed_step_json is 'One of a run''s failed_steps: {position, slug, code, message}.';
grant execute on function private.failed_step_json to authenticated;

create view private.pipeline_runs_with_snapshot with (security_invoker = true) as
select
    r.id, r.org_id, r.company_id, r.submission_id, r.run_number, r.blueprint_id, r.blueprint_version, r.status, r.error,
    case
        when r.status in ('queued', 'succeeded') then '[]'
        else (
            select coalesce(jsonb_agg(private.failed_step_json(sr) order by sr.position), '[]')
            from public.step_results sr
            where sr.pipeline_run_id = r.id and sr.status = 'failed'
        )
    end as failed_steps,
    r.warnings, r.retry_of, r.record_count, r.chunk_count, r.admitted_at is not null as admitted,
    r.dispatched_at is not null as dispatched, r.trigger_run_id, r.trace_id, r.request_id, r.created_by, r.created_at,
    r.admitted_at, r.dispatched_at, r.started_at, r.finished_at, r.blueprint_snapshot
from public.pipeline_runs r;
comment on view private.pipeline_runs_with_snapshot is
    'One run as clients see it, with its snapshot, under the caller''s policies. failed_steps is [{position, slug, '
    'code, message}], looked up only for a run that can have any.';
grant select on private.pipeline_runs_with_snapshot to authenticated;

create view private.pipeline_runs_readable with (security_invoker = true) as
select
    r.id, r.org_id, r.company_id, r.submission_id, r.run_number, r.blueprint_id, r.blueprint_version, r.status, r.error,
    r.warnings, r.retry_of, r.record_count, r.chunk_count, r.admitted, r.dispatched, r.trigger_run_id, r.trace_id, r.request_id,
    r.created_by, r.created_at, r.admitted_at, r.dispatched_at, r.started_at, r.finished_at
from private.pipeline_runs_with_snapshot r;
comment on view private.pipeline_runs_readable is
    'Runs as lists read them, without the snapshot, under the caller''s policies. private.with_failed_steps adds '
    'failed_steps.';
grant select on private.pipeline_runs_readable to authenticated;

-- A separate statement, not a subquery of the view: a list is then planned under the policies of one table, and asks
-- those of the other at most once.
create function private.with_failed_steps(p_page jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_ids uuid[] := array(
        select (i ->> 'id')::uuid
        from jsonb_array_elements(p_page -> 'items') i
        where i ->> 'status' not in ('queued', 'succeeded')
    );
    v_failed jsonb := '{}';
begin
    if v_ids <> '{}' then
        -- Run by run: in one join the planner takes an org's steps for few and reads them all.
        select jsonb_object_agg(v.id, failed.steps) into v_failed
        from unnest(v_ids) v (id)
        cross join lateral (
            select coalesce(jsonb_agg(private.failed_step_json(sr) order by sr.position), '[]') as steps
            from public.step_results sr
            where sr.pipeline_run_id = v.id and sr.status = 'failed'
        ) failed;
    end if;
    return jsonb_set(p_page, '{items}', coalesce((
        select jsonb_agg(
            i.item || jsonb_build_object('failed_steps', coalesce(v_failed -> (i.item ->> 'id'), '[]')) order by i.place
        )
        from jsonb_array_elements(p_page -> 'items') with ordinality i (item, place)
    ), '[]'));
end;
$$;
comment on function private.with_failed_steps is
    'Adds failed_steps to the runs of a page, under the caller''s policies. Looks only at runs that can have any.';
grant execute on function private.with_failed_steps to authenticated;
