-- Admission of runs: which queued runs may start, so that no org and no company keeps another one waiting.
--
-- A run is in flight from its admission to its end. An org has at most orgs.max_runs_in_flight of them, all orgs
-- together at most private.run_limits.max_runs_in_flight. A free place goes to the org with the fewest in flight,
-- within it to the company with the fewest, among equals to the one whose last turn is the longest ago, and there to
-- the oldest run. Only an admitted run is dispatched, and only an admitted run can be claimed.

create table private.run_limits (
    -- A single row.
    id boolean primary key default true check (id),
    -- Enough for ten orgs of ten runs each. Operators know what the workers and Trigger.dev can carry, and set it:
    -- update private.run_limits set max_runs_in_flight = …
    max_runs_in_flight int not null default 100 check (max_runs_in_flight between 1 and 100000)
);
comment on table private.run_limits is
    'How many runs of all orgs together are in flight at most. One row, set by operators.';
insert into private.run_limits default values;

create table private.run_turns (
    org_id uuid not null,
    company_id uuid not null,
    admitted_at timestamptz not null,
    primary key (org_id, company_id),
    foreign key (org_id, company_id) references public.companies (org_id, id) on delete cascade
);
comment on table private.run_turns is
    'When a run of the company was last admitted. Among equals, the one whose turn is the longest ago is next.';

alter table private.run_limits enable row level security;
alter table private.run_turns enable row level security;

create index pipeline_runs_waiting_idx on public.pipeline_runs (org_id, company_id, created_at, id)
where admitted_at is null and finished_at is null;
create index pipeline_runs_in_flight_idx on public.pipeline_runs (org_id, company_id)
where admitted_at is not null and finished_at is null;

create function private.next_turns(p_room int, p_held uuid[]) returns table (org_id uuid, company_id uuid)
language plpgsql stable set search_path = '' as $$
#variable_conflict use_column
begin
    -- Walks the index org by org, and company by company in orgs with room. Runs that wait in an org without room cost
    -- nothing, and a thousand waiting runs of a company cost no more than the places that they might take.
    return query
    with recursive waiting_org as (
        (
            select r.org_id
            from public.pipeline_runs r
            where r.admitted_at is null and r.finished_at is null
            order by r.org_id
            limit 1
        )
        union all
        select n.org_id
        from waiting_org w
        cross join lateral (
            select r.org_id
            from public.pipeline_runs r
            where r.admitted_at is null and r.finished_at is null and r.org_id > w.org_id
            order by r.org_id
            limit 1
        ) n
    ),
    in_flight as (
        select r.org_id, r.company_id, count(*)::int as runs
        from public.pipeline_runs r
        where r.admitted_at is not null and r.finished_at is null
        group by r.org_id, r.company_id
    ),
    org as (
        select w.org_id, of_org.runs, least(o.max_runs_in_flight - of_org.runs, p_room) as room, last_of_org.turn
        from waiting_org w
        join public.orgs o on o.id = w.org_id
        left join (select f.org_id, sum(f.runs)::int as runs from in_flight f group by f.org_id) f on f.org_id = w.org_id
        cross join lateral (select coalesce(f.runs, 0) as runs) of_org
        cross join lateral (
            select max(t.admitted_at) as turn from private.run_turns t where t.org_id = w.org_id
        ) last_of_org
        where of_org.runs < o.max_runs_in_flight
        -- Later orgs get no place: each org before them takes one, except those whose runs are all held.
        order by of_org.runs, last_of_org.turn nulls first
        fetch first (p_room + cardinality(p_held)) rows with ties
    ),
    waiting_company as (
        select o.org_id, o.room, n.company_id
        from org o
        cross join lateral (
            select r.company_id
            from public.pipeline_runs r
            where r.admitted_at is null and r.finished_at is null and r.org_id = o.org_id
            order by r.company_id
            limit 1
        ) n
        union all
        select w.org_id, w.room, n.company_id
        from waiting_company w
        cross join lateral (
            select r.company_id
            from public.pipeline_runs r
            where r.admitted_at is null and r.finished_at is null
                and r.org_id = w.org_id and r.company_id > w.company_id
            order by r.company_id
            limit 1
        ) n
    ),
    company as (
        select w.org_id, w.company_id, w.room, coalesce(f.runs, 0) as runs, last_of_company.admitted_at as turn
        from waiting_company w
        left join in_flight f on f.org_id = w.org_id and f.company_id = w.company_id
        left join private.run_turns last_of_company
            on last_of_company.org_id = w.org_id and last_of_company.company_id = w.company_id
        where w.company_id <> all (p_held)
    ),
    -- Each admission gives its company one more run in flight, and the latest turn. So among companies that have
    -- equally many by then, those go first that began with more.
    of_org as (
        select c.org_id, c.company_id,
            row_number() over turns_of_org as nth,
            first_value(c.runs) over turns_of_org as runs_of_first,
            first_value(c.turn) over turns_of_org as turn_of_first,
            first_value(c.company_id) over turns_of_org as first_company_id
        from company c
        cross join lateral (
            select 1 as nth
            union all
            select row_number() over () + 1
            from (
                select
                from public.pipeline_runs r
                where c.room > 1 and r.admitted_at is null and r.finished_at is null
                    and r.org_id = c.org_id and r.company_id = c.company_id
                offset 1 limit c.room - 1
            ) more
        ) place
        window turns_of_org as (
            partition by c.org_id
            order by c.runs + place.nth, c.runs desc, c.turn nulls first, c.company_id
        )
    )
    -- The same among orgs. Orgs that never had a turn go by their first company.
    select t.org_id, t.company_id
    from of_org t
    join org o on o.org_id = t.org_id
    where t.nth <= o.room
    order by o.runs + t.nth, o.runs desc, o.turn nulls first,
        t.runs_of_first, t.turn_of_first nulls first, t.first_company_id
    limit p_room;
