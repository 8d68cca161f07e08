-- What the reconciler repairs from the database alone. All but the first are definer, as in all of schema worker: see
-- …_worker.sql.

create function private.most_restarts()
returns int
language sql
immutable
security invoker
set search_path = ''
as $$
    select 5;
$$;
comment on function private.most_restarts() is 'How often a run whose worker was lost is started again, before it fails with worker_lost.';

create function worker.reconcile_pipeline_runs(p_limit int default 100)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
    v_most_restarts constant int := private.most_restarts();
    v_starts jsonb;
    v_failed int;
    v_expired int;
begin
    with lost as (
        select r.id
        from public.pipeline_runs r
        where r.status = 'running' and r.restart_count >= v_most_restarts
            and r.lease_expires_at < now()
            and (r.dispatched_at <= r.lease_expires_at or r.dispatched_at < now() - interval '2 minutes')
        for update skip locked
    )
    update public.pipeline_runs r
    set status = 'failed',
        error = jsonb_build_object('code', 'worker_lost', 'message', format('The worker of the run was lost %s times.', v_most_restarts + 1))
    from lost
    where r.id = lost.id;
    get diagnostics v_failed = row_count;

    select coalesce(jsonb_agg(due.start), '[]') into v_starts
    from (
        select jsonb_build_object(
            'pipeline_run_id', r.id,
            'org_id', r.org_id,
            -- The key stays until the run is claimed, so that a start which Trigger.dev still holds is not doubled.
            'idempotency_key', case when r.status = 'queued' then r.id::text else r.id || ':' || r.restart_count + 1 end
        ) as start
        from public.pipeline_runs r
        where (
                r.status = 'queued'
                and coalesce(r.dispatched_at < now() - interval '2 minutes', r.created_at < now() - interval '10 seconds')
            )
            -- Told of a lost run within the last two minutes, Trigger.dev may be about to start it.
            or (
                r.status = 'running' and r.restart_count < v_most_restarts
                and r.lease_expires_at < now()
                and (r.dispatched_at <= r.lease_expires_at or r.dispatched_at < now() - interval '2 minutes')
            )
        -- What nobody was told of goes first; what Trigger.dev holds already can wait.
        order by r.dispatched_at nulls first, r.created_at
        limit p_limit
    ) due;

    update public.submissions set status = 'expired'
    where status = 'receiving' and created_at < now() - interval '24 hours';
    get diagnostics v_expired = row_count;
    delete from private.idempotency_keys where created_at < now() - interval '24 hours';

    return jsonb_build_object('starts', v_starts, 'failed', v_failed, 'expired_submissions', v_expired);
end;
$$;
comment on function worker.reconcile_pipeline_runs(int) is
    'What needs a start: queued runs that Trigger.dev was not told of for 10 s (or was told 2 minutes ago), and running ones whose lease has expired. Fails with worker_lost those lost more than 5 times; expires uploads and idempotency keys after 24 hours. service_role. Safe to repeat.';
grant execute on function worker.reconcile_pipeline_runs(int) to service_role;

create function worker.mark_pipeline_run_dispatched(p_pipeline_run_id uuid, p_trigger_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
    -- A lost run still belongs to the Trigger.dev run that lost it, until another one claims it.
    update public.pipeline_runs
    set trigger_run_id = case when status = 'queued' then p_trigger_run_id else trigger_run_id end,
        dispatched_at = now()
    where id = p_pipeline_run_id
        and (status = 'queued' or (status = 'running' and lease_expires_at < now()));
    return jsonb_build_object('marked', found);
end;
$$;
comment on function worker.mark_pipeline_run_dispatched(uuid, text) is
    'Notes that Trigger.dev took a queued or lost run; a run that is alive or finished is left as it is. service_role. Safe to repeat.';
grant execute on function worker.mark_pipeline_run_dispatched(uuid, text) to service_role;
