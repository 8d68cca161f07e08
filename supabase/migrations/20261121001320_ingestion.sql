-- Ingestion: how a batch becomes a received submission with its first run.
--
-- Small batches arrive whole (create_submission), uploads chunk by chunk (open, append …, finalize).

create function private.receive_submission(p_submission_id uuid, p_fields text[]) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_submission public.submissions := private.lock_receiving_submission(p_submission_id);
    v_run_id uuid;
begin
    update public.submissions
    set status = 'received', fields = coalesce(private.first_fields(p_fields), fields)
    where id = v_submission.id;
    insert into public.pipeline_runs (submission_id) values (v_submission.id) returning id into v_run_id;
    set constraints public.pipeline_runs_admit immediate;
    return jsonb_build_object('submission_id', v_submission.id, 'pipeline_run_id', v_run_id);
end;
$$;
comment on function private.receive_submission is
    'Closes a submission and creates its first run. '
    'Raises 403 forbidden, 404 submission_not_found, 409 submission_not_receiving, 422 submission_empty.';
grant execute on function private.receive_submission to authenticated;

create function private.received_submission_json(p_ids jsonb) returns jsonb
language sql stable set search_path = '' as $$
    select jsonb_build_object(
        'submission', public.get_submission((p_ids ->> 'submission_id')::uuid),
        'pipeline_run', public.get_pipeline_run((p_ids ->> 'pipeline_run_id')::uuid)
    );
$$;
comment on function private.received_submission_json is
    'A submission and its first run as they are now, from {"submission_id", "pipeline_run_id"}.';
grant execute on function private.received_submission_json to authenticated;

create function private.insert_submission(
    p_company_id uuid, p_blueprint_id uuid, p_name text, p_source public.submission_source, p_fields text[]
) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
    v_id uuid;
begin
    if not exists (select from public.companies c where c.id = p_company_id) then
        perform private.raise_error(404, 'company_not_found', 'No such company.');
    end if;
    -- Raises if the blueprint is missing or has no steps, before anything is uploaded.
    perform private.snapshot_blueprint(p_blueprint_id);
    insert into public.submissions (company_id, blueprint_id, name, source, fields)
    values (p_company_id, p_blueprint_id, p_name, p_source, coalesce(private.first_fields(p_fields), '{}'))
    returning id into v_id;
    return v_id;
end;
$$;
comment on function private.insert_submission is
    'Creates a receiving submission. '
    'Raises 404 company_not_found, blueprint_not_found, 422 invalid_request.';
grant execute on function private.insert_submission to authenticated;

create function private.insert_submission_chunks(p_submission_id uuid, p_records jsonb) returns void
language plpgsql volatile set search_path = '' as $$
declare
    v_row record;
    v_chunk jsonb[] := '{}';
    v_chunk_bytes int := 0;
    v_chunk_index int := 0;
begin
    for v_row in
        select e.ordinality as number, e.value as data, octet_length(e.value::text) as bytes
        from jsonb_array_elements(p_records) with ordinality e
    loop
        if jsonb_typeof(v_row.data) <> 'object' then
            perform private.raise_error(422, 'invalid_records', format('Record %s is not an object.', v_row.number),
                jsonb_build_object('row', v_row.number));
        end if;
        if v_row.bytes > 1048576 then
            perform private.raise_error(413, 'record_too_large', format('Record %s is larger than 1 MB.', v_row.number),
                jsonb_build_object('row', v_row.number));
        end if;
        if cardinality(v_chunk) = 1000 or (v_chunk_bytes + v_row.bytes > 1048576 and v_chunk <> '{}') then
            insert into public.submission_chunks (submission_id, chunk_index, records)
            values (p_submission_id, v_chunk_index, to_jsonb(v_chunk));
            v_chunk := '{}';
            v_chunk_bytes := 0;
            v_chunk_index := v_chunk_index + 1;
        end if;
        v_chunk := v_chunk || jsonb_build_object('id', v_row.number::text, 'data', v_row.data);
        v_chunk_bytes := v_chunk_bytes + v_row.bytes;
    end loop;
    insert into public.submission_chunks (submission_id, chunk_index, records)
    values (p_submission_id, v_chunk_index, to_jsonb(v_chunk));
