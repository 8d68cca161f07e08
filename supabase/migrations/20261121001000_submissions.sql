-- Submissions: batches of records of one company, tied to one blueprint, kept in chunks.
--
-- A submission is `receiving` while chunks come in and `received` from then on; its chunks never change. The
-- guards hold for every writer: the RPCs, a client at the Data API, the tasks, Studio.
--
-- Longer than most files: what belongs to one noun stays together.

create type public.submission_source as enum ('json', 'csv', 'ndjson');
comment on type public.submission_source is 'How the records came in.';

create type public.submission_status as enum ('receiving', 'received', 'expired');
comment on type public.submission_status is 'receiving → received, or receiving → expired when an upload was given up.';

create table public.submissions (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null default private.caller_org_id() references public.orgs (id) on delete cascade,
    company_id uuid not null,
    blueprint_id uuid not null,
    name text check (length(btrim(name)) between 1 and 200),
    source public.submission_source not null,
    status public.submission_status not null default 'receiving',
    record_count int not null default 0,
    rejected_count int not null default 0,
    chunk_count int not null default 0,
    -- One dimension without nulls, or no client could read the list that it is in.
    fields text[] not null default '{}' check (
        cardinality(fields) <= 10000 and coalesce(array_ndims(fields), 1) = 1 and array_position(fields, null) is null
    ),
    -- A foreign key that …_retries.sql adds, since runs come after submissions.
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
comment on column public.submissions.retry_of_run_id is 'The run whose rejected records these are, once more; null when they came from outside, or when that run was purged.';
comment on column public.submissions.fields is 'Field names in the order of the source, since jsonb keeps none.';

create index submissions_org_id_created_at_idx on public.submissions (org_id, created_at desc, id desc);
create index submissions_org_id_company_id_created_at_idx on public.submissions (org_id, company_id, created_at desc, id desc);
create index submissions_org_id_blueprint_id_idx on public.submissions (org_id, blueprint_id);
create index submissions_org_id_created_by_idx on public.submissions (org_id, created_by);
create index submissions_receiving_idx on public.submissions (created_at) where status = 'receiving';

create table public.submission_chunks (
    org_id uuid not null,
    company_id uuid not null,
    submission_id uuid not null,
    chunk_index int not null check (chunk_index >= 0),
    records jsonb not null,
    record_count int not null,
    last_row int not null,
    created_at timestamptz not null default now(),
    primary key (submission_id, chunk_index),
    foreign key (org_id, company_id, submission_id)
        references public.submissions (org_id, company_id, id) on delete cascade
);
comment on table public.submission_chunks is 'Up to 1,000 records of a submission: [{"id": row, "data": {…}}]. Immutable.';
comment on column public.submission_chunks.last_row is 'Highest row number so far: row numbers increase from chunk to chunk.';

create index submission_chunks_org_id_company_id_idx on public.submission_chunks (org_id, company_id, submission_id);

-- A company's rows are all of one org, which the planner would take for independent.
create statistics public.submissions_tenant (dependencies) on org_id, company_id from public.submissions;
comment on statistics public.submissions_tenant is 'Company decides org.';

alter table public.submissions enable row level security;
alter table public.submission_chunks enable row level security;

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

create policy submission_chunks_select_visible on public.submission_chunks for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);
create policy submission_chunks_insert_visible on public.submission_chunks for insert to authenticated
with check (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);

-- No delete grant: submissions are history. Chunks have no update grant: they are immutable.
grant select, insert (company_id, blueprint_id, name, source, fields, retry_of_run_id), update (status, fields)
on public.submissions to authenticated;
grant select, insert (submission_id, chunk_index, records) on public.submission_chunks to authenticated;

create function private.guard_submission() returns trigger
language plpgsql set search_path = '' as $$
begin
    -- The run that the records came from is gone, by its foreign key.
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
comment on function private.guard_submission is 'Trigger: receiving → received (with at least one record) or expired, both final. Raises 409 immutable, 422 submission_empty.';

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
        perform private.raise_error(409, 'submission_not_receiving', format('The submission is %s and takes no more records.', v_submission.status));
    end if;
    return v_submission;
end;
$$;
comment on function private.lock_receiving_submission is
    'The submission, locked, if it still takes records. Raises 403 forbidden, 404 submission_not_found, 409 submission_not_receiving.';
grant execute on function private.lock_receiving_submission to authenticated;

