-- Pages of records: how the records of a run and its steps are read, at most 8 MB at a time.

create type public.record_kind as enum ('input', 'output', 'rejected', 'dropped');
comment on type public.record_kind is 'Which records of a step or run to list.';

create function private.page_chunks(
    p_pipeline_run_id uuid, p_positions int[], p_kind public.record_kind, p_cursor text, p_limit int
) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_limit int := private.check_limit(p_limit, 1000);
    v_after jsonb := coalesce(private.decode_cursor(p_cursor, 'int', 'int', 'int'), '[-1, -1, 0]');
    v_position int := v_after ->> 0;
    v_chunk_index int := v_after ->> 1;
    v_ordinal int := v_after ->> 2;
    v_entries jsonb[] := '{}';
    v_bytes int := 0;
    v_is_cut boolean := false;
    v_chunk record;
    v_data jsonb;
begin
    for v_chunk in
        select s.position, s.slug, c.step_result_id, c.chunk_index,
            case when p_kind = 'dropped' then c.dropped else c.records end as items
        from public.step_results s
        join public.step_result_chunks c on c.step_result_id = coalesce(s.reused_from, s.id)
        where s.pipeline_run_id = p_pipeline_run_id and s.position = any (p_positions)
            and (s.position, c.chunk_index) >= (v_position, v_chunk_index)
        union all
        select 0, null, null, c.chunk_index, c.records
        from public.pipeline_runs r
        join public.submission_chunks c on c.submission_id = r.submission_id
        where r.id = p_pipeline_run_id and 0 = any (p_positions) and c.chunk_index >= v_chunk_index
        order by 1, 4
    loop
        v_data := '{}';
        if p_kind = 'dropped' and v_chunk.items <> '[]' then
            select jsonb_object_agg(i ->> 'id', i -> 'data') into v_data
            from jsonb_array_elements(private.input_chunk(v_chunk.step_result_id, v_chunk.chunk_index)) i;
        end if;
        v_entries := v_entries || array(
            select jsonb_build_object(
                'key', jsonb_build_array(v_chunk.position, v_chunk.chunk_index, e.ordinality),
                'item', case
                    when p_kind = 'dropped' then e.value || jsonb_build_object(
                        'data', v_data -> (e.value ->> 'id'), 'position', v_chunk.position, 'slug', v_chunk.slug
                    )
                    else e.value
                end
            )
            from jsonb_array_elements(v_chunk.items) with ordinality e
            where (v_chunk.position, v_chunk.chunk_index) <> (v_position, v_chunk_index) or e.ordinality > v_ordinal
            order by e.ordinality
            limit v_limit + 1 - cardinality(v_entries)
        );
        v_bytes := v_bytes + octet_length(v_chunk.items::text);
        -- Not with an empty page, or the cursor would not move: all of its chunk may have been shown before.
        v_is_cut := v_bytes > 8388608 and v_entries <> '{}';
        exit when cardinality(v_entries) > v_limit or v_is_cut;
    end loop;
    return private.page(v_entries, v_limit, v_is_cut);
end;
$$;
comment on function private.page_chunks is
    'A page of the records (or dropped records) that the steps at these positions of a run wrote or reuse, in order; '
    'position 0 is the submission. A page ends early with the chunk that exceeds 8 MB. '
    'Raises 422 invalid_request, invalid_cursor.';
grant execute on function private.page_chunks to authenticated;

create function private.page_rejected_records(
    p_pipeline_run_id uuid, p_positions int[], p_cursor text, p_limit int
) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_limit int := private.check_limit(p_limit, 1000);
    v_after bigint := coalesce(private.decode_cursor(p_cursor, 'bigint') ->> 0, '0');
    v_entries jsonb[] := '{}';
    v_entry jsonb;
    v_bytes int := 0;
begin
    for v_entry in
        select jsonb_build_object(
            'key', jsonb_build_array(j.id),
            'item', jsonb_build_object(
                'id', j.record_id, 'reason', j.reason, 'message', j.message, 'details', j.details,
                'data', j.data, 'position', coalesce(sr.position, 0), 'slug', sr.slug
            )
        )
        from public.pipeline_runs r
        join public.rejected_records j
            on j.org_id = r.org_id and j.company_id = r.company_id and j.submission_id = r.submission_id
        left join public.step_results sr
            on sr.pipeline_run_id = r.id and coalesce(sr.reused_from, sr.id) = j.step_result_id
        where r.id = p_pipeline_run_id
            and (j.step_result_id is null or sr.id is not null)
            and coalesce(sr.position, 0) = any (p_positions)
            and j.id > v_after
        order by j.id
        limit v_limit + 1
    loop
        v_entries := v_entries || v_entry;
        v_bytes := v_bytes + octet_length(v_entry::text);
        exit when v_bytes > 8388608;
    end loop;
    return private.page(v_entries, v_limit, v_bytes > 8388608);
end;
$$;
comment on function private.page_rejected_records is
    'A page of the records that the steps at these positions of a run rejected; position 0 is ingestion. A page ends '
    'early after 8 MB. '
    'Raises 422 invalid_request, invalid_cursor.';
grant execute on function private.page_rejected_records to authenticated;

create function private.output_position(p_pipeline_run_id uuid, p_before int default null) returns int
language sql stable set search_path = '' as $$
    select coalesce(max(sr.position), 0)
    from public.step_results sr
    where sr.pipeline_run_id = p_pipeline_run_id and sr.status = 'succeeded'
        and (p_before is null or sr.position < p_before);
$$;
comment on function private.output_position is
    'Position of the last step of a run that succeeded, before p_before if it is given; 0 for the submission. Its '
    'output is the run''s, or the input of the step at p_before.';
grant execute on function private.output_position to authenticated;

create function private.accounting_positions(p_pipeline_run_id uuid) returns int[]
language sql stable set search_path = '' as $$
    -- From the step whose output is the run's back to the submission, from each step to its input.
    with recursive through as (
        select sr.position, sr.input_step_result_id
        from public.step_results sr
        where sr.pipeline_run_id = p_pipeline_run_id and sr.position = private.output_position(p_pipeline_run_id)
        union all
        select before.position, before.input_step_result_id
        from through
        join public.step_results before
            on before.pipeline_run_id = p_pipeline_run_id
                and coalesce(before.reused_from, before.id) = through.input_step_result_id
    )
    select array(
        select t.position from through t
        union all
        select sr.position
        from public.step_results sr
        where sr.pipeline_run_id = p_pipeline_run_id and sr.position > private.output_position(p_pipeline_run_id)
            and not (sr.status = 'failed' and sr.continue_on_error)
        order by 1
    );
$$;
comment on function private.accounting_positions is
    'Positions of the steps whose rejected and dropped records a run has lost: those that its output passed through, '
    'and those after it. A step that failed with continue_on_error is not among them, nor one that a retry did again '
    'after the run had gone on without it: its input had passed on.';
grant execute on function private.accounting_positions to authenticated;
