-- Pipeline runs: execution attempts of a submission, each with its own snapshot of the blueprint.

create type public.pipeline_run_status as enum (
    'queued', 'running', 'succeeded', 'succeeded_with_errors', 'failed', 'cancelled'
);
comment on type public.pipeline_run_status is
    'queued → running → succeeded | succeeded_with_errors | failed | cancelled; queued → failed | cancelled. The last '
    'four are final.';

create table public.pipeline_runs (
    id uuid primary key default gen_random_uuid(),
    -- A direct key, so deleting an org removes its runs before its users.
    org_id uuid not null references public.orgs (id) on delete cascade,
    company_id uuid not null,
    submission_id uuid not null,
    run_number int not null,
    blueprint_id uuid not null,
    blueprint_version int not null,
    blueprint_snapshot jsonb not null,
    status public.pipeline_run_status not null default 'queued',
    error jsonb,
    warnings jsonb not null default '[]' check (jsonb_typeof(warnings) = 'array'),
    record_count int not null,
    chunk_count int not null,
    trigger_run_id text check (length(trigger_run_id) between 1 and 200),
    claim_id uuid,
    lease_expires_at timestamptz,
    restart_count int not null default 0,
    retry_of uuid,
    lost_start_count int not null default 0,
    trace_id text not null check (trace_id ~ '^[0-9a-f]{32}$' and trace_id !~ '^0+$'),
    trace_sampled boolean not null,
    request_id text check (request_id ~ '^[A-Za-z0-9._-]+$' and length(request_id) between 8 and 64),
    created_by uuid default private.caller_user_id(),
    created_at timestamptz not null default now(),
    admitted_at timestamptz,
    start_taken_at timestamptz,
    dispatched_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    trigger_cancelled_at timestamptz,
    unique (org_id, company_id, id),
    unique (submission_id, run_number),
    foreign key (org_id, company_id, submission_id)
        references public.submissions (org_id, company_id, id) on delete cascade,
    foreign key (org_id, blueprint_id) references public.blueprints (org_id, id) on delete restrict,
    foreign key (org_id, created_by) references public.users (org_id, id) on delete restrict,
    -- A run and its retry belong to one submission and are deleted together.
    foreign key (org_id, company_id, retry_of)
        references public.pipeline_runs (org_id, company_id, id) on delete cascade,
    check ((status in ('succeeded', 'succeeded_with_errors', 'failed', 'cancelled')) = (finished_at is not null)),
    check (
        status <> 'running'
        or (
            claim_id is not null and lease_expires_at is not null
            and admitted_at is not null and dispatched_at is not null
        )
    )
);
comment on table public.pipeline_runs is 'One execution attempt of a submission, on its own snapshot of the blueprint.';
comment on column public.pipeline_runs.warnings is
    'What people should check although nothing failed: [{code, message, details, position?, slug?}]. Filled by trigger '
    '(…_run_warnings.sql), final with the run.';
comment on column public.pipeline_runs.trigger_run_id is 'The Trigger.dev run that executes it; null if not known.';
comment on column public.pipeline_runs.claim_id is
    'Fencing token of the worker that owns the run: writes with an older one are refused.';
comment on column public.pipeline_runs.lease_expires_at is 'When the claim ends, unless a heartbeat renews it.';
comment on column public.pipeline_runs.admitted_at is
    'When the run was admitted (…_run_admission.sql). Null: it waits, and nobody starts it.';
comment on column public.pipeline_runs.start_taken_at is 'When somebody last undertook to start it at Trigger.dev.';
comment on column public.pipeline_runs.dispatched_at is
    'When Trigger.dev last took the run. Null: Trigger.dev was not told yet, or its start was lost. Never null in a '
    'running run.';
comment on column public.pipeline_runs.retry_of is
    'The run that this one continues where it stopped, on the same snapshot and without repeating finished work.';
comment on column public.pipeline_runs.lost_start_count is
    'How many starts were lost: Trigger.dev forgot them or ended them before a worker claimed the run, or an operator '
    'requeued the run.';
comment on column public.pipeline_runs.trace_id is
    'Trace of the request that created the run, from traceparent. All work for the run is part of it.';
comment on column public.pipeline_runs.trace_sampled is 'Whether the caller of that request records the trace.';
comment on column public.pipeline_runs.request_id is
    'X-Request-Id of the request that created it; null without a request.';
comment on column public.pipeline_runs.trigger_cancelled_at is
    'Set on a run that was cancelled or given up here, once nothing of it is alive at Trigger.dev.';
comment on column public.pipeline_runs.restart_count is
    'How many times another Trigger.dev run took over after the worker was lost.';

