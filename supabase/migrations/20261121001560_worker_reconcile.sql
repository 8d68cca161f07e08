-- The reconciler: repairs what the database alone can tell, and asks Trigger.dev about the rest. docs/operations.md
-- lists the repairs. All functions of schema worker are definer: see …_worker.sql.

create function private.most_restarts() returns int
language sql immutable set search_path = '' as $$ select 5 $$;
comment on function private.most_restarts is
    'How often a run whose worker was lost is started again, before it fails with worker_lost.';

create index pipeline_runs_unsettled_idx on public.pipeline_runs (finished_at)
where trigger_cancelled_at is null and admitted_at is not null
    and (status = 'cancelled' or (status = 'failed' and error ->> 'code' = 'worker_lost'));

create table private.reconciler (
    -- One row, always.
    id boolean primary key default true check (id),
    last_ran_at timestamptz
);
comment on table private.reconciler is 'When worker.reconcile_pipeline_runs last ran. One row for all orgs. Global.';
insert into private.reconciler default values;
alter table private.reconciler enable row level security;

-- Definer: no role but the owner reads the table.
create function private.reconciler_late_since() returns timestamptz
language sql stable security definer set search_path = '' as $$
    -- The task runs each minute. A database that has just started waits for it too.
    select due.at
    from private.reconciler r
    cross join lateral (
        select coalesce(r.last_ran_at, pg_postmaster_start_time()) + interval '5 minutes' as at
    ) due
    where due.at < now();
$$;
comment on function private.reconciler_late_since is
    'Since when the reconciler is late: five minutes after its last run. Null while it is in time.';
grant execute on function private.reconciler_late_since to authenticated;

-- Definer: as private.reconciler_late_since.
create function private.reconciler_last_ran_at() returns timestamptz
language sql stable security definer set search_path = '' as $$
    select r.last_ran_at from private.reconciler r;
$$;
comment on function private.reconciler_last_ran_at is 'When the reconciler last ran. Null: never.';
grant execute on function private.reconciler_last_ran_at to authenticated;

create function public.reconciler_status() returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_late_since timestamptz := private.reconciler_late_since();
begin
    return jsonb_build_object(
        'last_ran_at', private.reconciler_last_ran_at(),
        'is_late', v_late_since is not null,
        'late_since', v_late_since
    );
end;
$$;
comment on function public.reconciler_status is
    'Whether the reconciler is late, and since when. Any caller: it names no org. '
    'Raises what private.require_caller raises.';
grant execute on function public.reconciler_status to authenticated;

create function private.note_repair(p_run public.pipeline_runs, p_repair text) returns void
language plpgsql volatile set search_path = '' as $$
begin
    perform private.write_audit(p_run.org_id, p_run.company_id, 'reconciled', 'pipeline_runs', p_run.id::text, null,
        jsonb_build_object('repair', p_repair), p_run.request_id);
end;
$$;
comment on function private.note_repair is 'Notes a repair of a run in the audit log. Each call adds an entry.';

create function private.is_lost(p_run public.pipeline_runs) returns boolean
language sql stable set search_path = '' as $$
    -- If Trigger.dev was told of the lost run within the last two minutes, it may be about to start it.
    select p_run.status = 'running' and p_run.lease_expires_at < now()
        and (
            p_run.dispatched_at is null or p_run.dispatched_at <= p_run.lease_expires_at
            or p_run.dispatched_at < now() - interval '2 minutes'
        );
$$;
comment on function private.is_lost is
    'Whether a running run has lost its worker, and Trigger.dev was not told of it just now.';

create function private.is_suspect(p_run public.pipeline_runs) returns boolean
language sql stable set search_path = '' as $$
    select case p_run.status
        when 'queued' then p_run.dispatched_at < now() - interval '2 minutes'
        -- Heartbeats leave a lease of a minute. A longer one is left by a task that sleeps while a step task works: is
        -- that one alive?
        when 'running' then p_run.lease_expires_at > now() + interval '70 seconds'
        -- The API tells Trigger.dev itself, and has ten seconds for it.
        else p_run.finished_at < now() - interval '10 seconds' and p_run.trigger_cancelled_at is null
            and (p_run.status = 'cancelled' or (p_run.status = 'failed' and p_run.error ->> 'code' = 'worker_lost'))
    end;
$$;
comment on function private.is_suspect is
    'Whether Trigger.dev must be asked about an admitted run: it was dispatched two minutes ago and is not claimed, it '
    'is left to a step task, or it ended here and may be alive there.';

create function worker.reconcile_pipeline_runs(p_limit int default 100) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_most_restarts constant int := private.most_restarts();
    v_run public.pipeline_runs;
    v_starts jsonb;
    v_suspects jsonb;
    v_failed int := 0;
    v_expired int;
    v_expired_ids uuid[];
    v_admitted int;
