-- Admission: which queued runs may start, so that no org and no company keeps another one waiting.
--
-- A run is in flight from its admission to its end. An org has at most orgs.max_runs_in_flight of them, all orgs together at
-- most private.run_limits.max_runs_in_flight. A free place goes to the org with the fewest in flight, within it to the
-- company with the fewest, of equals to whoever had its last turn the longest ago, and there to the oldest run. Only an admitted
-- run is dispatched, and only an admitted run can be claimed.

create table private.run_limits (
    -- One row, for ever.
    id boolean primary key default true check (id),
    -- Together with an org's ten it keeps ten busy orgs apart; what the workers and Trigger.dev's concurrency can carry is
    -- the operator's to know: update private.run_limits set max_runs_in_flight = …
    max_runs_in_flight int not null default 100 check (max_runs_in_flight between 1 and 100000)
);
comment on table private.run_limits is 'How many runs of all orgs together are in flight at most. One row, set by operators.';
insert into private.run_limits default values;

create table private.run_turns (
    org_id uuid not null,
    company_id uuid not null,
    admitted_at timestamptz not null,
    primary key (org_id, company_id),
    foreign key (org_id, company_id) references public.companies (org_id, id) on delete cascade
);
comment on table private.run_turns is 'When a run of the company was last admitted: of equals, the one whose turn is the longest ago is next.';

alter table private.run_limits enable row level security;
alter table private.run_turns enable row level security;

create index pipeline_runs_waiting_idx on public.pipeline_runs (org_id, company_id, created_at, id)
where admitted_at is null and finished_at is null;
create index pipeline_runs_in_flight_idx on public.pipeline_runs (org_id, company_id)
where admitted_at is not null and finished_at is null;

-- Definer: runs of all orgs are compared, and nobody is granted to admit.
create function private.admit_pipeline_runs()
returns int
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
    v_admitted int := 0;
    v_next record;
    v_id uuid;
    -- Companies whose waiting runs somebody else is changing. Who that is admits when done.
    v_held uuid[] := '{}';
begin
    -- Under any other isolation the counts would be those of before the lock. Whoever comes next admits.
    if current_setting('transaction_isolation') <> 'read committed' then
        return 0;
    end if;
    -- One at a time, so that no limit is exceeded. Rows are only ever taken without waiting for them, and the lock is taken as
    -- the last thing of a transaction, so that nobody who holds it waits for somebody who wants it.
    perform pg_advisory_xact_lock(hashtextextended('private.admit_pipeline_runs', 0));
    loop
        -- Company by company along the index: a thousand waiting runs of one cost no more than one.
        with recursive waiting as (
            (
                select r.org_id, r.company_id
                from public.pipeline_runs r
                where r.admitted_at is null and r.finished_at is null
                order by r.org_id, r.company_id
                limit 1
            )
            union all
            select n.org_id, n.company_id
            from waiting w
            cross join lateral (
                select r.org_id, r.company_id
                from public.pipeline_runs r
                where r.admitted_at is null and r.finished_at is null
                    and (r.org_id, r.company_id) > (w.org_id, w.company_id)
                order by r.org_id, r.company_id
                limit 1
            ) n
        ),
        in_flight as (
            select r.org_id, r.company_id, count(*) as runs
            from public.pipeline_runs r
            where r.admitted_at is not null and r.finished_at is null
            group by r.org_id, r.company_id
        )
        select w.org_id, w.company_id into v_next
        from waiting w
        join public.orgs o on o.id = w.org_id
        cross join lateral (select coalesce(sum(f.runs), 0) as runs from in_flight f where f.org_id = w.org_id) of_org
        cross join lateral (select coalesce(sum(f.runs), 0) as runs from in_flight f where f.company_id = w.company_id) of_company
        cross join lateral (select max(t.admitted_at) as turn from private.run_turns t where t.org_id = w.org_id) last_of_org
        left join private.run_turns last_of_company on last_of_company.org_id = w.org_id and last_of_company.company_id = w.company_id
        where of_org.runs < o.max_runs_in_flight
            and (select coalesce(sum(f.runs), 0) from in_flight f) < (select l.max_runs_in_flight from private.run_limits l)
            and w.company_id <> all (v_held)
        order by of_org.runs, last_of_org.turn nulls first, of_company.runs, last_of_company.admitted_at nulls first, w.company_id
        limit 1;
        exit when not found;

        select r.id into v_id
        from public.pipeline_runs r
        where r.org_id = v_next.org_id and r.company_id = v_next.company_id
            and r.admitted_at is null and r.finished_at is null
        order by r.created_at, r.id
        limit 1
        for no key update skip locked;
        if not found then
            v_held := v_held || v_next.company_id;
            continue;
        end if;
        -- Whoever created it in this transaction starts it. What a client noted of a run that waits counts for nothing.
        update public.pipeline_runs
        set admitted_at = clock_timestamp(), dispatched_at = null, start_taken_at = case when created_at = now() then now() end
        where id = v_id;
        insert into private.run_turns (org_id, company_id, admitted_at)
        values (v_next.org_id, v_next.company_id, clock_timestamp())
        on conflict (org_id, company_id) do update set admitted_at = excluded.admitted_at;
        v_admitted := v_admitted + 1;
    end loop;
    return v_admitted;
