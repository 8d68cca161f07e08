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

create function private.next_turns(p_room int, p_held uuid[]) returns table (org_id uuid, company_id uuid)
language plpgsql stable set search_path = '' as $$
#variable_conflict use_column
begin
    -- Org by org along the index, and company by company in those with room: what waits where there is none costs nothing,
    -- and a thousand waiting runs of one company no more than the places that they might take.
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
        cross join lateral (select max(t.admitted_at) as turn from private.run_turns t where t.org_id = w.org_id) last_of_org
        where of_org.runs < o.max_runs_in_flight
        -- More of them have no turn: each before them has one first, but for those of which nothing can be had.
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
            where r.admitted_at is null and r.finished_at is null and r.org_id = w.org_id and r.company_id > w.company_id
            order by r.company_id
            limit 1
        ) n
    ),
    company as (
        select w.org_id, w.company_id, w.room, coalesce(f.runs, 0) as runs, last_of_company.admitted_at as turn
        from waiting_company w
        left join in_flight f on f.org_id = w.org_id and f.company_id = w.company_id
        left join private.run_turns last_of_company on last_of_company.org_id = w.org_id and last_of_company.company_id = w.company_id
        where w.company_id <> all (p_held)
    ),
    -- With each run that is admitted its company has one more in flight, and has had its turn after all that have not had one
    -- yet. So of those that have equally many by then, those go first that had more to begin with.
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
        window turns_of_org as (partition by c.org_id order by c.runs + place.nth, c.runs desc, c.turn nulls first, c.company_id)
    )
    -- The same among orgs. Of those that never had a turn, whose first company comes first.
    select t.org_id, t.company_id
    from of_org t
    join org o on o.org_id = t.org_id
    where t.nth <= o.room
    order by o.runs + t.nth, o.runs desc, o.turn nulls first, t.runs_of_first, t.turn_of_first nulls first, t.first_company_id
    limit p_room;
end;
$$;
comment on function private.next_turns is
    'Whose waiting runs are admitted next, in this order, where so many places are free in all and nothing of some companies can be had: a row for each run. What admitting one after the other would come to, each time by who has the fewest in flight and whose turn is the longest ago.';

-- Definer: runs of all orgs are compared, and nobody is granted to admit.
create function private.admit_pipeline_runs() returns int
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_admitted int := 0;
    v_room int;
    v_next record;
    v_id uuid;
    -- Companies whose waiting runs somebody else has locked. They wait for whoever creates or ends a run next, or for the
    -- reconciler: who has locked them may end none, as ops.requeue_runs.
    v_held uuid[] := '{}';
    v_held_before uuid[];
begin
    -- Under any other isolation the counts would be those of before the lock. Whoever comes next admits.
    if current_setting('transaction_isolation') <> 'read committed' then
        return 0;
    end if;
    -- One at a time, so that no limit is exceeded. Rows are only ever taken without waiting for them, and the lock is taken as
    -- the last thing of a transaction, so that nobody who holds it waits for somebody who wants it.
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
                -- The turns after it are others then.
                v_held := v_held || v_next.company_id;
                exit;
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
        exit when v_held = v_held_before;
    end loop;
    return v_admitted;
end;
$$;
comment on function private.admit_pipeline_runs is
    'Admits waiting runs as far as the limits let it, and returns how many. When a run is created or ends, when a limit is raised, and by the reconciler. Safe to repeat, and to call by several at once.';

create function private.note_admission_due() returns trigger
language plpgsql set search_path = '' as $$
begin
    perform set_config('private.admission_due', 'true', true);
    return null;
end;
$$;
comment on function private.note_admission_due is
    'Trigger: says in this transaction that runs are created or change their state, so that whichever of them is asked first admits.';

create trigger pipeline_runs_admission_due before insert or update of status on public.pipeline_runs
for each statement execute function private.note_admission_due();

-- Definer: as admit_pipeline_runs, whoever creates or ends a run.
create function private.admit_after_change() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    -- Asked for each run that has changed: the first admits for all, until another statement changes some.
    if current_setting('private.admission_due', true) = 'true' then
        perform set_config('private.admission_due', 'false', true);
        perform private.admit_pipeline_runs();
    end if;
    return null;
end;
$$;
comment on function private.admit_after_change is
    'Trigger: admits when a run is created, and when one has ended and leaves its place. Once for all that a transaction ends.';

-- Deferred, so that its lock is the last that a transaction takes, and is held for the commit alone. The RPCs that create a
-- run have it at once, since they answer whether the run is admitted.
create constraint trigger pipeline_runs_admit after insert on public.pipeline_runs
deferrable initially deferred
for each row execute function private.admit_after_change();

-- A run that ends before its turn leaves no place.
create constraint trigger pipeline_runs_admit_next after update of status on public.pipeline_runs
deferrable initially deferred
for each row when (old.finished_at is null and new.finished_at is not null and new.admitted_at is not null)
execute function private.admit_after_change();

create function private.start_of(p_run public.pipeline_runs) returns jsonb
language sql immutable set search_path = '' as $$
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
comment on function private.start_of is 'What it takes to start the run at Trigger.dev: {pipeline_run_id, org_id, idempotency_key}.';

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
    'Admitted runs that nobody has started, the longest admitted first. Whoever takes one has ten seconds for it before another may.';
