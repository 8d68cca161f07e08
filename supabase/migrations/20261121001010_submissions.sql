-- Submissions: batches of records of one company, tied to one blueprint, kept in chunks.
--
-- A submission is `receiving` while chunks come in and `received` afterwards; its chunks never change. The guards bind
-- every writer: RPCs, clients of the Data API, the tasks, Studio.
--
-- A client may write `columns` and `read_as` until the submission is received, so their shape is checked here. The
-- checks are cheap: they turn nothing into text before they know its size.

create type public.submission_source as enum ('json', 'csv', 'ndjson', 'xlsx');
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

create function private.is_count(p_value jsonb) returns boolean
language sql immutable set search_path = '' as $$
    select case
        when jsonb_typeof(p_value) is distinct from 'number' then false
        when p_value::numeric not between 0 and 2147483647 then false
        else p_value::numeric % 1 = 0
    end;
$$;
comment on function private.is_count is
    'Whether a value is a whole number from 0 to 2^31 - 1.';
grant execute on function private.is_count to authenticated;

create function private.is_column_profiles(p_columns jsonb) returns boolean
language plpgsql immutable set search_path = '' as $$
declare
    v_column jsonb;
begin
    if jsonb_typeof(p_columns) is distinct from 'array' or jsonb_array_length(p_columns) > 2000 then
        return false;
    end if;
    for v_column in select c.value from jsonb_array_elements(p_columns) c loop
        if jsonb_typeof(v_column) <> 'object' or v_column - '{name,filled,capitals,lower_case,numeric}'::text[] <> '{}'
            or jsonb_typeof(v_column -> 'name') is distinct from 'string'
            or length(v_column ->> 'name') not between 1 and 255
            or not private.is_count(v_column -> 'filled') or not private.is_count(v_column -> 'capitals')
            or not private.is_count(v_column -> 'lower_case') or not private.is_count(v_column -> 'numeric')
        then
            return false;
        end if;
    end loop;
    return true;
end;
$$;
comment on function private.is_column_profiles is
    'Whether a value is a list of at most 2,000 column profiles: '
    '{"name", "filled", "capitals", "lower_case", "numeric"}.';
grant execute on function private.is_column_profiles to authenticated;

create function private.is_read_as(p_read_as jsonb) returns boolean
language plpgsql immutable set search_path = '' as $$
declare
    v_field record;
    v_cell jsonb;
begin
    if jsonb_typeof(p_read_as) is distinct from 'object' then
        return false;
    end if;
    for v_field in select f.key, f.value, jsonb_typeof(f.value) as type from jsonb_each(p_read_as) f loop
        if v_field.key not in ('notes', 'noted_cells', 'skipped_lines', 'encoding_confidence')
            and (v_field.key not in ('format', 'encoding', 'encoding_source', 'delimiter', 'header', 'sheet')
                or v_field.type not in ('string', 'null') or length(v_field.value #>> '{}') > 200)
        then
            return false;
        end if;
        if v_field.key = 'skipped_lines' and not private.is_count(v_field.value) then
            return false;
        end if;
        if v_field.key = 'encoding_confidence' and v_field.type <> 'null'
            and (v_field.type <> 'number' or v_field.value::numeric not between 0 and 1 or scale(v_field.value::numeric) > 4)
        then
            return false;
        end if;
        if v_field.key = 'notes' and (v_field.type <> 'object' or exists (
            select from jsonb_each(v_field.value) n
            where n.key !~ '^[a-z][a-z_]*$' or length(n.key) > 40 or not private.is_count(n.value)
        )) then
            return false;
        end if;
        if v_field.key = 'noted_cells' then
            if v_field.type <> 'array' or jsonb_array_length(v_field.value) > 20 then
                return false;
            end if;
            for v_cell in select c.value from jsonb_array_elements(v_field.value) c loop
                if jsonb_typeof(v_cell) <> 'object' or v_cell - '{row,line,column}'::text[] <> '{}'
                    or not private.is_count(v_cell -> 'row') or not private.is_count(v_cell -> 'line')
                    or jsonb_typeof(v_cell -> 'column') is distinct from 'string' or length(v_cell ->> 'column') > 255
                then
                    return false;
                end if;
            end loop;
        end if;
    end loop;
    return (select count(*) <= 40 from jsonb_object_keys(coalesce(p_read_as -> 'notes', '{}')));
end;
$$;
comment on function private.is_read_as is
    'Whether a value says how a file was read: format, encoding, encoding_confidence, encoding_source, delimiter, '
    'skipped_lines, header, sheet, notes (counts by name), noted_cells (at most 20 of {"row", "line", "column"}).';
grant execute on function private.is_read_as to authenticated;

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
    columns jsonb not null default '[]'
        check (private.is_bounded(columns, 1048576) and private.is_column_profiles(columns)),
    read_as jsonb check (read_as is null or (private.is_bounded(read_as, 65536) and private.is_read_as(read_as))),
    warn_rejected_share numeric(4, 3) not null default 0.2 check (warn_rejected_share between 0 and 1),
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
comment on column public.submissions.columns is
    'The profile of each column, in the order of the source: how many values are filled, in capitals, in lower case, '
    'numbers. Empty if nobody counted.';
comment on column public.submissions.read_as is
    'How the file was read (encoding, delimiter, repairs); null if there was no file.';
comment on column public.submissions.warn_rejected_share is
    'The run warns if ingestion rejected more than this share of the rows.';

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
grant select,
    insert (company_id, blueprint_id, name, source, fields, columns, read_as, warn_rejected_share, retry_of_run_id),
    update (status, fields, columns, read_as, warn_rejected_share)
on public.submissions to authenticated;

create function private.guard_submission() returns trigger
language plpgsql set search_path = '' as $$
declare
    v_of_ingestion constant text[] :=
        '{status,fields,columns,read_as,warn_rejected_share,record_count,rejected_count,chunk_count,received_at}';
begin
    -- The foreign key clears retry_of_run_id when that run is deleted.
    if new.retry_of_run_id is null and old.retry_of_run_id is not null
        and to_jsonb(new) - 'retry_of_run_id' = to_jsonb(old) - 'retry_of_run_id' then
        return new;
    end if;
    if to_jsonb(new) - v_of_ingestion is distinct from to_jsonb(old) - v_of_ingestion
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
            -- Without the profiles: a page with 2,000 columns an item would be as large as the files.
            select jsonb_build_object('key', jsonb_build_array(s.created_at, s.id), 'item', to_jsonb(s) - 'columns')
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
    'Submissions that the caller can see, newest first, without their columns. Any caller. '
    'Raises 422 invalid_request, invalid_cursor.';
grant execute on function public.list_submissions to authenticated;