create index pipeline_runs_org_id_created_at_idx on public.pipeline_runs (org_id, created_at desc, id desc);
create index pipeline_runs_org_id_company_id_created_at_idx
on public.pipeline_runs (org_id, company_id, created_at desc, id desc);
-- For lists by status: few runs do not succeed. An index on status would not serve: row-level security keeps enum
-- comparisons from an index, because they are not leakproof.
create index pipeline_runs_not_succeeded_org_idx
on public.pipeline_runs (org_id, created_at desc, id desc) where status <> 'succeeded';
create index pipeline_runs_not_succeeded_company_idx
on public.pipeline_runs (org_id, company_id, created_at desc, id desc) where status <> 'succeeded';
create index pipeline_runs_org_id_company_id_submission_id_idx
on public.pipeline_runs (org_id, company_id, submission_id);
create index pipeline_runs_org_id_blueprint_id_idx on public.pipeline_runs (org_id, blueprint_id);
create index pipeline_runs_org_id_created_by_idx on public.pipeline_runs (org_id, created_by);
-- A run is retried once: two retries would both do its unfinished work.
create unique index pipeline_runs_org_id_company_id_retry_of_idx
on public.pipeline_runs (org_id, company_id, retry_of) where retry_of is not null;
create index pipeline_runs_unfinished_idx on public.pipeline_runs (created_at) where status in ('queued', 'running');

alter table public.submissions add constraint submissions_retry_of_run_id_fkey
foreign key (org_id, company_id, retry_of_run_id)
references public.pipeline_runs (org_id, company_id, id) on delete set null (retry_of_run_id);

create unique index submissions_retry_of_run_id_idx
on public.submissions (org_id, company_id, retry_of_run_id) where retry_of_run_id is not null;

-- A company's rows are all of one org. A planner that takes the two for independent expects few rows, and sorts the
-- company's instead of reading the index in order.
create statistics public.pipeline_runs_tenant (dependencies)
on org_id, company_id, submission_id from public.pipeline_runs;
comment on statistics public.pipeline_runs_tenant is 'Submission decides company, company decides org.';

alter table public.pipeline_runs enable row level security;

create policy pipeline_runs_select_visible on public.pipeline_runs for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);
create policy pipeline_runs_insert_visible on public.pipeline_runs for insert to authenticated
with check (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
    and created_by = (select private.caller_user_id())
);
-- A client may only note the Trigger.dev run of a queued run, and cancel.
create policy pipeline_runs_update_creator_or_admin on public.pipeline_runs for update to authenticated
using (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
    and ((select private.caller_role()) >= 'company_admin' or created_by = (select private.caller_user_id()))
)
with check (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
    and ((select private.caller_role()) >= 'company_admin' or created_by = (select private.caller_user_id()))
    and status in ('queued', 'cancelled')
);

-- No delete grant: runs are history. claim_id is for workers alone.
grant select (
    id, org_id, company_id, submission_id, run_number, blueprint_id, blueprint_version, blueprint_snapshot, status,
    error, warnings, record_count, chunk_count, trigger_run_id, lease_expires_at, restart_count, retry_of, trace_id,
    request_id, created_by, created_at, admitted_at, dispatched_at, started_at, finished_at
), insert (submission_id, retry_of), update (status, trigger_run_id)
on public.pipeline_runs to authenticated;

