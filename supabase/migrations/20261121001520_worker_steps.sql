-- What the tasks may do with the steps of a run that they have claimed. All are definer, as in all of schema worker: see
-- …_worker.sql.

create function private.require_turn(p_step_result public.step_results) returns void
language plpgsql stable set search_path = '' as $$
begin
    if exists (
        select from public.step_results sr
        where sr.pipeline_run_id = p_step_result.pipeline_run_id and sr.position < p_step_result.position
            and not (
                sr.status = 'succeeded'
                or (sr.status = 'skipped' and sr.skip_reason = 'condition')
                or (sr.status = 'failed' and sr.continue_on_error)
            )
    ) then
        perform private.raise_error(409, 'invalid_transition', 'It is not the step''s turn: one before it is not through.');
    end if;
end;
$$;
comment on function private.require_turn is
    'Lets pass when each step before has succeeded, was skipped by its condition, or failed and may. Raises 409 invalid_transition.';

create function private.chunks_to_copy(p_step_result public.step_results) returns int[]
language sql stable set search_path = '' as $$
    select coalesce(array_agg(m.chunk_index), '{}')
    from (
        select c.chunk_index, cost.bytes, sum(cost.bytes) over (order by c.chunk_index) as bytes_so_far
        from public.step_result_chunks c
        -- A rejected record is a row of its own, and costs more than its bytes.
        cross join lateral (select pg_column_size(c.records) + 4096 * c.records_rejected as bytes) cost
        where c.step_result_id = p_step_result.resumed_from and not exists (
            select from public.step_result_chunks own
            where own.step_result_id = p_step_result.id and own.chunk_index = c.chunk_index
        )
    ) m
    where m.bytes_so_far - m.bytes < 8388608;
$$;
comment on function private.chunks_to_copy is
    'Which chunks a step that goes on where an earlier run left it is still to be given: the next 8 MB of them, so that giving them takes a second and not minutes.';

create function private.copy_chunks(p_step_result public.step_results, p_chunk_indexes int[]) returns void
language plpgsql volatile set search_path = '' as $$
begin
    insert into public.rejected_records (
        org_id, company_id, submission_id, step_result_id, chunk_index, record_id, reason, message, details, data
    )
    select j.org_id, j.company_id, j.submission_id, p_step_result.id, j.chunk_index, j.record_id, j.reason, j.message, j.details, j.data
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
    'Gives a running step chunks that an earlier run had written of it, rejected records included; the ledger is counted anew.';

create function private.next_chunk(p_step_result public.step_results) returns jsonb
language sql stable set search_path = '' as $$
    select jsonb_build_object('chunk_index', first.chunk_index, 'records', private.input_chunk(p_step_result.id, first.chunk_index))
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
    'The first input chunk that a running step has not written, as worker.read_chunk gives it; null when there is none. Raises 404 chunk_not_found.';

