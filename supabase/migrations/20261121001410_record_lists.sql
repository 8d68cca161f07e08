-- RPCs of records: those of a run, the names of its fields, and those of a step.

create function public.list_pipeline_run_records(
    p_pipeline_run_id uuid,
    p_kind public.record_kind default 'output',
    p_cursor text default null,
    p_limit int default 100
) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_status public.pipeline_run_status;
begin
    select r.status into v_status
    from public.pipeline_runs r
    where r.id = p_pipeline_run_id;
    if not found then
        perform private.raise_error(404, 'pipeline_run_not_found', 'No such pipeline run.');
    end if;
    case p_kind
        when 'output' then
            if v_status not in ('succeeded', 'succeeded_with_errors') then
                perform private.raise_error(409, 'pipeline_run_not_succeeded',
                    format('The run is %s and has no output; its step results have what was written.', v_status),
                    jsonb_build_object('status', v_status));
            end if;
            return private.page_chunks(
                p_pipeline_run_id, array[private.output_position(p_pipeline_run_id)], 'output', p_cursor, p_limit
            );
        when 'input' then
            return private.page_chunks(p_pipeline_run_id, array[0], 'output', p_cursor, p_limit);
        when 'dropped' then
            return private.page_chunks(
                p_pipeline_run_id, private.accounting_positions(p_pipeline_run_id), 'dropped', p_cursor, p_limit
            );
        else
            return private.page_rejected_records(
                p_pipeline_run_id, 0 || private.accounting_positions(p_pipeline_run_id), p_cursor, p_limit
            );
    end case;
end;
$$;
comment on function public.list_pipeline_run_records is
    'Records of a run: its input, its output, or those that were rejected (at ingestion too) or dropped on the way. A '
    'step that failed while the run went on is left out. Any caller who can see the run. '
    'Raises 404 pipeline_run_not_found, 409 pipeline_run_not_succeeded (output), 422 invalid_request, invalid_cursor.';
grant execute on function public.list_pipeline_run_records to authenticated;

create function public.list_pipeline_run_fields(p_pipeline_run_id uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_submitted text[];
    v_submission_id uuid;
    v_last int := private.output_position(p_pipeline_run_id);
    v_name text;
    v_names text[] := '{}';
    v_bytes int := 0;
begin
    select s.fields, s.id into v_submitted, v_submission_id
    from public.pipeline_runs r
    join public.submissions s on s.id = r.submission_id
    where r.id = p_pipeline_run_id;
    if not found then
        perform private.raise_error(404, 'pipeline_run_not_found', 'No such pipeline run.');
    end if;
    for v_name in
        select f.name
        from (
            select distinct unnest(c.fields) as name
            from public.step_results sr
            join public.step_result_chunks c on c.step_result_id = coalesce(sr.reused_from, sr.id)
            where sr.pipeline_run_id = p_pipeline_run_id and sr.position = v_last
            union
            select distinct jsonb_object_keys(r -> 'data')
            from public.submission_chunks c, jsonb_array_elements(c.records) r
            where c.submission_id = v_submission_id and v_last = 0
        ) f
        order by array_position(v_submitted, f.name) nulls last, f.name
    loop
        v_names := v_names || v_name;
        v_bytes := v_bytes + octet_length(v_name);
        if cardinality(v_names) > 10000 or v_bytes > 4194304 then
            perform private.raise_error(413, 'payload_too_large',
                'The records have more than 10,000 field names, or more than 4 MB of them. Export them as NDJSON.');
        end if;
    end loop;
    return jsonb_build_object('fields', v_names);
end;
$$;
comment on function public.list_pipeline_run_fields is
    'Field names of the run''s output: those of the source in its order, then the added ones by name. Any caller who '
    'can see the run. '
    'Raises 404 pipeline_run_not_found, 413 payload_too_large.';
grant execute on function public.list_pipeline_run_fields to authenticated;

create function public.list_step_result_records(
    p_step_result_id uuid,
    p_kind public.record_kind default 'output',
    p_cursor text default null,
    p_limit int default 100
) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_run_id uuid;
    v_position int;
    v_input_position int;
begin
    -- The input of a step that has started is known; for another, it is what the step would take now.
    select sr.pipeline_run_id, sr.position, case
            when sr.started_at is null then private.output_position(sr.pipeline_run_id, sr.position)
            else coalesce((
                select input.position
                from public.step_results input
                where input.pipeline_run_id = sr.pipeline_run_id
                    and coalesce(input.reused_from, input.id) = sr.input_step_result_id
            ), 0)
        end
    into v_run_id, v_position, v_input_position
    from public.step_results sr
    where sr.id = p_step_result_id;
    if not found then
        perform private.raise_error(404, 'step_result_not_found', 'No such step result.');
    end if;
    case p_kind
        when 'input' then
            return private.page_chunks(v_run_id, array[v_input_position], 'output', p_cursor, p_limit);
        when 'rejected' then
            return private.page_rejected_records(v_run_id, array[v_position], p_cursor, p_limit);
        else
            return private.page_chunks(v_run_id, array[v_position], p_kind, p_cursor, p_limit);
    end case;
end;
$$;
comment on function public.list_step_result_records is
    'Records that a step has taken, given, rejected or dropped so far. Any caller who can see the run. '
    'Raises 404 step_result_not_found, 422 invalid_request, invalid_cursor.';
grant execute on function public.list_step_result_records to authenticated;