create function private.retried_snapshot(p_pipeline_run_id uuid, p_submission_id uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_org_id uuid;
    v_company_id uuid;
    v_status public.pipeline_run_status;
    v_snapshot jsonb;
    v_retry_id uuid;
begin
    select r.org_id, r.company_id, r.status, r.blueprint_snapshot into v_org_id, v_company_id, v_status, v_snapshot
    from public.pipeline_runs r
    where r.id = p_pipeline_run_id and r.submission_id = p_submission_id;
    if not found then
        perform private.raise_error(404, 'pipeline_run_not_found', 'No such pipeline run.');
    end if;
    if v_status not in ('failed', 'cancelled', 'succeeded_with_errors') then
        perform private.raise_error(409, 'pipeline_run_not_retryable',
            format('The run is %s. Only one that failed, was cancelled or succeeded with errors can be retried.', v_status),
            jsonb_build_object('status', v_status));
    end if;
    -- The index begins with org and company.
    select r.id into v_retry_id
    from public.pipeline_runs r
    where r.org_id = v_org_id and r.company_id = v_company_id and r.retry_of = p_pipeline_run_id;
    if found then
        perform private.raise_error(409, 'pipeline_run_retried', 'The run was retried already. Retry its retry.',
            jsonb_build_object('pipeline_run_id', v_retry_id));
    end if;
    return v_snapshot;
end;
$$;
comment on function private.retried_snapshot is
    'The snapshot of a run of the submission that can be retried now. '
    'Raises 404 pipeline_run_not_found, 409 pipeline_run_not_retryable, pipeline_run_retried.';
grant execute on function private.retried_snapshot to authenticated;

create function private.fill_pipeline_run() returns trigger
language plpgsql set search_path = '' as $$
declare
    v_submission public.submissions;
    v_trace private.trace := private.request_trace();
begin
    -- Keeps two runs of one submission from taking the same number.
    perform pg_advisory_xact_lock(hashtextextended(new.submission_id::text, 0));
    select s.* into v_submission from public.submissions s where s.id = new.submission_id;
    if not found then
        perform private.raise_error(404, 'submission_not_found', 'No such submission.');
    end if;
    if v_submission.status <> 'received' then
        perform private.raise_error(409, 'submission_receiving',
            format('The submission is %s; only a received one can run.', v_submission.status));
    end if;

    new.org_id := v_submission.org_id;
    new.company_id := v_submission.company_id;
    new.blueprint_id := v_submission.blueprint_id;
    new.blueprint_snapshot := case
        when new.retry_of is null then private.snapshot_blueprint(v_submission.blueprint_id)
        else private.retried_snapshot(new.retry_of, new.submission_id)
    end;
    new.blueprint_version := (new.blueprint_snapshot ->> 'version')::int;
    new.record_count := v_submission.record_count;
    new.chunk_count := v_submission.chunk_count;
    new.status := 'queued';
    new.admitted_at := null;
    new.trace_id := v_trace.id;
    new.trace_sampled := v_trace.is_sampled;
    new.request_id := private.request_id();
    select coalesce(max(r.run_number), 0) + 1 into new.run_number
    from public.pipeline_runs r
    where r.submission_id = new.submission_id;
    return new;
end;
$$;
comment on function private.fill_pipeline_run is
    'Trigger: fills a new run in, whatever the writer sent: org, company and counts from its submission, the snapshot '
    'from its blueprint or from the run that it retries, trace and request id from its request. '
    'Raises 404 submission_not_found, blueprint_not_found, pipeline_run_not_found, 409 submission_receiving, '
    'pipeline_run_not_retryable, pipeline_run_retried, 422 invalid_request.';

create trigger pipeline_runs_fill before insert on public.pipeline_runs
for each row execute function private.fill_pipeline_run();

create function private.guard_pipeline_run() returns trigger
language plpgsql set search_path = '' as $$
declare
    v_mutable constant text[] :=
        '{status,error,warnings,trigger_run_id,claim_id,lease_expires_at,restart_count,lost_start_count,admitted_at,'
        'start_taken_at,dispatched_at,started_at,finished_at,trigger_cancelled_at}';
    v_old public.pipeline_runs := old;
    v_new public.pipeline_runs := new;
begin
    -- Another trigger guards the snapshot: it can be large, and every heartbeat passes here.
    v_old.blueprint_snapshot := null;
    v_new.blueprint_snapshot := null;
    if (to_jsonb(v_new) - v_mutable) is distinct from (to_jsonb(v_old) - v_mutable)
        or (old.admitted_at is not null and new.admitted_at is distinct from old.admitted_at) then
        perform private.raise_error(409, 'immutable', 'The version and origin of a run cannot be changed.');
    end if;
    if old.finished_at is not null
        and (to_jsonb(v_new) - 'trigger_cancelled_at') is distinct from (to_jsonb(v_old) - 'trigger_cancelled_at') then
        perform private.raise_error(409, 'pipeline_run_finished', format('The run is %s, which is final.', old.status),
            jsonb_build_object('status', old.status));
    end if;
    if new.status is distinct from old.status then
        if not (
            (old.status = 'queued' and new.status in ('running', 'failed', 'cancelled'))
            or (old.status = 'running' and new.status in ('succeeded', 'succeeded_with_errors', 'failed', 'cancelled'))
        ) then
            perform private.raise_error(409, 'invalid_transition',
                format('A run cannot go from %s to %s.', old.status, new.status));
        end if;
        if new.status = 'running' then
            -- This transaction may have begun before the one that admitted the run, and waited for it.
            new.started_at := greatest(now(), new.admitted_at);
            -- A claim shows that Trigger.dev has the run, even if nobody noted that or its start was taken for lost.
            new.dispatched_at := coalesce(new.dispatched_at, now());
        else
            new.finished_at := greatest(now(), new.admitted_at, new.started_at);
        end if;
    end if;
    if new.trigger_run_id is distinct from old.trigger_run_id then
        new.dispatched_at := now();
    end if;
    return new;
end;
$$;
comment on function private.guard_pipeline_run is
    'Trigger: the origin is immutable, terminal states are final, transitions are those of pipeline_run_status. Sets '
    'the times. '
    'Raises 409 immutable, pipeline_run_finished, invalid_transition.';

create trigger pipeline_runs_guard before update on public.pipeline_runs
for each row execute function private.guard_pipeline_run();

create trigger pipeline_runs_snapshot_immutable before update of blueprint_snapshot on public.pipeline_runs
for each row when (new.blueprint_snapshot is distinct from old.blueprint_snapshot)
execute function private.refuse_change();