end;
$$;
comment on function private.insert_submission_chunks is
    'Numbers raw records from 1 and writes them in chunks of at most 1,000 or about 1 MB. '
    'Raises 413 record_too_large, 422 invalid_records.';
grant execute on function private.insert_submission_chunks to authenticated;

create function public.create_submission(
    p_company_id uuid,
    p_blueprint_id uuid,
    p_records jsonb,
    p_name text default null,
    p_fields text[] default null,
    p_idempotency_key text default null,
    p_request_hash text default null
) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_ids jsonb := private.recall_result('create_submission', p_idempotency_key, p_request_hash);
    v_fault text;
    v_id uuid;
begin
    if v_ids is null then
        if jsonb_typeof(p_records) is distinct from 'array' or jsonb_array_length(p_records) = 0 then
            perform private.raise_error(422, 'invalid_records', 'records must be a non-empty array of objects.');
        end if;
        if jsonb_array_length(p_records) > 10000 then
            perform private.raise_error(413, 'payload_too_large', 'At most 10,000 records at once; upload a file instead.');
        end if;
        v_fault := private.json_fault(p_records, 16777216);
        if v_fault = 'numbers' then
            -- Names the record and the field.
            perform private.check_numbers((
                select jsonb_agg(jsonb_build_object('id', e.ordinality::text, 'data', e.value))
                from jsonb_array_elements(p_records) with ordinality e
                where jsonb_typeof(e.value) = 'object'
            ), '');
        end if;
        if v_fault is not null then
            perform private.check_json(p_records, 16777216, 'records', 'invalid_records');
        end if;
        v_id := private.insert_submission(p_company_id, p_blueprint_id, p_name, 'json', p_fields);
        perform private.insert_submission_chunks(v_id, p_records);
        v_ids := private.remember_result('create_submission', p_idempotency_key, private.receive_submission(v_id, p_fields));
    end if;
    return private.received_submission_json(v_ids);
end;
$$;
comment on function public.create_submission is
    'Takes up to 10,000 raw records and creates submission, chunks and the first run in one transaction. Any caller '
    'who can see the company. '
    'Raises 404 company_not_found, blueprint_not_found, 409 idempotency_key_reused, 413 payload_too_large, '
    'record_too_large, 422 invalid_records, invalid_request. With an idempotency key a repeat returns the same '
    'submission and run as they are now.';
grant execute on function public.create_submission to authenticated;

create function public.open_submission(
    p_company_id uuid,
    p_blueprint_id uuid,
    p_source public.submission_source,
    p_name text default null,
    p_fields text[] default null,
    p_idempotency_key text default null,
    p_request_hash text default null
) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_known jsonb := private.recall_result('open_submission', p_idempotency_key, p_request_hash);
    v_submission jsonb;
    v_id uuid;
begin
    if v_known is not null then
        v_submission := public.get_submission((v_known ->> 'id')::uuid);
        if v_submission ->> 'status' = 'expired' then
            perform private.raise_error(409, 'submission_receiving',
                'The upload with this Idempotency-Key was given up. Upload with a new key.',
                jsonb_build_object('submission_id', v_known -> 'id', 'status', v_submission -> 'status'));
        end if;
        if v_submission ->> 'status' = 'receiving' then
            -- The upload broke off or is under way: repeated chunks change nothing, and the rest follows.
            return jsonb_build_object('submission', v_submission, 'replayed', false, 'pipeline_run', null);
        end if;
        return jsonb_build_object('submission', v_submission, 'replayed', true, 'pipeline_run', (
            select public.get_pipeline_run(r.id)
            from public.pipeline_runs r
            where r.submission_id = (v_known ->> 'id')::uuid and r.run_number = 1
        ));
    end if;
    v_id := private.insert_submission(p_company_id, p_blueprint_id, p_name, p_source, p_fields);
    perform private.remember_result('open_submission', p_idempotency_key, jsonb_build_object('id', v_id));
    return jsonb_build_object('submission', public.get_submission(v_id), 'replayed', false, 'pipeline_run', null);