end;
$$;
comment on function private.next_turns is
    'The companies whose waiting runs are admitted next, in order, one row for each run: at most p_room rows, none of '
    'a company in p_held. The same as admitting one run after another, each time from the org and company with the '
    'fewest in flight, among equals from the one whose turn is the longest ago.';

-- Definer: it compares runs of all orgs, and no role may admit.
create function private.admit_pipeline_runs() returns int
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_admitted int := 0;
    v_room int;
    v_next record;
    v_id uuid;
    -- Companies whose waiting runs another transaction holds locked. They wait until a run is created or ends, or for
    -- the reconciler: the other transaction may do neither (ops.requeue_runs).
    v_held uuid[] := '{}';
    v_held_before uuid[];
begin
    -- In another isolation level the counts would be from before the lock. The next call admits.
    if current_setting('transaction_isolation') <> 'read committed' then
        return 0;
    end if;
    -- One at a time, so that no limit is exceeded. A transaction takes this lock last, and locks rows without waiting,
    -- so its holder never waits for a transaction that wants the lock.
    perform pg_advisory_xact_lock(hashtextextended('private.admit_pipeline_runs', 0));
    loop
        select l.max_runs_in_flight - (
            select count(*) from public.pipeline_runs r where r.admitted_at is not null and r.finished_at is null
        ) into v_room
        from private.run_limits l;
        exit when v_room <= 0;

        v_held_before := v_held;
        for v_next in
            select t.org_id, t.company_id
            from private.next_turns(v_room, v_held) with ordinality t (org_id, company_id, place)
            order by t.place
        loop
            select r.id into v_id
            from public.pipeline_runs r
            where r.org_id = v_next.org_id and r.company_id = v_next.company_id
                and r.admitted_at is null and r.finished_at is null
            order by r.created_at, r.id
            limit 1
            for no key update skip locked;
            if not found then
                -- The turns after it change then.
                v_held := v_held || v_next.company_id;
                exit;
            end if;
            -- The creator of a run starts it if it is admitted at once. What a client noted of a waiting run is void.
            update public.pipeline_runs
            set admitted_at = clock_timestamp(), dispatched_at = null,
                start_taken_at = case when created_at = now() then now() end
            where id = v_id;
            insert into private.run_turns (org_id, company_id, admitted_at)
            values (v_next.org_id, v_next.company_id, clock_timestamp())
            on conflict (org_id, company_id) do update set admitted_at = excluded.admitted_at;
            v_admitted := v_admitted + 1;
        end loop;
        exit when v_held = v_held_before;
    end loop;
    return v_admitted;
end;
$$;
comment on function private.admit_pipeline_runs is
    'Admits waiting runs within the limits, and returns how many. Called when a run is created or ends, when a limit '
    'is raised, and by the reconciler. Safe to repeat, also at the same time.';

create function private.note_admission_due() returns trigger
language plpgsql set search_path = '' as $$
begin
    perform set_config('private.admission_due', 'true', true);
    return null;
end;
$$;
comment on function private.note_admission_due is
    'Trigger: notes that the transaction creates runs or changes their status, so that private.admit_after_change '
    'admits once for all of them.';

create trigger pipeline_runs_admission_due before insert or update of status on public.pipeline_runs
for each statement execute function private.note_admission_due();

-- Definer: it calls private.admit_pipeline_runs, which no role may call.
create function private.admit_after_change() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    -- Called for each changed run: the first call admits for all, until another statement changes runs.
    if current_setting('private.admission_due', true) = 'true' then
        perform set_config('private.admission_due', 'false', true);
        perform private.admit_pipeline_runs();
    end if;
    return null;
end;
$$;
comment on function private.admit_after_change is
    'Trigger: admits when a run is created, and when an admitted run ends and frees its place. Once for all runs that '
    'a transaction ends.';

-- Deferred, so that its lock is the last one that a transaction takes, and is held for the commit alone. RPCs that
-- create a run make it immediate, because they answer whether the run is admitted.
create constraint trigger pipeline_runs_admit after insert on public.pipeline_runs
deferrable initially deferred
for each row execute function private.admit_after_change();

-- A run that ends before its admission frees no place.
create constraint trigger pipeline_runs_admit_next after update of status on public.pipeline_runs
deferrable initially deferred
for each row when (old.finished_at is null and new.finished_at is not null and new.admitted_at is not null)
execute function private.admit_after_change();

create function private.start_of(p_run public.pipeline_runs) returns jsonb
language sql immutable set search_path = '' as $$
    select jsonb_build_object(
        'pipeline_run_id', p_run.id,
        'org_id', p_run.org_id,
        -- The key stays the same until the run is claimed or its start is lost, so that Trigger.dev does not start it
        -- twice. The API uses the run's id alone.
        'idempotency_key', case
            when p_run.status = 'running' then p_run.id || ':' || p_run.restart_count + 1
            else p_run.id::text
        end || case when p_run.lost_start_count > 0 then ':start:' || p_run.lost_start_count else '' end
    );
$$;
comment on function private.start_of is
    'What starting the run at Trigger.dev needs: {pipeline_run_id, org_id, idempotency_key}.';

create function private.take_starts(p_limit int) returns jsonb
language sql volatile set search_path = '' as $$
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
comment on function private.take_starts is
    'Takes admitted runs that nobody has started, the longest admitted first. Nobody else may take one for ten '
    'seconds.';
