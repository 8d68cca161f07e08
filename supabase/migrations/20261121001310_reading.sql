-- Reading: what ingestion found out about a file is kept with its submission.
--
-- `columns` profiles each column, `read_as` says how the file was read. A client may write both until the submission is
-- received, so their shape is checked here, and cheaply: nothing of them is turned into text before its size is known.

alter type public.submission_source add value 'xlsx';

create function private.is_count(p_value jsonb)
returns boolean
language sql
immutable
security invoker
parallel safe
set search_path = ''
as $$
    select case
        when jsonb_typeof(p_value) is distinct from 'number' then false
        when p_value::numeric not between 0 and 2147483647 then false
        else p_value::numeric % 1 = 0
    end;
$$;
comment on function private.is_count(jsonb) is 'Whether a value is a whole number from 0 to 2^31 - 1.';
grant execute on function private.is_count(jsonb) to authenticated;

create function private.is_column_profiles(p_columns jsonb)
returns boolean
language plpgsql
immutable
security invoker
parallel safe
set search_path = ''
as $$
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
comment on function private.is_column_profiles(jsonb) is
    'Whether a value is a list of at most 2,000 column profiles: {"name", "filled", "capitals", "lower_case", "numeric"}.';
grant execute on function private.is_column_profiles(jsonb) to authenticated;

create function private.is_read_as(p_read_as jsonb)
returns boolean
language plpgsql
immutable
security invoker
parallel safe
set search_path = ''
as $$
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
comment on function private.is_read_as(jsonb) is
    'Whether a value says how a file was read: format, encoding, encoding_confidence, encoding_source, delimiter, skipped_lines, header, sheet, notes (counts by name), noted_cells (at most 20 of {"row", "line", "column"}).';
grant execute on function private.is_read_as(jsonb) to authenticated;

alter table public.submissions
    add column columns jsonb not null default '[]' check (private.is_column_profiles(columns)),
    add column read_as jsonb check (read_as is null or private.is_read_as(read_as)),
    add column warn_rejected_share numeric(4, 3) not null default 0.2 check (warn_rejected_share between 0 and 1);
comment on column public.submissions.columns is
    'What ingestion counted of each column, in the order of the source: values that are filled, in capitals, in lower case, numbers. Empty when nobody counted.';
comment on column public.submissions.read_as is 'How the file was read (encoding, delimiter, what was mended); null when it was no file.';
comment on column public.submissions.warn_rejected_share is 'The run warns when more than this share of the rows was rejected at ingestion.';

grant insert (columns, read_as, warn_rejected_share), update (columns, read_as, warn_rejected_share)
on public.submissions to authenticated;

create or replace function private.guard_submission()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_of_ingestion constant text[] :=
        '{status,fields,columns,read_as,warn_rejected_share,record_count,rejected_count,chunk_count,received_at}';
begin
    -- The run that the records came from is gone, by its foreign key.
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

drop function private.receive_submission(uuid, text[]);
create function private.receive_submission(
    p_submission_id uuid,
    p_fields text[],
    p_columns jsonb default null,
    p_read_as jsonb default null,
    p_warn_rejected_share numeric default null
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
    v_submission public.submissions := private.lock_receiving_submission(p_submission_id);
    v_run_id uuid;
begin
    update public.submissions
    set status = 'received',
        fields = coalesce(p_fields, fields),
        columns = coalesce(p_columns, columns),
        read_as = coalesce(p_read_as, read_as),
        warn_rejected_share = coalesce(p_warn_rejected_share, warn_rejected_share)
    where id = v_submission.id;
    insert into public.pipeline_runs (submission_id) values (v_submission.id) returning id into v_run_id;
    set constraints public.pipeline_runs_admit immediate;
    return jsonb_build_object('submission_id', v_submission.id, 'pipeline_run_id', v_run_id);
end;
$$;
comment on function private.receive_submission(uuid, text[], jsonb, jsonb, numeric) is
    'Closes a submission and creates its first run. Raises 403 forbidden, 404 submission_not_found, 409 submission_not_receiving, 422 submission_empty, invalid_request.';
grant execute on function private.receive_submission(uuid, text[], jsonb, jsonb, numeric) to authenticated;

drop function public.create_submission(uuid, uuid, jsonb, text, text[], text, text);
create function public.create_submission(
    p_company_id uuid,
    p_blueprint_id uuid,
    p_records jsonb,
    p_name text default null,
    p_fields text[] default null,
    p_idempotency_key text default null,
    p_request_hash text default null,
    p_columns jsonb default null
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
    v_caller private.caller := private.require_caller();
    v_ids jsonb := private.recall_result('create_submission', p_idempotency_key, p_request_hash);
    v_id uuid;
begin
    if v_ids is null then
        if jsonb_typeof(p_records) is distinct from 'array' or jsonb_array_length(p_records) = 0 then
            perform private.raise_error(422, 'invalid_records', 'records must be a non-empty array of objects.');
        end if;
        if jsonb_array_length(p_records) > 10000 then
            perform private.raise_error(413, 'payload_too_large', 'At most 10,000 records at once; upload a file instead.');
        end if;
        v_id := private.insert_submission(p_company_id, p_blueprint_id, p_name, 'json', p_fields);
        perform private.insert_submission_chunks(v_id, p_records);
        v_ids := private.remember_result('create_submission', p_idempotency_key,
            private.receive_submission(v_id, p_fields, p_columns));
    end if;
    return private.received_submission_json(v_ids);
end;
$$;
comment on function public.create_submission(uuid, uuid, jsonb, text, text[], text, text, jsonb) is
    'Takes up to 10,000 raw records and creates submission, chunks and the first run in one transaction. Any caller who can see the company. Raises 404 company_not_found, blueprint_not_found, 409 idempotency_key_reused, 413 payload_too_large, record_too_large, 422 invalid_records, invalid_request. With an idempotency key a repeat returns the same submission and run as they are now.';
grant execute on function public.create_submission(uuid, uuid, jsonb, text, text[], text, text, jsonb) to authenticated;

drop function public.finalize_submission(uuid, text[]);
create function public.finalize_submission(
    p_submission_id uuid,
    p_fields text[] default null,
    p_columns jsonb default null,
    p_read_as jsonb default null,
    p_warn_rejected_share numeric default null
)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
    v_caller private.caller := private.require_caller();
    -- A statement of its own: a stable function does not see what its own statement writes.
    v_ids jsonb := private.receive_submission(p_submission_id, p_fields, p_columns, p_read_as, p_warn_rejected_share);
begin
    return private.received_submission_json(v_ids);
end;
$$;
comment on function public.finalize_submission(uuid, text[], jsonb, jsonb, numeric) is
    'Ends an upload and creates the first run. The submission''s creator and admins. Raises 403 forbidden, 404 submission_not_found, 409 submission_not_receiving, 422 submission_empty, invalid_request.';
grant execute on function public.finalize_submission(uuid, text[], jsonb, jsonb, numeric) to authenticated;

-- As before, without the profiles: a page of submissions with 2,000 columns each would be as large as the files.
create or replace function public.list_submissions(
    p_company_id uuid default null,
    p_limit int default 50,
    p_cursor text default null
)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
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
            select to_jsonb(s) - 'columns'
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