begin
    for v_run in
        select r.*
        from public.pipeline_runs r
        where r.admitted_at is not null and r.finished_at is null
            and r.restart_count >= v_most_restarts and private.is_lost(r)
        for no key update skip locked
    loop
        perform private.note_repair(v_run, 'given_up');
        update public.pipeline_runs
        set status = 'failed',
            error = jsonb_build_object('code', 'worker_lost',
                'message', format('The worker of the run was lost %s times.', v_most_restarts + 1))
        where id = v_run.id;
        v_failed := v_failed + 1;
    end loop;

    v_expired_ids := array(
        select s.id
        from public.submissions s
        where s.status = 'receiving' and s.created_at < now() - interval '24 hours'
        order by s.created_at
        limit 20
        for no key update skip locked
    );
    update public.submissions set status = 'expired' where id = any (v_expired_ids);
    get diagnostics v_expired = row_count;
    delete from public.submission_chunks where submission_id = any (v_expired_ids);
    delete from public.rejected_records where submission_id = any (v_expired_ids);
    perform private.prune_audit_log(1000);
    delete from private.idempotency_keys where created_at < now() - interval '24 hours';

    -- After everything that may wait for a lock, and before the starts, to which it may add.
    v_admitted := private.admit_pipeline_runs();

    select coalesce(jsonb_agg(s.start || '{"repair": "not_dispatched"}'), '[]') into v_starts
    from jsonb_array_elements(private.take_starts(p_limit)) s (start);
    select v_starts || coalesce(jsonb_agg(private.start_of(lost) || '{"repair": "restarted"}'), '[]') into v_starts
    from (
        select r.*
        from public.pipeline_runs r
        where r.admitted_at is not null and r.finished_at is null
            and r.restart_count < v_most_restarts and private.is_lost(r)
        order by r.lease_expires_at
        limit p_limit
    ) lost;

    select coalesce(jsonb_agg(s.suspect), '[]') into v_suspects
    from (
        (
            select jsonb_build_object('pipeline_run_id', r.id, 'trigger_run_id', r.trigger_run_id, 'ended', false) as suspect
            from public.pipeline_runs r
            where r.admitted_at is not null and r.finished_at is null and private.is_suspect(r)
            order by r.dispatched_at
            limit p_limit
        )
        union all
        (
            select jsonb_build_object('pipeline_run_id', r.id, 'trigger_run_id', r.trigger_run_id, 'ended', true)
            from public.pipeline_runs r
            where r.trigger_cancelled_at is null and r.admitted_at is not null
                and (r.status = 'cancelled' or (r.status = 'failed' and r.error ->> 'code' = 'worker_lost'))
                and private.is_suspect(r)
            order by r.finished_at
            limit p_limit
        )
    ) s;

    update private.reconciler set last_ran_at = now();
    return jsonb_build_object(
        'starts', v_starts, 'suspects', v_suspects, 'admitted', v_admitted, 'failed', v_failed,
        'expired_submissions', v_expired
    );
end;
$$;
comment on function worker.reconcile_pipeline_runs is
    'Returns starts (admitted runs that nobody dispatched, running ones whose lease has expired), and suspects, which '
    'worker.repair_pipeline_run takes after Trigger.dev was asked. Admits waiting runs, fails runs that were lost more '
    'than 5 times with worker_lost, expires uploads and idempotency keys after 24 hours, deletes '
    'what expired uploads had stored, and audit entries after their days. service_role. Safe to repeat: '
    'a start is given once in ten seconds.';
grant execute on function worker.reconcile_pipeline_runs to service_role;

create function worker.take_starts(p_limit int default 10) returns jsonb
language sql volatile security definer set search_path = '' as $$
    select jsonb_build_object('starts', private.take_starts(p_limit));
$$;
comment on function worker.take_starts is
    'Takes admitted runs that nobody has started, for a worker that has just ended one. service_role. Safe to repeat: '
    'a start is given once in ten seconds.';
grant execute on function worker.take_starts to service_role;

create function worker.mark_pipeline_run_dispatched(p_pipeline_run_id uuid, p_trigger_run_id text, p_repair text default null)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_run public.pipeline_runs;
    v_is_marked boolean;