end;
$$;
comment on function public.open_submission is
    'Begins an upload: a submission that takes chunks. Any caller who can see the company. '
    'Raises 404 company_not_found, blueprint_not_found, 409 idempotency_key_reused, submission_receiving, 422 '
    'invalid_request. With an idempotency key a repeat resumes an upload that broke off, and returns the finished '
    'submission with its first run otherwise.';
grant execute on function public.open_submission to authenticated;

create function public.append_submission_chunk(
    p_submission_id uuid,
    p_chunk_index int,
    p_records jsonb,
    p_rejected jsonb default '[]'
) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_submission public.submissions := private.lock_receiving_submission(p_submission_id);
    v_rejected jsonb;
    v_written jsonb;
    v_written_rejected jsonb;
begin
    perform private.check_json(p_rejected, 16777216, 'rejected', 'invalid_records', 'chunk_too_large');
    perform private.check_verdicts(p_rejected);
    select coalesce(jsonb_agg(to_jsonb(j) order by j.id), '[]') into v_rejected
    from (
        select j.id, j.reason, j.message, coalesce(j.details, '{}') as details, nullif(j.data, 'null') as data
        from jsonb_to_recordset(p_rejected) j (id text, reason text, message text, details jsonb, data jsonb)
    ) j;

    select c.records into v_written
    from public.submission_chunks c
    where c.submission_id = p_submission_id and c.chunk_index = p_chunk_index;
    if found then
        select coalesce(jsonb_agg(to_jsonb(j) order by j.id), '[]') into v_written_rejected
        from (
            select r.record_id as id, r.reason, r.message, r.details, r.data
            from public.rejected_records r
            where r.submission_id = p_submission_id and r.step_result_id is null and r.chunk_index = p_chunk_index
        ) j;
        if (v_written, v_written_rejected) is distinct from (p_records, v_rejected) then
            perform private.raise_error(409, 'chunk_conflict', 'This chunk was written with other content before.');
        end if;
        return jsonb_build_object('chunk_index', p_chunk_index);
    end if;
    insert into public.submission_chunks (submission_id, chunk_index, records)
    values (p_submission_id, p_chunk_index, p_records);
    insert into public.rejected_records (submission_id, chunk_index, record_id, reason, message, details, data)
    select p_submission_id, p_chunk_index, j.id, j.reason, j.message, j.details, j.data
    from jsonb_to_recordset(v_rejected) j (id text, reason text, message text, details jsonb, data jsonb);
    return jsonb_build_object('chunk_index', p_chunk_index);
end;
$$;
comment on function public.append_submission_chunk is
    'Adds the next chunk of an upload, and the rows that were refused on the way. The submission''s creator and '
    'admins. '
    'Raises 403 forbidden, 404 submission_not_found, 409 submission_not_receiving, chunk_conflict, conflict, 413 '
    'chunk_too_large, 422 invalid_records. Repeating the same chunk changes nothing.';
grant execute on function public.append_submission_chunk to authenticated;

create function public.finalize_submission(p_submission_id uuid, p_fields text[] default null) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    -- Assigned first: a stable function does not see what its own statement writes.
    v_ids jsonb := private.receive_submission(p_submission_id, p_fields);
begin
    return private.received_submission_json(v_ids);
end;
$$;
comment on function public.finalize_submission is
    'Ends an upload and creates the first run. The submission''s creator and admins. '
    'Raises 403 forbidden, 404 submission_not_found, 409 submission_not_receiving, 422 submission_empty.';
grant execute on function public.finalize_submission to authenticated;
