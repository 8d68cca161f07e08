-- What the tasks may do with the steps of a run that they have claimed. All functions of schema worker are definer: see
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
        perform private.raise_error(409, 'invalid_transition', 'It is not the step''s turn: a step before it has not ended.');
    end if;
end;
$$;
comment on function private.require_turn is
    'Passes if each step before has succeeded, was skipped by its condition, or failed with continue_on_error. '
    'Raises 409 invalid_transition.';

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
        -- A call that goes on copying is the same attempt.
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
    'Starts or resumes a step. Returns which chunks are written, and the first one that is not, which saves a call of '
    'read_chunk. Status succeeded, skipped or failed: nothing is left to do. Status copying: call again, since the '
    'chunks of an earlier run are copied 8 MB a call. service_role. '
    'Raises 404 step_result_not_found, 409 invalid_transition, pipeline_run_cancelled, pipeline_run_finished, '
    'claim_lost. Each call counts an attempt, unless it goes on copying.';
grant execute on function worker.start_step to service_role;

create function worker.finish_step(
    p_step_result_id uuid,
    p_claim_id uuid,
    p_timings jsonb default null,
    p_warnings jsonb default null,
    p_columns jsonb default null
) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_step_result public.step_results := private.lock_claimed_step_result(p_step_result_id, p_claim_id);
begin
    if v_step_result.status <> 'succeeded' then
        update public.step_results
        set status = 'succeeded', warnings = coalesce(p_warnings, '[]'), columns = p_columns,
            reading_ms = (p_timings ->> 'reading_ms')::int, processing_ms = (p_timings ->> 'processing_ms')::int,
            writing_ms = (p_timings ->> 'writing_ms')::int
        where id = p_step_result_id
        returning * into v_step_result;
    end if;
    return private.step_result_json(v_step_result);
end;
$$;
comment on function worker.finish_step is
    'Ends a step that wrote every chunk; its ledger is counted again from them. p_timings is where the worker''s time '
    'went: {reading_ms, processing_ms, writing_ms}; p_warnings is what people should check: at most 20 of {code, '
    'message, details}; p_columns says which input column became which field: [{name, field}]. service_role. '
    'Raises 404 step_result_not_found, 409 step_incomplete, invalid_transition, immutable, pipeline_run_cancelled, '
    'pipeline_run_finished, claim_lost. Repeating it changes nothing.';
grant execute on function worker.finish_step to service_role;

create function worker.end_step(
    p_step_result_id uuid,
    p_claim_id uuid,
    p_last_chunk jsonb default null,
    p_next_step_result_id uuid default null,
    p_timings jsonb default null,
    p_warnings jsonb default null,
    p_columns jsonb default null
) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
    if p_last_chunk is not null then
        perform worker.write_chunk(p_step_result_id, p_claim_id, (p_last_chunk ->> 'chunk_index')::int,
            p_last_chunk -> 'records', p_last_chunk -> 'rejected', p_last_chunk -> 'dropped');
    end if;
    perform worker.finish_step(p_step_result_id, p_claim_id, p_timings, p_warnings, p_columns);
    return jsonb_build_object(
        'next', case when p_next_step_result_id is not null then worker.start_step(p_next_step_result_id, p_claim_id) end
    );
end;
$$;
comment on function worker.end_step is
    'Ends a step in one call: write_chunk of the last chunk {chunk_index, records, rejected, dropped} if it is given, '
    'finish_step with p_timings, p_warnings and p_columns, and start_step of the next step if it is given, whose answer '
    'is in next. '
    'service_role. '
    'Raises what those raise, and then has done none of them. A repeat changes only the attempts of the next step.';
grant execute on function worker.end_step to service_role;

create function worker.fail_step(p_step_result_id uuid, p_claim_id uuid, p_error jsonb, p_timings jsonb default null)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_step_result public.step_results := private.lock_claimed_step_result(p_step_result_id, p_claim_id);
begin
    -- A repeat, because the first answer was lost: the run has gone on without the step.
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
    'Fails a step with {code, message, details?}. The run fails too and its pending steps are skipped, unless the step '
    'has continue_on_error (continues). p_timings as for worker.finish_step. service_role. '
    'Raises 404 step_result_not_found, 409 immutable, pipeline_run_cancelled, pipeline_run_finished, claim_lost.';
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
    'The secret that a running step''s config names as secret_name. service_role. '
    'Raises 404 secret_not_found.';
grant execute on function worker.read_secret to service_role;

create function worker.step_progress(p_step_result_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('chunks_written', count(*))
    from public.step_result_chunks c
    where c.step_result_id = p_step_result_id;
$$;
comment on function worker.step_progress is
    'How many chunks a step has written. Tells a step task that died midway from one that makes no progress. '
    'service_role.';
grant execute on function worker.step_progress to service_role;
