-- Submissions: batches of records of one company, tied to one blueprint, kept in chunks.
--
-- A submission is `receiving` while chunks come in and `received` afterwards; its chunks never change. The guards bind
-- every writer: RPCs, clients of the Data API, the tasks, Studio.

create type public.submission_source as enum ('json', 'csv', 'ndjson');
comment on type public.submission_source is 'How the records came in.';

create type public.submission_status as enum ('receiving', 'received', 'expired');
comment on type public.submission_status is 'receiving → received, or receiving → expired when an upload was given up.';

create function private.are_fields(p_fields text[]) returns boolean
language sql immutable set search_path = '' as $$
    select cardinality(p_fields) <= 2000 and coalesce(array_ndims(p_fields), 1) = 1 and array_position(p_fields, null) is null
        and not exists (select from unnest(p_fields) f (name) where length(f.name) > 255)
        and (select coalesce(sum(octet_length(f.name)), 0) <= 65536 from unnest(p_fields) f (name));
$$;
comment on function private.are_fields is
    'Whether these are field names of a submission: at most 2,000, of 255 characters each, 64 kB together.';
grant execute on function private.are_fields to authenticated;

create function private.first_fields(p_fields text[]) returns text[]
language sql immutable set search_path = '' as $$
    select array_agg(kept.name order by kept.place)
    from (
        select f.name, f.place, sum(octet_length(f.name)) over (order by f.place) as bytes,
            row_number() over (order by f.place) as number
        from unnest(p_fields) with ordinality f (name, place)
        where length(f.name) <= 255
    ) kept
    where kept.number <= 2000 and kept.bytes <= 65536;
$$;
comment on function private.first_fields is
    'The first names that private.are_fields allows; null if there is none. The names only give an order: the records '
    'keep all of their fields.';
grant execute on function private.first_fields to authenticated;

create table public.submissions (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null default private.caller_org_id() references public.orgs (id) on delete cascade,
    company_id uuid not null,
    blueprint_id uuid not null,
    name text check (length(btrim(name)) >= 1 and length(name) <= 200),
    source public.submission_source not null,
    status public.submission_status not null default 'receiving',
    record_count int not null default 0,
    rejected_count int not null default 0,
    chunk_count int not null default 0,
    -- One dimension without nulls: clients could not read anything else.
    fields text[] not null default '{}' check (private.are_fields(fields)),
    -- …_pipeline_runs.sql adds the foreign key: the two tables refer to each other.
    retry_of_run_id uuid,
    created_by uuid not null default private.caller_user_id(),
    created_at timestamptz not null default now(),
    received_at timestamptz,
    unique (org_id, company_id, id),
    foreign key (org_id, company_id) references public.companies (org_id, id) on delete restrict,
    foreign key (org_id, blueprint_id) references public.blueprints (org_id, id) on delete restrict,
    foreign key (org_id, created_by) references public.users (org_id, id) on delete restrict,
    check ((status = 'received') = (received_at is not null))
);
comment on table public.submissions is 'A batch of records of one company, tied to one blueprint.';
comment on column public.submissions.record_count is 'Records in the chunks. Counted by trigger.';
comment on column public.submissions.rejected_count is 'Rows refused at ingestion. Counted by trigger.';
comment on column public.submissions.retry_of_run_id is
    'The run whose rejected records are submitted again here; null for records from outside, or when that run was '
    'purged.';
comment on column public.submissions.fields is 'Field names in the order of the source, since jsonb keeps none.';

create index submissions_org_id_created_at_idx on public.submissions (org_id, created_at desc, id desc);
create index submissions_org_id_company_id_created_at_idx
on public.submissions (org_id, company_id, created_at desc, id desc);
create index submissions_org_id_blueprint_id_idx on public.submissions (org_id, blueprint_id);
create index submissions_org_id_created_by_idx on public.submissions (org_id, created_by);
create index submissions_receiving_idx on public.submissions (created_at) where status = 'receiving';

-- A company's rows are all of one org. Without this the planner takes the two for independent.
create statistics public.submissions_tenant (dependencies) on org_id, company_id from public.submissions;
comment on statistics public.submissions_tenant is 'Company decides org.';

alter table public.submissions enable row level security;