begin
    -- A lost run still belongs to the Trigger.dev run that lost it, until another one claims it.
    update public.pipeline_runs
    set trigger_run_id = case when status = 'queued' then p_trigger_run_id else trigger_run_id end,
        dispatched_at = now()
    where id = p_pipeline_run_id and admitted_at is not null
        and (status = 'queued' or (status = 'running' and lease_expires_at < now()))
    returning * into v_run;
    v_is_marked := v_run.id is not null;
    if p_repair in ('not_dispatched', 'restarted') then
        -- The task that was started may have claimed the run before this call.
        if not v_is_marked then
            select r.* into v_run
            from public.pipeline_runs r
            where r.id = p_pipeline_run_id and r.trigger_run_id = p_trigger_run_id;
        end if;
        if v_run.id is not null then
            perform private.note_repair(v_run, p_repair);
        end if;
    end if;
    return jsonb_build_object('marked', v_is_marked);
end;
$$;
comment on function worker.mark_pipeline_run_dispatched is
    'Notes that Trigger.dev took an admitted queued or lost run; leaves a run that waits, is alive or has finished as '
    'it is. p_repair names the repair that the start was for, and adds an audit entry once the start is marked or has '
    'claimed the run. service_role. Safe to repeat, except for that entry.';
grant execute on function worker.mark_pipeline_run_dispatched to service_role;

create function worker.repair_pipeline_run(p_pipeline_run_id uuid, p_trigger_run_id text, p_finding text)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_run public.pipeline_runs;
    v_repair text;
begin
    if p_finding is null or p_finding not in ('unknown', 'ended', 'stopped', 'quiet') then
        perform private.raise_error(422, 'invalid_request', 'p_finding is unknown, ended, stopped or quiet.');
    end if;
    select r.* into v_run from public.pipeline_runs r where r.id = p_pipeline_run_id for no key update;
    -- A run that has moved on since needs no repair.
    if v_run.id is null or v_run.admitted_at is null or v_run.trigger_run_id is distinct from p_trigger_run_id
        or private.is_suspect(v_run) is not true or (v_run.finished_at is null) <> (p_finding in ('unknown', 'ended')) then
        return jsonb_build_object('repair', null, 'start', null);
    end if;

    v_repair := case
        when v_run.status = 'queued' then case p_finding when 'unknown' then 'start_unknown' else 'start_ended' end
        when v_run.status = 'running' then 'ended_unfinished'
        when p_finding = 'stopped' then 'stopped'
    end;
    if v_run.status = 'queued' then
        update public.pipeline_runs
        set dispatched_at = null, start_taken_at = now(), lost_start_count = lost_start_count + 1
        where id = v_run.id
        returning * into v_run;
    elsif v_run.status = 'running' then
        -- The run is lost from now on. If it was lost too often, the next reconciliation fails it.
        update public.pipeline_runs
        set lease_expires_at = now() - interval '1 second'
        where id = v_run.id
        returning * into v_run;
    else
        update public.pipeline_runs set trigger_cancelled_at = now() where id = v_run.id returning * into v_run;
    end if;
    if v_repair is not null then
        perform private.note_repair(v_run, v_repair);
    end if;
    return jsonb_build_object(
        'repair', v_repair,
        'start', case
            when v_run.finished_at is null and v_run.restart_count < private.most_restarts() then private.start_of(v_run)
        end
    );
end;
$$;
comment on function worker.repair_pipeline_run is
    'Repairs a suspect of worker.reconcile_pipeline_runs by p_finding, what Trigger.dev said of its Trigger.dev run. '
    'unknown or ended: the run goes on here, but not there; returns repair and start. stopped or quiet: the run has '
    'ended here, and what was alive there was stopped, or nothing was. One audit entry a repair. service_role. '
    'Raises 422 invalid_request. Repeating it changes nothing.';
grant execute on function worker.repair_pipeline_run to service_role;

create function worker.replace_start(p_pipeline_run_id uuid, p_idempotency_key text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_run public.pipeline_runs;
begin
    select r.* into v_run from public.pipeline_runs r where r.id = p_pipeline_run_id for no key update;
    if v_run.id is null or v_run.admitted_at is null
        or private.start_of(v_run) ->> 'idempotency_key' is distinct from p_idempotency_key
        or not (v_run.status = 'queued' or (v_run.status = 'running' and v_run.lease_expires_at < now())) then
        return jsonb_build_object('repair', null, 'start', null);
    end if;
    update public.pipeline_runs
    set lost_start_count = lost_start_count + 1, start_taken_at = now()
    where id = v_run.id
    returning * into v_run;
    perform private.note_repair(v_run, 'start_ended');
    return jsonb_build_object('repair', 'start_ended', 'start', private.start_of(v_run));
end;
$$;
comment on function worker.replace_start is
    'A new start for a run whose key Trigger.dev answered with a run that had already ended. Null if the run has moved '
    'on. One audit entry a start. service_role. A repeat changes nothing, because the key is then another.';
grant execute on function worker.replace_start to service_role;
