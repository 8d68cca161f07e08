-- What the tasks may do with the chunks of a step: read, write, and copy those of an earlier run. All functions of
-- schema worker are definer: see …_worker.sql.

create function worker.read_chunk(p_step_result_id uuid, p_chunk_index int) returns jsonb
language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('chunk_index', p_chunk_index, 'records', private.input_chunk(p_step_result_id, p_chunk_index));
$$;
comment on function worker.read_chunk is 'An input chunk of a step. service_role. Raises 404 chunk_not_found.';
grant execute on function worker.read_chunk to service_role;

create function private.next_chunk(p_step_result public.step_results) returns jsonb
language sql stable set search_path = '' as $$
    select jsonb_build_object(
        'chunk_index', first.chunk_index, 'records', private.input_chunk(p_step_result.id, first.chunk_index)
    )
    from (
        select min(i) as chunk_index
        from generate_series(0, p_step_result.chunk_count - 1) i
        where not exists (
            select from public.step_result_chunks c where c.step_result_id = p_step_result.id and c.chunk_index = i
        )
    ) first
    where p_step_result.status = 'running' and first.chunk_index is not null;
$$;
comment on function private.next_chunk is
    'The first input chunk that a running step has not written, as worker.read_chunk returns it; null if there is '
    'none. '
    'Raises 404 chunk_not_found.';

create function private.content_hash(p_records text, p_rejected text, p_dropped text) returns bytea
language sql immutable set search_path = '' as $$
    select sha256(convert_to(p_records || p_rejected || p_dropped, 'utf8'));
$$;
comment on function private.content_hash is
    'step_result_chunks.content_hash: SHA-256 of the three lists of a chunk, as the database writes jsonb.';

create function private.short_details(p_details jsonb) returns jsonb
language sql immutable set search_path = '' as $$
    select case
        when private.is_bounded(p_details, 4096) then p_details
        else (
            select coalesce(jsonb_object_agg(kept.key, kept.value), '{}') || '{"truncated": true}'
            from (
                select d.key, d.value
                from jsonb_each(p_details) d
                where octet_length(d.key) <= 60 and private.is_bounded(d.value, 240)
                order by d.key
                limit 10
            ) kept
        )
    end;
$$;
comment on function private.short_details is
    'The details of a rejected record as rejected_records holds them: beyond 4 kB only the short ones are kept, and '
    'truncated is true.';

create function worker.write_chunk(
    p_step_result_id uuid,
    p_claim_id uuid,
    p_chunk_index int,
    p_records jsonb,
    p_rejected jsonb default '[]',
    p_dropped jsonb default '[]'
) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_step_result public.step_results := private.lock_claimed_step_result(p_step_result_id, p_claim_id);
    v_hash bytea;
    v_written bytea;
    v_repeated text[];
