-- The timeline of a run.

create function private.describe_ledger(p_step_result public.step_results) returns text
language sql immutable set search_path = '' as $$
    select format('%s of %s written: ', p_step_result.chunks_written, private.counted(p_step_result.chunk_count, 'chunk'))
        || format('%s in', p_step_result.records_in)
        || case when p_step_result.records_added > 0 then format(', %s added', p_step_result.records_added) else '' end
        || format(', %s out', p_step_result.records_out)
        || case when p_step_result.records_rejected > 0 then format(', %s rejected', p_step_result.records_rejected) else '' end
        || case when p_step_result.records_dropped > 0 then format(', %s dropped', p_step_result.records_dropped) else '' end;
$$;
comment on function private.describe_ledger is 'Counts of a step as a timeline prints them. For schema ops.';

create function private.describe_error(p_error jsonb) returns text
language sql immutable set search_path = '' as $$ select concat_ws(': ', p_error ->> 'code', p_error ->> 'message') $$;
comment on function private.describe_error is 'Code and message of a recorded error, empty for none. For schema ops.';

create view ops.run_timeline with (security_invoker = true) as
select event.pipeline_run_id, date_trunc('second', event.at) as at, event.place, event.event, event.detail
from (
    select r.id as pipeline_run_id, r.created_at as at, 0 as place, 'created' as event,
        format('run %s of submission %s, by %s; blueprint %s, version %s; %s in %s',
            r.run_number, r.submission_id, coalesce(u.email, 'an operator'), r.blueprint_snapshot ->> 'name',
            r.blueprint_version, private.counted(r.record_count, 'record'), private.counted(r.chunk_count, 'chunk')) as detail
    from public.pipeline_runs r
    left join public.users u on u.org_id = r.org_id and u.id = r.created_by
    union all
    -- Finds the run in the logs, and where traces are collected.
    select r.id, r.created_at, 1, 'traced',
        format('trace %s; %s', r.trace_id, coalesce('request ' || r.request_id, 'without a request'))
    from public.pipeline_runs r
    union all
    select r.id, r.admitted_at, 2, 'admitted',
        case
            when r.admitted_at - r.created_at < interval '1 second' then 'at once'
            else format('after %s in line', date_trunc('second', r.admitted_at - r.created_at))
        end
    from public.pipeline_runs r
    where r.admitted_at is not null
    union all
    select r.id, r.dispatched_at, 3, 'dispatched',
        case
            when r.restart_count > 0 then format('for the last time, after %s; ', private.counted(r.restart_count, 'restart'))
            else ''
        end || coalesce('Trigger.dev has it as ' || r.trigger_run_id, 'Trigger.dev was told of it')
    from public.pipeline_runs r
    where r.dispatched_at is not null
    union all
    select r.id, r.started_at, 4, 'claimed', 'a worker began'
    from public.pipeline_runs r
    where r.started_at is not null
    union all
    select sr.pipeline_run_id, sr.started_at, 10 * sr.position, format('step %s started', sr.position),
        sr.slug || ' ' || sr.version || case when sr.attempt > 1 then format(', %s attempts', sr.attempt) else '' end
    from public.step_results sr
    where sr.started_at is not null
    union all
    select sr.pipeline_run_id, written.at, 10 * sr.position + 1, format('step %s wrote last', sr.position),
        private.describe_ledger(sr)
    from public.step_results sr
    cross join lateral (
        select max(c.created_at) as at from public.step_result_chunks c where c.step_result_id = sr.id
    ) written
    where sr.status = 'running' and written.at is not null
    union all
    select sr.pipeline_run_id, sr.finished_at, 10 * sr.position + 2, format('step %s %s', sr.position, sr.status),
        case
            when sr.status = 'skipped' then sr.slug || ' ' || sr.version
            else concat_ws('; ', private.describe_ledger(sr), nullif(private.describe_error(sr.error), ''),
                'took ' || date_trunc('second', sr.finished_at - sr.started_at))
        end
    from public.step_results sr
    where sr.finished_at is not null
    union all
    -- What operators did; dry runs are left out.
    select r.id, a.occurred_at, 900, 'ops.' || a.action, 'by ' || a.actor_name
    from public.pipeline_runs r
    join public.audit_log a on a.org_id = r.org_id and a.entity = 'ops' and a.entity_id = r.id::text
    where a.after ->> 'dry_run' = 'false'
    union all
    select r.id, a.occurred_at, 5, 'restarted',
        format('another worker took over, restart %s of at most %s', a.after ->> 'restart_count', private.most_restarts())
    from public.pipeline_runs r
    join public.audit_log a on a.org_id = r.org_id and a.entity = 'pipeline_runs' and a.entity_id = r.id::text
    where (a.after ->> 'restart_count')::int > (a.before ->> 'restart_count')::int
    union all
    select r.id, r.finished_at, 901, r.status::text,
        case r.status
            when 'cancelled' then 'by ' || coalesce(canceller.name, 'somebody')
            when 'failed' then private.describe_error(r.error)
            else format('%s after it was created', date_trunc('second', r.finished_at - r.created_at))
        end
    from public.pipeline_runs r
    left join lateral (
        select coalesce(u.email, a.actor_name, a.actor_type::text) as name
        from public.audit_log a
        left join public.users u on u.org_id = a.org_id and u.id = a.actor_user_id
        where a.org_id = r.org_id and a.entity = 'pipeline_runs' and a.entity_id = r.id::text
            and a.after ->> 'status' = 'cancelled'
        order by a.id desc
        limit 1
    ) canceller on r.status = 'cancelled'
    where r.finished_at is not null
    union all
    select u.pipeline_run_id, now(), 902, coalesce(u.problem, 'running'), u.what_happens
    from ops.unfinished_runs u
) event;
comment on view ops.run_timeline is
    'The events of each run: created, with trace and request; admitted, dispatched, claimed; steps with attempts, '
    'counts and errors; what operators did; and its end, or what happens next. Filter by pipeline_run_id, order by at, '
    'place.';

create function ops.explain_run(p_run_id uuid) returns table (at timestamptz, event text, detail text)
language plpgsql volatile set search_path = '' as $$
declare
    v_ids uuid[] := private.operated_run_ids(p_run_id::text);
begin
    perform private.audit_run_operation(v_ids, 'explain_run', null);
    return query
    select t.at, t.event, t.detail
    from ops.run_timeline t
    where t.pipeline_run_id = p_run_id
    order by t.at, t.place;
end;
$$;
comment on function ops.explain_run is
    'The timeline of a run. Operators. '
    'Raises 404 pipeline_run_not_found. Changes nothing but the audit log.';