end;
$$;
comment on function private.admit_pipeline_runs() is
    'Admits waiting runs as far as the limits let it, and returns how many. When a run is created or ends, when a limit is raised, and by the reconciler. Safe to repeat, and to call by several at once.';

-- Definer: as admit_pipeline_runs, whoever creates or ends a run.
create function private.admit_after_change()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        perform private.admit_pipeline_runs();
    elsif new.finished_at is not null and old.finished_at is null then
        perform private.admit_pipeline_runs();
    end if;
    return null;
end;
$$;
comment on function private.admit_after_change() is 'Trigger: admits when a run is created, and when one has ended and leaves its place.';

-- Deferred, so that its lock is the last that a transaction takes, and is held for the commit alone. The RPCs that create a
-- run have it at once, since they answer whether the run is admitted.
create constraint trigger pipeline_runs_admit after insert or update of status on public.pipeline_runs
deferrable initially deferred
for each row execute function private.admit_after_change();

create function private.start_of(p_run public.pipeline_runs)
returns jsonb
language sql
immutable
security invoker
set search_path = ''
as $$
    select jsonb_build_object(
        'pipeline_run_id', p_run.id,
        'org_id', p_run.org_id,
        -- The key stays until the run is claimed or its start was lost, so that a start which Trigger.dev still holds is
        -- not doubled. The API starts under the run's id alone.
        'idempotency_key', case
            when p_run.status = 'running' then p_run.id || ':' || p_run.restart_count + 1
            else p_run.id::text
        end || case when p_run.lost_start_count > 0 then ':start:' || p_run.lost_start_count else '' end
    );
$$;
comment on function private.start_of(public.pipeline_runs) is 'What it takes to start the run at Trigger.dev: {pipeline_run_id, org_id, idempotency_key}.';

create function private.take_starts(p_limit int)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
as $$
    with due as (
        select r.id
        from public.pipeline_runs r
        where r.admitted_at is not null and r.finished_at is null and r.status = 'queued' and r.dispatched_at is null
            and (r.start_taken_at is null or r.start_taken_at < now() - interval '10 seconds')
        order by r.admitted_at
        limit p_limit
        for no key update skip locked
    ),
    taken as (
        update public.pipeline_runs r
        set start_taken_at = now()
        from due
        where r.id = due.id
        returning r.*
    )
    select coalesce(jsonb_agg(private.start_of(t) order by t.admitted_at), '[]') from taken t;
$$;
comment on function private.take_starts(int) is
    'Admitted runs that nobody has started, the longest admitted first. Whoever takes one has ten seconds for it before another may.';