begin
    -- Before anything prints them, and here and not in a trigger: measuring a chunk again takes as long as its ledger.
    perform private.check_json(p_records, 8388608, 'The output of a step for one chunk', 'invalid_records', 'chunk_too_large');
    perform private.check_json(p_rejected, 8388608, 'rejected', 'invalid_records', 'chunk_too_large');
    perform private.check_json(p_dropped, 8388608, 'dropped', 'invalid_records', 'chunk_too_large');
    v_hash := private.content_hash(p_records::text, p_rejected::text, p_dropped::text);
    select c.content_hash into v_written
    from public.step_result_chunks c
    where c.step_result_id = p_step_result_id and c.chunk_index = p_chunk_index;
    if found then
        if v_written is distinct from v_hash then
            perform private.raise_error(409, 'chunk_conflict',
                'This chunk was written with other content before: the step is not deterministic.');
        end if;
        return jsonb_build_object('written', false);
    end if;

    perform private.check_verdicts(p_rejected);
    perform private.check_verdicts(p_dropped);
    v_repeated := array(
        select j ->> 'id' from jsonb_array_elements(p_rejected) j group by j ->> 'id' having count(*) > 1 limit 5
    );
    if v_repeated <> '{}' then
        perform private.raise_error(422, 'ledger_unbalanced', 'A record can be rejected only once.',
            jsonb_build_object('repeated', v_repeated));
    end if;
    if p_rejected <> '[]' then
        insert into public.rejected_records (
            org_id, company_id, submission_id, step_result_id, chunk_index, record_id, reason, message, details, data
        )
        select v_step_result.org_id, v_step_result.company_id, r.submission_id, p_step_result_id, p_chunk_index,
            j.id, j.reason, j.message, private.short_details(coalesce(j.details, '{}')), i.value -> 'data'
        from jsonb_to_recordset(p_rejected) j (id text, reason text, message text, details jsonb)
        join public.pipeline_runs r on r.id = v_step_result.pipeline_run_id
        left join jsonb_array_elements(private.input_chunk(p_step_result_id, p_chunk_index)) i on i ->> 'id' = j.id;
    end if;

    insert into public.step_result_chunks (step_result_id, chunk_index, records, dropped, content_hash)
    values (p_step_result_id, p_chunk_index, p_records, p_dropped, v_hash);
    return jsonb_build_object('written', true);
end;
$$;
comment on function worker.write_chunk is
    'Writes what a step made of one input chunk: records [{id, data}], rejected and dropped [{id, reason, message, '
    'details?}]. service_role. '
    'Raises 404 step_result_not_found, chunk_not_found, 409 chunk_conflict, invalid_transition, '
    'pipeline_run_cancelled, pipeline_run_finished, claim_lost, 413 chunk_too_large, 422 invalid_records, '
    'ledger_unbalanced. Repeating the same content changes nothing.';
grant execute on function worker.write_chunk to service_role;

create function private.chunks_to_copy(p_step_result public.step_results) returns int[]
language sql stable set search_path = '' as $$
    select coalesce(array_agg(m.chunk_index), '{}')
    from (
        select c.chunk_index, cost.bytes, sum(cost.bytes) over (order by c.chunk_index) as bytes_so_far
        from public.step_result_chunks c
        -- Each rejected record is a row, which costs more than its bytes.
        cross join lateral (select pg_column_size(c.records) + 4096 * c.records_rejected as bytes) cost
        where c.step_result_id = p_step_result.resumed_from and not exists (
            select from public.step_result_chunks own
            where own.step_result_id = p_step_result.id and own.chunk_index = c.chunk_index
        )
    ) m
    where m.bytes_so_far - m.bytes < 8388608;
$$;
comment on function private.chunks_to_copy is
    'The next chunks to copy to a step that resumes an earlier run''s: 8 MB, so that a call takes a second and not '
    'minutes.';

create function private.copy_chunks(p_step_result public.step_results, p_chunk_indexes int[]) returns void
language plpgsql volatile set search_path = '' as $$
begin
    insert into public.rejected_records (
        org_id, company_id, submission_id, step_result_id, chunk_index, record_id, reason, message, details, data
    )
    select j.org_id, j.company_id, j.submission_id, p_step_result.id, j.chunk_index, j.record_id, j.reason, j.message,
        j.details, j.data
    from public.step_result_chunks c
    join public.rejected_records j on j.step_result_id = c.step_result_id and j.chunk_index = c.chunk_index
    where c.step_result_id = p_step_result.resumed_from and c.chunk_index = any (p_chunk_indexes)
    order by j.id;
    insert into public.step_result_chunks (step_result_id, chunk_index, records, dropped, content_hash)
    select p_step_result.id, c.chunk_index, c.records, c.dropped, c.content_hash
    from public.step_result_chunks c
    where c.step_result_id = p_step_result.resumed_from and c.chunk_index = any (p_chunk_indexes)
    order by c.chunk_index;
end;
$$;
comment on function private.copy_chunks is
    'Copies chunks of the step that a running step resumes, with their rejected records. The ledger is counted again.';