create function private.check_records(p_records jsonb) returns void
language plpgsql immutable set search_path = '' as $$
begin
    if jsonb_typeof(p_records) is distinct from 'array' then
        perform private.raise_error(422, 'invalid_records', 'Records must be an array of {"id", "data"}.');
    end if;
    if exists (
        select from jsonb_array_elements(p_records) r
        where jsonb_typeof(r) <> 'object'
            or jsonb_typeof(r -> 'id') is distinct from 'string'
            or r ->> 'id' !~ '^[1-9][0-9]{0,8}(\.[1-9][0-9]{0,8}){0,8}$'
            or jsonb_typeof(r -> 'data') is distinct from 'object'
            or r - '{id,data}'::text[] <> '{}'
    ) then
        perform private.raise_error(422, 'invalid_records', 'Each record must be {"id": row number as text, "data": object}.');
    end if;
end;
$$;
comment on function private.check_records is 'Checks the shape of a chunk''s records. Raises 422 invalid_records.';
grant execute on function private.check_records to authenticated;

-- The setting: how a double is written out decides whether it is the number.
create function private.is_double(p_number numeric) returns boolean
language sql immutable set search_path = ''
set extra_float_digits = 1
as $$
    select case
        when abs(p_number) <= 9007199254740991 then p_number = 0 or abs(p_number) > 2.4703282292062327e-324
        when abs(p_number) > 1.7976931348623157e308 then false
        -- JavaScript writes one digit less where Postgres keeps off the very edge of what reads as the same double.
        else (
            select p_number = d.number
                or length(rtrim(replace(abs(p_number)::text, '.', ''), '0')) < length(rtrim(abs(d.number)::text, '0'))
            from (select p_number::float8::text::numeric as number) d
        )
    end;
$$;
comment on function private.is_double is
    'Whether a program that counts in doubles writes the number as it read it. Digits after the point may be too many; beyond 2^53 none may be lost.';
grant execute on function private.is_double to authenticated;

create function private.check_numbers(p_records jsonb, p_text text) returns void
language plpgsql immutable set search_path = '' as $$
declare
    v_found record;
begin
    -- Nearly all chunks end here, after a look that costs them little.
    if not jsonb_path_exists(p_records, 'strict $.** ? (@.abs() > 9007199254740991)')
        and strpos(p_text, '0.' || repeat('0', 300)) = 0
    then
        return;
    end if;
    select (r.value ->> 'id')::int as row, left(f.key, 100) as field into v_found
    from jsonb_array_elements(p_records) with ordinality r, jsonb_each(r.value -> 'data') f
    where exists (
        select from jsonb_path_query(f.value, 'strict $.** ? (@.type() == "number")') n
        where not private.is_double(n::numeric)
    )
    order by r.ordinality, f.key
    limit 1;
    if found then
        perform private.raise_error(422, 'invalid_records',
            format('Record %s has a number in %s that would lose digits or is out of range; send it as text.',
                v_found.row, to_json(v_found.field)),
            jsonb_build_object('row', v_found.row, 'field', v_found.field));
    end if;
end;
$$;
comment on function private.check_numbers is
    'Refuses submitted records, also given as text, with a number that the worker would change silently: it reads them as doubles. Raises 422 invalid_records.';
grant execute on function private.check_numbers to authenticated;

create function private.check_verdicts(p_verdicts jsonb) returns void
language plpgsql immutable set search_path = '' as $$
begin
    if jsonb_typeof(p_verdicts) is distinct from 'array' then
        perform private.raise_error(422, 'invalid_records', 'Verdicts must be an array of {"id", "reason", "message", "details"}.');
    end if;
    if exists (
        select from jsonb_array_elements(p_verdicts) v
        where jsonb_typeof(v) <> 'object'
            or jsonb_typeof(v -> 'id') is distinct from 'string'
            or length(v ->> 'id') not between 1 and 100
            or jsonb_typeof(v -> 'reason') is distinct from 'string'
            or v ->> 'reason' !~ '^[a-z][a-z0-9_]{0,62}$'
            or jsonb_typeof(v -> 'message') is distinct from 'string'
            or coalesce(jsonb_typeof(v -> 'details'), 'null') not in ('object', 'null')
    ) then
        perform private.raise_error(422, 'invalid_records',
            'Each verdict must be {"id": text, "reason": snake_case code, "message": text, "details": object}.');
    end if;
end;
$$;
comment on function private.check_verdicts is 'Checks the shape of rejected or dropped records. Raises 422 invalid_records.';
grant execute on function private.check_verdicts to authenticated;