create policy submissions_select_visible on public.submissions for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);
create policy submissions_insert_visible on public.submissions for insert to authenticated
with check (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
    and created_by = (select private.caller_user_id())
);
create policy submissions_update_creator_or_admin on public.submissions for update to authenticated
using (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
    and ((select private.caller_role()) >= 'company_admin' or created_by = (select private.caller_user_id()))
)
with check (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
    and ((select private.caller_role()) >= 'company_admin' or created_by = (select private.caller_user_id()))
    and status in ('receiving', 'received')
);

-- No delete grant: submissions are history.
grant select, insert (company_id, blueprint_id, name, source, fields, retry_of_run_id), update (status, fields)
on public.submissions to authenticated;

create function private.guard_submission() returns trigger
language plpgsql set search_path = '' as $$
begin
    -- The foreign key clears retry_of_run_id when that run is deleted.
    if new.retry_of_run_id is null and old.retry_of_run_id is not null
        and to_jsonb(new) - 'retry_of_run_id' = to_jsonb(old) - 'retry_of_run_id' then
        return new;
    end if;
    if (to_jsonb(new) - '{status,fields,record_count,rejected_count,chunk_count,received_at}'::text[])
        is distinct from (to_jsonb(old) - '{status,fields,record_count,rejected_count,chunk_count,received_at}'::text[])
        or old.status is distinct from 'receiving' then
        perform private.raise_error(409, 'immutable', 'A received submission is history and cannot be changed.');
    end if;
    if new.status = 'received' then
        if new.record_count = 0 then
            perform private.raise_error(422, 'submission_empty', 'The submission has no record that could be read.',
                jsonb_build_object('rejected_count', new.rejected_count));
        end if;
        new.received_at := now();
    end if;
    return new;
end;
$$;
comment on function private.guard_submission is
    'Trigger: receiving → received (with at least one record) or expired, both final. '
    'Raises 409 immutable, 422 submission_empty.';

create trigger submissions_guard before update on public.submissions
for each row execute function private.guard_submission();

create function private.lock_receiving_submission(p_submission_id uuid) returns public.submissions
language plpgsql volatile set search_path = '' as $$
declare
    v_submission public.submissions;
begin
    select s.* into v_submission
    from public.submissions s
    where s.id = p_submission_id
    for no key update;
    if not found then
        if exists (select from public.submissions s where s.id = p_submission_id) then
            perform private.raise_error(403, 'forbidden', 'A member writes only to the submissions that it created.');
        end if;
        perform private.raise_error(404, 'submission_not_found', 'No such submission.');
    end if;
    if v_submission.status <> 'receiving' then
        perform private.raise_error(409, 'submission_not_receiving',
            format('The submission is %s and takes no more records.', v_submission.status));
    end if;
    return v_submission;
end;
$$;
comment on function private.lock_receiving_submission is
    'Locks a submission that still takes records. '
    'Raises 403 forbidden, 404 submission_not_found, 409 submission_not_receiving.';
grant execute on function private.lock_receiving_submission to authenticated;

create function public.get_submission(p_submission_id uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_submission public.submissions;
begin
    select s.* into v_submission from public.submissions s where s.id = p_submission_id;
    if not found then
        perform private.raise_error(404, 'submission_not_found', 'No such submission.');
    end if;
    return to_jsonb(v_submission);
end;
$$;
comment on function public.get_submission is
    'One submission. Any caller who can see its company. '
    'Raises 404 submission_not_found.';
grant execute on function public.get_submission to authenticated;

create function public.list_submissions(
    p_company_id uuid default null,
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
    return private.page(
        array(
            select jsonb_build_object('key', jsonb_build_array(s.created_at, s.id), 'item', to_jsonb(s))
            from public.submissions s
            -- The policy says this too, but the planner could not choose the index by it.
            where s.org_id = v_caller.org_id
                and (v_company_id is null or s.company_id = v_company_id)
                and (s.created_at, s.id) < (v_before.created_at, v_before.id)
            order by s.created_at desc, s.id desc
            limit v_limit + 1
        ),
        v_limit
    );
end;
$$;
comment on function public.list_submissions is
    'Submissions that the caller can see, newest first. Any caller. '
    'Raises 422 invalid_request, invalid_cursor.';
grant execute on function public.list_submissions to authenticated;