create function worker.start_step(p_step_result_id uuid, p_claim_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_step_result public.step_results := private.lock_claimed_step_result(p_step_result_id, p_claim_id);
    v_to_copy int[];
begin
    if v_step_result.status in ('pending', 'running') then
        perform private.require_turn(v_step_result);
        v_to_copy := private.chunks_to_copy(v_step_result);
        update public.step_results
        -- What was called to be given more is the same attempt.
        set status = 'running', attempt = attempt + case when status = 'running' and v_to_copy <> '{}' then 0 else 1 end
        where id = p_step_result_id
        returning * into v_step_result;
        if v_to_copy <> '{}' then
            perform private.copy_chunks(v_step_result, v_to_copy);
            if private.chunks_to_copy(v_step_result) <> '{}' then
                return jsonb_build_object('status', 'copying');
            end if;
        end if;
    end if;
    return jsonb_build_object(
        'status', v_step_result.status,
        'attempt', v_step_result.attempt,
        'chunk_count', v_step_result.chunk_count,
        'written_chunks', (
            select coalesce(jsonb_agg(c.chunk_index order by c.chunk_index), '[]')
            from public.step_result_chunks c
            where c.step_result_id = p_step_result_id
        ),
        'next_chunk', private.next_chunk(v_step_result)
    );
end;
$$;
comment on function worker.start_step is
    'Starts a step, or resumes it, also where an earlier run left it: says which chunks are written already, and gives the first that is not, which saves a call of read_chunk; status succeeded (or skipped, or failed) when nothing is left to do, and copying when the call is to be repeated: what the earlier run had written is taken over 8 MB a call. service_role. Raises 404 step_result_not_found, 409 invalid_transition, pipeline_run_cancelled, pipeline_run_finished, claim_lost. Each call counts an attempt, but for such repeats.';
grant execute on function worker.start_step to service_role;

create function worker.read_chunk(p_step_result_id uuid, p_chunk_index int) returns jsonb
language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('chunk_index', p_chunk_index, 'records', private.input_chunk(p_step_result_id, p_chunk_index));
$$;
comment on function worker.read_chunk is 'A step''s input chunk. service_role. Raises 404 chunk_not_found.';
grant execute on function worker.read_chunk to service_role;

create function private.content_hash(p_records text, p_rejected text, p_dropped text) returns bytea
language sql immutable set search_path = '' as $$
    select sha256(convert_to(p_records || p_rejected || p_dropped, 'utf8'));
$$;
comment on function private.content_hash is 'SHA-256 of what a step made of a chunk, its three lists as the database writes jsonb: step_result_chunks.content_hash.';

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
    v_text text := p_records::text;
    v_hash bytea := private.content_hash(v_text, p_rejected::text, p_dropped::text);
    v_written bytea;
    v_repeated text[];
begin
    select c.content_hash into v_written
    from public.step_result_chunks c
    where c.step_result_id = p_step_result_id and c.chunk_index = p_chunk_index;
    if found then
        if v_written is distinct from v_hash then
            perform private.raise_error(409, 'chunk_conflict', 'Another content was written as this chunk before: the step is not deterministic.');
        end if;
        return jsonb_build_object('written', false);
    end if;

    -- Here and not in a trigger: to write a chunk out once more takes as long as counting its ledger.
    if octet_length(v_text) > 8388608 then
        perform private.raise_error(413, 'chunk_too_large', 'What a step makes of one chunk must stay under 8 MB.');
    end if;
    perform private.check_verdicts(p_rejected);
    perform private.check_verdicts(p_dropped);
    v_repeated := array(select j ->> 'id' from jsonb_array_elements(p_rejected) j group by j ->> 'id' having count(*) > 1 limit 5);
    if v_repeated <> '{}' then
        perform private.raise_error(422, 'ledger_unbalanced', 'A record can be rejected only once.',
            jsonb_build_object('repeated', v_repeated));
    end if;
    if p_rejected <> '[]' then
        insert into public.rejected_records (
            org_id, company_id, submission_id, step_result_id, chunk_index, record_id, reason, message, details, data
        )
        select v_step_result.org_id, v_step_result.company_id, r.submission_id, p_step_result_id, p_chunk_index,
            j.id, j.reason, j.message, coalesce(j.details, '{}'), i.value -> 'data'
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
    'Writes what a step made of one input chunk: records [{id, data}], rejected and dropped [{id, reason, message, details?}]. service_role. Raises 404 step_result_not_found, chunk_not_found, 409 chunk_conflict, invalid_transition, pipeline_run_cancelled, pipeline_run_finished, claim_lost, 413 chunk_too_large, 422 invalid_records, ledger_unbalanced. Repeating the same content changes nothing.';
grant execute on function worker.write_chunk to service_role;

create function worker.finish_step(p_step_result_id uuid, p_claim_id uuid, p_timings jsonb default null)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_step_result public.step_results := private.lock_claimed_step_result(p_step_result_id, p_claim_id);
begin
    if v_step_result.status <> 'succeeded' then
        update public.step_results
        set status = 'succeeded', reading_ms = (p_timings ->> 'reading_ms')::int,
            processing_ms = (p_timings ->> 'processing_ms')::int, writing_ms = (p_timings ->> 'writing_ms')::int
        where id = p_step_result_id
        returning * into v_step_result;
    end if;
    return private.step_result_json(v_step_result);
end;
$$;
comment on function worker.finish_step is
    'Ends a step that wrote every chunk; the ledger is counted again from them. p_timings says what the worker''s time went into: {reading_ms, processing_ms, writing_ms}. service_role. Raises 404 step_result_not_found, 409 step_incomplete, invalid_transition, immutable, pipeline_run_cancelled, pipeline_run_finished, claim_lost. Repeating it changes nothing.';
grant execute on function worker.finish_step to service_role;

create function worker.end_step(
    p_step_result_id uuid,
    p_claim_id uuid,
    p_last_chunk jsonb default null,
    p_next_step_result_id uuid default null,
    p_timings jsonb default null
) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
    if p_last_chunk is not null then
        perform worker.write_chunk(p_step_result_id, p_claim_id, (p_last_chunk ->> 'chunk_index')::int,
            p_last_chunk -> 'records', p_last_chunk -> 'rejected', p_last_chunk -> 'dropped');
    end if;
    perform worker.finish_step(p_step_result_id, p_claim_id, p_timings);
    return jsonb_build_object(
        'next', case when p_next_step_result_id is not null then worker.start_step(p_next_step_result_id, p_claim_id) end
    );
end;
$$;
comment on function worker.end_step is
    'In one call, so that a small step costs no more: write_chunk of the last chunk {chunk_index, records, rejected, dropped} if it is given, finish_step with p_timings, and start_step of the next step if that is given, whose answer is in next. service_role. Raises what those raise, and then has done none of them. Repeating it changes nothing but the next step''s attempts.';
grant execute on function worker.end_step to service_role;

create function worker.fail_step(p_step_result_id uuid, p_claim_id uuid, p_error jsonb, p_timings jsonb default null)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_step_result public.step_results := private.lock_claimed_step_result(p_step_result_id, p_claim_id);
begin
    -- The answer of the first call was lost: the run went on without the step.
    if v_step_result.status = 'failed' and v_step_result.continue_on_error then
        return jsonb_build_object('status', 'failed', 'continues', true);
    end if;
    if v_step_result.status = 'pending' then
        update public.step_results set status = 'running' where id = p_step_result_id;
    end if;
    update public.step_results
    set status = 'failed', error = p_error, reading_ms = (p_timings ->> 'reading_ms')::int,
        processing_ms = (p_timings ->> 'processing_ms')::int, writing_ms = (p_timings ->> 'writing_ms')::int
    where id = p_step_result_id;
    if v_step_result.continue_on_error then
        return jsonb_build_object('status', 'failed', 'continues', true);
    end if;
    update public.pipeline_runs
    set status = 'failed',
        error = p_error || jsonb_build_object('position', v_step_result.position, 'slug', v_step_result.slug)
    where id = v_step_result.pipeline_run_id;
    return jsonb_build_object('status', 'failed', 'continues', false);
end;
$$;
comment on function worker.fail_step is
    'Fails a step with {code, message, details?} and p_timings as in worker.finish_step, and with it the run, unless the blueprint lets it go on (continues); what has not started is skipped. service_role. Raises 404 step_result_not_found, 409 immutable, pipeline_run_cancelled, pipeline_run_finished, claim_lost.';
grant execute on function worker.fail_step to service_role;

create function worker.read_secret(p_step_result_id uuid, p_name text) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
    v_value text;
begin
    select sec.value into v_value
    from public.step_results sr
    join public.pipeline_runs r on r.id = sr.pipeline_run_id
    join jsonb_array_elements(r.blueprint_snapshot -> 'steps') s on (s ->> 'position')::int = sr.position
    join public.secrets sec on sec.org_id = sr.org_id and sec.name = s #>> '{config,secret_name}'
    where sr.id = p_step_result_id and sr.status = 'running' and sec.name = p_name;
    if not found then
        perform private.raise_error(404, 'secret_not_found', 'The step names no such secret, or the org has not set it.');
    end if;
    return jsonb_build_object('value', v_value);
end;
$$;
comment on function worker.read_secret is
    'The secret that a running step''s config names as secret_name. service_role. Raises 404 secret_not_found.';
grant execute on function worker.read_secret to service_role;

create function worker.step_progress(p_step_result_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('chunks_written', count(*))
    from public.step_result_chunks c
    where c.step_result_id = p_step_result_id;
$$;
comment on function worker.step_progress is
    'How many chunks a step has written: what tells a step''s own task that died on its way from one that never gets on. service_role.';
grant execute on function worker.step_progress to service_role;
