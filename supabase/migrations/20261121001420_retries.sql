-- Retries: a run is continued where it stopped, and rejected records are submitted again.

create function public.retry_pipeline_run(
    p_pipeline_run_id uuid,
    p_idempotency_key text default null,
    p_request_hash text default null
) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_result jsonb := private.recall_result('retry_pipeline_run', p_idempotency_key, p_request_hash);
    v_id uuid := v_result ->> 'id';
    v_submission_id uuid;
begin
    if v_id is null then
        select r.submission_id into v_submission_id from public.pipeline_runs r where r.id = p_pipeline_run_id;
        if not found then
            perform private.raise_error(404, 'pipeline_run_not_found', 'No such pipeline run.');
        end if;
        insert into public.pipeline_runs (submission_id, retry_of)
        values (v_submission_id, p_pipeline_run_id)
        returning id into v_id;
        set constraints public.pipeline_runs_admit immediate;
        perform private.remember_result('retry_pipeline_run', p_idempotency_key, jsonb_build_object('id', v_id));
    end if;
    return public.get_pipeline_run(v_id);
end;
$$;
comment on function public.retry_pipeline_run is
    'Creates a queued run that continues a failed, cancelled or partly failed one where it stopped, on the same '
    'snapshot. Any caller who can see the company. '
    'Raises 404 pipeline_run_not_found, 409 pipeline_run_not_retryable, pipeline_run_retried, idempotency_key_reused. '
    'With an idempotency key a repeat returns the same run as it is now.';
grant execute on function public.retry_pipeline_run to authenticated;

create function private.require_rejected_not_retried(p_pipeline_run_id uuid) returns void
language plpgsql stable set search_path = '' as $$
declare
    v_status public.pipeline_run_status;
    v_submission_id uuid;
    v_retry_id uuid;
begin
    select r.status, again.id, retry.id into v_status, v_submission_id, v_retry_id
    from public.pipeline_runs r
    left join public.submissions again
        on again.org_id = r.org_id and again.company_id = r.company_id and again.retry_of_run_id = r.id
    left join public.pipeline_runs retry
        on retry.org_id = r.org_id and retry.company_id = r.company_id and retry.retry_of = r.id
    where r.id = p_pipeline_run_id;
    if not found then
        perform private.raise_error(404, 'pipeline_run_not_found', 'No such pipeline run.');
    end if;
    if v_status in ('queued', 'running') then
        perform private.raise_error(409, 'pipeline_run_unfinished',
            format('The run is %s, and may reject more records.', v_status),
            jsonb_build_object('status', v_status));
    end if;
    if v_submission_id is not null then
        perform private.raise_error(409, 'rejected_records_retried',
            'The rejected records of the run were submitted again already.',
            jsonb_build_object('submission_id', v_submission_id));
    end if;
    if v_retry_id is not null then
        perform private.raise_error(409, 'pipeline_run_retried',
            'The run was retried, and its retry has rejected these records too. Submit those of the retry.',
            jsonb_build_object('pipeline_run_id', v_retry_id));
    end if;
end;
$$;
comment on function private.require_rejected_not_retried is
    'Passes if the run has ended and its rejected records were not submitted again. '
    'Raises 404 pipeline_run_not_found, 409 pipeline_run_unfinished, rejected_records_retried, pipeline_run_retried.';
grant execute on function private.require_rejected_not_retried to authenticated;

create function private.insert_rejected_again(p_pipeline_run_id uuid, p_submission_id uuid) returns void
language plpgsql volatile set search_path = '' as $$
declare
    v_rows text[];
    v_record record;
    v_chunk jsonb[] := '{}';
    v_chunk_bytes int := 0;
    v_chunk_index int := 0;
begin
    -- A child of a fan-out is repeated with the row that it came from.
    select array_agg(distinct split_part(j.record_id, '.', 1)) into v_rows
    from public.pipeline_runs r
    join public.step_results sr on sr.pipeline_run_id = r.id
    join public.rejected_records j
        on j.org_id = r.org_id and j.company_id = r.company_id and j.step_result_id = coalesce(sr.reused_from, sr.id)
    where r.id = p_pipeline_run_id and sr.position = any (private.accounting_positions(r.id));
    if v_rows is null then
        perform private.raise_error(409, 'no_rejected_records', 'No step of the run has rejected a record.');
    end if;
    for v_record in
        select submitted.value as record, octet_length(submitted.value::text) as bytes
        from public.pipeline_runs r
        join public.submission_chunks c on c.submission_id = r.submission_id
        cross join jsonb_array_elements(c.records) with ordinality submitted
        join unnest(v_rows) rejected (id) on rejected.id = submitted.value ->> 'id'
        where r.id = p_pipeline_run_id
        order by c.chunk_index, submitted.ordinality
    loop
        if cardinality(v_chunk) = 1000 or (v_chunk_bytes + v_record.bytes > 1048576 and v_chunk <> '{}') then
            insert into public.submission_chunks (submission_id, chunk_index, records)
            values (p_submission_id, v_chunk_index, to_jsonb(v_chunk));
            v_chunk := '{}';
            v_chunk_bytes := 0;
            v_chunk_index := v_chunk_index + 1;
        end if;
        v_chunk := v_chunk || v_record.record;
        v_chunk_bytes := v_chunk_bytes + v_record.bytes;
    end loop;
    insert into public.submission_chunks (submission_id, chunk_index, records)
    values (p_submission_id, v_chunk_index, to_jsonb(v_chunk));
end;
$$;
comment on function private.insert_rejected_again is
    'Writes the original records that the steps of a run rejected, with their ids, as chunks of a submission. '
    'Raises 409 no_rejected_records.';
grant execute on function private.insert_rejected_again to authenticated;

create function public.retry_rejected_records(
    p_pipeline_run_id uuid,
    p_name text default null,
    p_idempotency_key text default null,
    p_request_hash text default null
) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_ids jsonb := private.recall_result('retry_rejected_records', p_idempotency_key, p_request_hash);
    v_original public.submissions;
    v_id uuid;
begin
    if v_ids is null then
        perform private.require_rejected_not_retried(p_pipeline_run_id);
        select s.* into v_original
        from public.pipeline_runs r
        join public.submissions s on s.id = r.submission_id
        where r.id = p_pipeline_run_id;
        -- Raises if the blueprint has no steps left.
        perform private.snapshot_blueprint(v_original.blueprint_id);
        insert into public.submissions (company_id, blueprint_id, name, source, fields, retry_of_run_id)
        values (
            v_original.company_id, v_original.blueprint_id, coalesce(p_name, v_original.name), v_original.source,
            v_original.fields, p_pipeline_run_id
        )
        returning id into v_id;
        perform private.insert_rejected_again(p_pipeline_run_id, v_id);
        v_ids := private.remember_result('retry_rejected_records', p_idempotency_key, private.receive_submission(v_id, null));
    end if;
    return private.received_submission_json(v_ids);
end;
$$;
comment on function public.retry_rejected_records is
    'Submits again, with their ids, the original records that the steps of a finished run rejected, on the blueprint '
    'as it is now. Any caller who can see the company. '
    'Raises 404 pipeline_run_not_found, 409 pipeline_run_unfinished, pipeline_run_retried, rejected_records_retried, '
    'no_rejected_records, idempotency_key_reused, 422 invalid_request. With an idempotency key a repeat returns the '
    'same submission and run as they are now.';
grant execute on function public.retry_rejected_records to authenticated;