create function private.fill_submission_chunk() returns trigger
language plpgsql set search_path = '' as $$
declare
    v_submission public.submissions := private.lock_receiving_submission(new.submission_id);
    v_text text := new.records::text;
    v_previous_row int;
    v_increasing boolean;
begin
    perform private.check_records(new.records);
    new.org_id := v_submission.org_id;
    new.company_id := v_submission.company_id;
    new.record_count := jsonb_array_length(new.records);

    if new.record_count > 1000 or octet_length(v_text) > 4194304 then
        perform private.raise_error(413, 'chunk_too_large', 'A chunk holds at most 1,000 records and 4 MB.');
    end if;
    if new.chunk_index <> v_submission.chunk_count then
        perform private.raise_error(409, 'conflict', format('The next chunk of this submission is %s.', v_submission.chunk_count),
            jsonb_build_object('next_chunk_index', v_submission.chunk_count));
    end if;

    select coalesce(max(c.last_row), 0) into v_previous_row
    from public.submission_chunks c
    where c.submission_id = new.submission_id and c.chunk_index = new.chunk_index - 1;
    if exists (select from jsonb_array_elements(new.records) r where r ->> 'id' like '%.%') then
        perform private.raise_error(422, 'invalid_records', 'Ids of submitted records are row numbers.');
    end if;
    select coalesce(bool_and(numbered.row > numbered.previous), true), coalesce(max(numbered.row), v_previous_row)
    into v_increasing, new.last_row
    from (
        select (r.value ->> 'id')::int as row,
            lag((r.value ->> 'id')::int, 1, v_previous_row) over (order by r.ordinality) as previous
        from jsonb_array_elements(new.records) with ordinality r
    ) numbered;
    if not v_increasing then
        perform private.raise_error(422, 'invalid_records', 'Row numbers must increase, within a chunk and from chunk to chunk.');
    end if;
    perform private.check_numbers(new.records, v_text);
    return new;
end;
$$;
comment on function private.fill_submission_chunk is
    'Trigger: checks a new chunk and fills in what it counts. Raises 403 forbidden, 404 submission_not_found, 409 submission_not_receiving, conflict (not the next chunk), 413 chunk_too_large, 422 invalid_records.';

create trigger submission_chunks_fill before insert on public.submission_chunks
for each row execute function private.fill_submission_chunk();

create trigger submission_chunks_immutable before update on public.submission_chunks
for each row execute function private.refuse_change();

-- Definer: counts are kept by the database, so nobody is granted to write them.
create function private.count_submission_chunk() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    update public.submissions
    set record_count = record_count + new.record_count, chunk_count = chunk_count + 1
    where id = new.submission_id;
    return null;
end;
$$;
comment on function private.count_submission_chunk is 'Trigger: keeps record_count and chunk_count of the submission.';

create trigger submission_chunks_count after insert on public.submission_chunks
for each row execute function private.count_submission_chunk();

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
comment on function public.get_submission is 'One submission. Any caller who can see its company. Raises 404 submission_not_found.';
grant execute on function public.get_submission to authenticated;

create function public.list_submissions(
    p_company_id uuid default null,
    p_limit int default 50,
    p_cursor text default null
) returns jsonb
language plpgsql stable set search_path = ''
-- Which index serves the list depends on what it is filtered by.
set plan_cache_mode = force_custom_plan
as $$
declare
    v_caller private.caller := private.require_caller();
    v_limit int := private.check_limit(p_limit);
    v_after jsonb := private.decode_cursor(p_cursor, 'timestamptz', 'uuid');
    v_company_id uuid := coalesce(p_company_id, v_caller.company_id);
begin
    return private.page(
        array(
            select to_jsonb(s)
            from public.submissions s
            -- The policy says so as well, but too late for the planner to choose the index by it.
            where s.org_id = v_caller.org_id
                and (v_company_id is null or s.company_id = v_company_id)
                and (
                    v_after is null
                    or (s.created_at, s.id) < ((v_after ->> 0)::timestamptz, (v_after ->> 1)::uuid)
                )
            order by s.created_at desc, s.id desc
            limit v_limit + 1
        ),
        v_limit, 'created_at', 'id'
    );
end;
$$;
comment on function public.list_submissions is 'Submissions that the caller can see, newest first. Any caller. Raises 422 invalid_request, invalid_cursor.';
grant execute on function public.list_submissions to authenticated;
