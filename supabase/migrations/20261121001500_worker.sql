-- What the tasks may do. service_role holds no table privilege for it: these functions are definer, so that
-- they are the whole of the service credential's reach, and each checks run, claim and state.
--
-- A worker owns a run through a claim, on a lease that each of its calls renews. A newer claim fences the older
-- one off: its next call is refused with claim_lost, so two workers never both write.

create function private.lock_claimed_run(p_pipeline_run_id uuid, p_claim_id uuid)
returns public.pipeline_runs
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
    v_run public.pipeline_runs;
begin
    select r.* into v_run from public.pipeline_runs r where r.id = p_pipeline_run_id for no key update;
    if not found then
        perform private.raise_error(404, 'pipeline_run_not_found', 'No such pipeline run.');
    end if;
    if v_run.status = 'cancelled' then
        perform private.raise_error(409, 'pipeline_run_cancelled', 'The run was cancelled.');
    end if;
    if v_run.finished_at is not null then
        perform private.raise_error(409, 'pipeline_run_finished', format('The run is %s.', v_run.status));
    end if;
    if v_run.claim_id is distinct from p_claim_id or v_run.claim_id is null then
        perform private.raise_error(409, 'claim_lost', 'Another worker owns the run now.');
    end if;
    update public.pipeline_runs
    set lease_expires_at = greatest(lease_expires_at, now() + interval '60 seconds')
    where id = v_run.id;
    return v_run;
end;
$$;
comment on function private.lock_claimed_run(uuid, uuid) is
    'The run, locked and with at least a minute of lease, if the claim still holds. Raises 404 pipeline_run_not_found, 409 pipeline_run_cancelled, pipeline_run_finished, claim_lost.';

create function private.lock_claimed_step_result(p_step_result_id uuid, p_claim_id uuid)
returns public.step_results
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
    v_step_result public.step_results;
begin
    select sr.* into v_step_result from public.step_results sr where sr.id = p_step_result_id;
    if not found then
        perform private.raise_error(404, 'step_result_not_found', 'No such step result.');
    end if;
    -- The run is locked first, always, so that cancelling and writing cannot deadlock.
    perform private.lock_claimed_run(v_step_result.pipeline_run_id, p_claim_id);
    select sr.* into v_step_result from public.step_results sr where sr.id = p_step_result_id for no key update;
    return v_step_result;
end;
$$;
comment on function private.lock_claimed_step_result(uuid, uuid) is 'The step result, locked, if the claim on its run holds. Raises 404 step_result_not_found and what lock_claimed_run raises.';

-- The registry ---------------------------------------------------------------------------------------

create function worker.publish_steps(p_steps jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
    v_total int := jsonb_array_length(p_steps);
    v_unchanged int;
begin
    select count(*) into v_unchanged
    from jsonb_array_elements(p_steps) p
    join public.steps s on s.slug = p ->> 'slug' and s.version = p ->> 'version'
    where to_jsonb(s) - 'created_at' = p;

    insert into public.steps (slug, version, title, description, execution_mode, task_id, config_schema, input_schema, output_schema)
    select p.slug, p.version, p.title, p.description, p.execution_mode, p.task_id, p.config_schema, p.input_schema, p.output_schema
    from jsonb_to_recordset(p_steps) p (
        slug text, version text, title text, description text, execution_mode public.execution_mode, task_id text,
        config_schema jsonb, input_schema jsonb, output_schema jsonb
    )
    on conflict (slug, version) do update
    set title = excluded.title, description = excluded.description, execution_mode = excluded.execution_mode,
        task_id = excluded.task_id, config_schema = excluded.config_schema, input_schema = excluded.input_schema,
        output_schema = excluded.output_schema;
    return jsonb_build_object('published', v_total - v_unchanged, 'unchanged', v_unchanged);
end;
$$;
comment on function worker.publish_steps(jsonb) is
    'Publishes step versions: [{slug, version, title, description, execution_mode, task_id, config_schema, input_schema, output_schema}]. service_role. Raises 409 step_version_conflict when a published version would do something else. Safe to repeat.';
grant execute on function worker.publish_steps(jsonb) to service_role;

-- The run --------------------------------------------------------------------------------------------

create function worker.claim_pipeline_run(p_pipeline_run_id uuid, p_trigger_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
    v_run public.pipeline_runs;
begin
    select r.* into v_run from public.pipeline_runs r where r.id = p_pipeline_run_id for no key update;
    if not found then
        perform private.raise_error(404, 'pipeline_run_not_found', 'No such pipeline run.');
    end if;
    if v_run.finished_at is not null then
        return jsonb_build_object('outcome', 'finished', 'status', v_run.status);
    end if;
    if v_run.status = 'running' and v_run.trigger_run_id is distinct from p_trigger_run_id
        and v_run.lease_expires_at > now() then
        return jsonb_build_object('outcome', 'claimed_elsewhere');
    end if;

    update public.pipeline_runs
    set status = 'running', claim_id = gen_random_uuid(), trigger_run_id = p_trigger_run_id,
        lease_expires_at = now() + interval '60 seconds'
    where id = p_pipeline_run_id
    returning * into v_run;

    return jsonb_build_object(
        'outcome', 'claimed',
        'claim_id', v_run.claim_id,
        'pipeline_run', jsonb_build_object(
            'id', v_run.id, 'org_id', v_run.org_id, 'company_id', v_run.company_id, 'submission_id', v_run.submission_id,
            'run_number', v_run.run_number, 'blueprint_id', v_run.blueprint_id, 'blueprint_version', v_run.blueprint_version,
            'chunk_count', v_run.chunk_count, 'record_count', v_run.record_count, 'created_at', v_run.created_at
        ),
        'steps', (
            select jsonb_agg(
                jsonb_build_object(
                    'step_result_id', sr.id, 'position', sr.position, 'slug', sr.slug, 'version', sr.version,
                    'task_id', s -> 'task_id', 'execution_mode', sr.execution_mode, 'config', s -> 'config',
                    'retry', s -> 'retry', 'status', sr.status
                ) order by sr.position
            )
            from public.step_results sr
            join jsonb_array_elements(v_run.blueprint_snapshot -> 'steps') s on (s ->> 'position')::int = sr.position
            where sr.pipeline_run_id = v_run.id
        )
    );
end;
$$;
comment on function worker.claim_pipeline_run(uuid, text) is
    'Takes a run for the given Trigger.dev run: outcome claimed (with claim_id and what to do), finished, or claimed_elsewhere. The same Trigger.dev run may claim again at once, another one when the lease has expired. service_role. Raises 404 pipeline_run_not_found. A repeat fences off the claim before it.';
grant execute on function worker.claim_pipeline_run(uuid, text) to service_role;

create function worker.heartbeat(p_pipeline_run_id uuid, p_claim_id uuid, p_lease_seconds int default 60)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
    if p_lease_seconds is null or p_lease_seconds not between 1 and 3600 then
        perform private.raise_error(422, 'invalid_request', 'p_lease_seconds must be between 1 and 3600.');
    end if;
    perform private.lock_claimed_run(p_pipeline_run_id, p_claim_id);
    update public.pipeline_runs
    set lease_expires_at = now() + make_interval(secs => p_lease_seconds)
    where id = p_pipeline_run_id;
    return jsonb_build_object('status', 'running');
end;
$$;
comment on function worker.heartbeat(uuid, uuid, int) is
    'Says that the worker is alive, and learns whether to go on. The lease then ends in p_lease_seconds: more than a minute is for a task that is about to sleep while its child task waits and works. service_role. Raises 409 pipeline_run_cancelled, pipeline_run_finished, claim_lost, 422 invalid_request. Safe to repeat.';
grant execute on function worker.heartbeat(uuid, uuid, int) to service_role;

create function worker.finish_pipeline_run(p_pipeline_run_id uuid, p_claim_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
    perform private.lock_claimed_run(p_pipeline_run_id, p_claim_id);
    update public.pipeline_runs set status = 'succeeded' where id = p_pipeline_run_id;
    return jsonb_build_object('status', 'succeeded');
end;
$$;
comment on function worker.finish_pipeline_run(uuid, uuid) is
    'Ends a run whose steps have all succeeded. service_role. Raises 409 invalid_transition, pipeline_run_cancelled, pipeline_run_finished, claim_lost.';
grant execute on function worker.finish_pipeline_run(uuid, uuid) to service_role;

create function worker.fail_pipeline_run(p_pipeline_run_id uuid, p_claim_id uuid, p_error jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
    perform private.lock_claimed_run(p_pipeline_run_id, p_claim_id);
    update public.pipeline_runs set status = 'failed', error = p_error where id = p_pipeline_run_id;
    return jsonb_build_object('status', 'failed');
end;
$$;
comment on function worker.fail_pipeline_run(uuid, uuid, jsonb) is
    'Fails a run for a reason that is not one step''s: {code, message, details?}. A running step fails with it, the rest is skipped. service_role. Raises 409 pipeline_run_cancelled, pipeline_run_finished, claim_lost.';
grant execute on function worker.fail_pipeline_run(uuid, uuid, jsonb) to service_role;

-- The steps ------------------------------------------------------------------------------------------

create function worker.start_step(p_step_result_id uuid, p_claim_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
    v_step_result public.step_results := private.lock_claimed_step_result(p_step_result_id, p_claim_id);
begin
    if v_step_result.status in ('pending', 'running') then
        if exists (
            select from public.step_results sr
            where sr.pipeline_run_id = v_step_result.pipeline_run_id
                and sr.position < v_step_result.position and sr.status <> 'succeeded'
        ) then
            perform private.raise_error(409, 'invalid_transition', 'A step starts when all before it have succeeded.');
        end if;
        update public.step_results
        set status = 'running', attempt = attempt + 1
        where id = p_step_result_id
        returning * into v_step_result;
    end if;
    return jsonb_build_object(
        'status', v_step_result.status,
        'attempt', v_step_result.attempt,
        'chunk_count', v_step_result.chunk_count,
        'written_chunks', (
            select coalesce(jsonb_agg(c.chunk_index order by c.chunk_index), '[]')
            from public.step_result_chunks c
            where c.step_result_id = p_step_result_id
        )
    );
end;
$$;
comment on function worker.start_step(uuid, uuid) is
    'Starts a step, or resumes it: says which chunks are written already; status succeeded when nothing is left to do. service_role. Raises 404 step_result_not_found, 409 invalid_transition, pipeline_run_cancelled, pipeline_run_finished, claim_lost. Each call counts an attempt.';
grant execute on function worker.start_step(uuid, uuid) to service_role;

create function worker.read_chunk(p_step_result_id uuid, p_chunk_index int)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
    select jsonb_build_object('chunk_index', p_chunk_index, 'records', private.input_chunk(p_step_result_id, p_chunk_index));
$$;
comment on function worker.read_chunk(uuid, int) is 'A step''s input chunk. service_role. Raises 404 chunk_not_found.';
grant execute on function worker.read_chunk(uuid, int) to service_role;

create function worker.write_chunk(
    p_step_result_id uuid,
    p_claim_id uuid,
    p_chunk_index int,
    p_records jsonb,
    p_rejected jsonb default '[]',
    p_dropped jsonb default '[]'
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
    v_step_result public.step_results := private.lock_claimed_step_result(p_step_result_id, p_claim_id);
    v_hash bytea := sha256(convert_to(p_records::text || p_rejected::text || p_dropped::text, 'utf8'));
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

    perform private.check_verdicts(p_rejected);
    perform private.check_verdicts(p_dropped);
    v_repeated := array(select j ->> 'id' from jsonb_array_elements(p_rejected) j group by j ->> 'id' having count(*) > 1 limit 5);
    if v_repeated <> '{}' then
        perform private.raise_error(422, 'ledger_unbalanced', 'A record can be rejected only once.',
            jsonb_build_object('repeated', v_repeated));
    end if;
    insert into public.rejected_records (
        org_id, company_id, submission_id, step_result_id, chunk_index, record_id, reason, message, details, data
    )
    select v_step_result.org_id, v_step_result.company_id, r.submission_id, p_step_result_id, p_chunk_index,
        j.id, j.reason, j.message, coalesce(j.details, '{}'), i.value -> 'data'
    from jsonb_to_recordset(p_rejected) j (id text, reason text, message text, details jsonb)
    join public.pipeline_runs r on r.id = v_step_result.pipeline_run_id
    left join jsonb_array_elements(private.input_chunk(p_step_result_id, p_chunk_index)) i on i ->> 'id' = j.id;

    insert into public.step_result_chunks (step_result_id, chunk_index, records, dropped, content_hash)
    values (p_step_result_id, p_chunk_index, p_records, p_dropped, v_hash);
    return jsonb_build_object('written', true);
end;
$$;
comment on function worker.write_chunk(uuid, uuid, int, jsonb, jsonb, jsonb) is
    'Writes what a step made of one input chunk: records [{id, data}], rejected and dropped [{id, reason, message, details?}]. service_role. Raises 404 step_result_not_found, chunk_not_found, 409 chunk_conflict, invalid_transition, pipeline_run_cancelled, pipeline_run_finished, claim_lost, 413 chunk_too_large, 422 invalid_records, ledger_unbalanced. Repeating the same content changes nothing.';
grant execute on function worker.write_chunk(uuid, uuid, int, jsonb, jsonb, jsonb) to service_role;

create function worker.finish_step(p_step_result_id uuid, p_claim_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
    v_step_result public.step_results := private.lock_claimed_step_result(p_step_result_id, p_claim_id);
begin
    if v_step_result.status <> 'succeeded' then
        update public.step_results set status = 'succeeded' where id = p_step_result_id returning * into v_step_result;
    end if;
    return private.step_result_json(v_step_result);
end;
$$;
comment on function worker.finish_step(uuid, uuid) is
    'Ends a step that wrote every chunk; the ledger is counted again from them. service_role. Raises 404 step_result_not_found, 409 step_incomplete, invalid_transition, pipeline_run_cancelled, pipeline_run_finished, claim_lost. Repeating it changes nothing.';
grant execute on function worker.finish_step(uuid, uuid) to service_role;

create function worker.fail_step(p_step_result_id uuid, p_claim_id uuid, p_error jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
    v_step_result public.step_results := private.lock_claimed_step_result(p_step_result_id, p_claim_id);
begin
    if v_step_result.status = 'pending' then
        update public.step_results set status = 'running' where id = p_step_result_id;
    end if;
    update public.step_results set status = 'failed', error = p_error where id = p_step_result_id;
    update public.pipeline_runs
    set status = 'failed',
        error = p_error || jsonb_build_object('position', v_step_result.position, 'slug', v_step_result.slug)
    where id = v_step_result.pipeline_run_id;
    return jsonb_build_object('status', 'failed');
end;
$$;
comment on function worker.fail_step(uuid, uuid, jsonb) is
    'Fails a step with {code, message, details?}, and with it the run; what has not started is skipped. service_role. Raises 404 step_result_not_found, 409 immutable, pipeline_run_cancelled, pipeline_run_finished, claim_lost.';
grant execute on function worker.fail_step(uuid, uuid, jsonb) to service_role;

create function worker.read_secret(p_step_result_id uuid, p_name text)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
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
comment on function worker.read_secret(uuid, text) is
    'The secret that a running step''s config names as secret_name. service_role. Raises 404 secret_not_found.';
grant execute on function worker.read_secret(uuid, text) to service_role;

-- Repair ---------------------------------------------------------------------------------------------

create function worker.reconcile_pipeline_runs(p_limit int default 100)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
    v_most_restarts constant int := 5;
    v_starts jsonb;
    v_failed int;
    v_expired int;
begin
    with lost as (
        select r.id
        from public.pipeline_runs r
        where r.status = 'running' and r.restart_count >= v_most_restarts
            and r.lease_expires_at < now()
            and (r.dispatched_at <= r.lease_expires_at or r.dispatched_at < now() - interval '2 minutes')
        for update skip locked
    )
    update public.pipeline_runs r
    set status = 'failed',
        error = jsonb_build_object('code', 'worker_lost', 'message', format('The worker of the run was lost %s times.', v_most_restarts + 1))
    from lost
    where r.id = lost.id;
    get diagnostics v_failed = row_count;

    select coalesce(jsonb_agg(due.start), '[]') into v_starts
    from (
        select jsonb_build_object(
            'pipeline_run_id', r.id,
            'org_id', r.org_id,
            -- A queued run keeps its key, so that a run which Trigger.dev still holds is not doubled.
            'idempotency_key', case when r.status = 'queued' then r.id::text else r.id || ':' || r.restart_count + 1 end
        ) as start
        from public.pipeline_runs r
        where (
                r.status = 'queued'
                and coalesce(r.dispatched_at < now() - interval '2 minutes', r.created_at < now() - interval '10 seconds')
            )
            -- Told of a lost run within the last two minutes, Trigger.dev may be about to start it.
            or (
                r.status = 'running' and r.restart_count < v_most_restarts
                and r.lease_expires_at < now()
                and (r.dispatched_at <= r.lease_expires_at or r.dispatched_at < now() - interval '2 minutes')
            )
        order by r.created_at
        limit p_limit
    ) due;

    update public.submissions set status = 'expired'
    where status = 'receiving' and created_at < now() - interval '24 hours';
    get diagnostics v_expired = row_count;
    delete from private.idempotency_keys where created_at < now() - interval '24 hours';

    return jsonb_build_object('starts', v_starts, 'failed', v_failed, 'expired_submissions', v_expired);
end;
$$;
comment on function worker.reconcile_pipeline_runs(int) is
    'What needs a start: queued runs that Trigger.dev was not told of for 10 s (or was told 2 minutes ago), and running ones whose lease has expired. Fails with worker_lost those lost more than 5 times; expires uploads and idempotency keys after 24 hours. service_role. Safe to repeat.';
grant execute on function worker.reconcile_pipeline_runs(int) to service_role;

create function worker.mark_pipeline_run_dispatched(p_pipeline_run_id uuid, p_trigger_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
    update public.pipeline_runs
    set trigger_run_id = p_trigger_run_id,
        dispatched_at = now(),
        restart_count = restart_count + (status = 'running' and trigger_run_id is distinct from p_trigger_run_id)::int
    where id = p_pipeline_run_id
        and (status = 'queued' or (status = 'running' and lease_expires_at < now()));
    return jsonb_build_object('marked', found);
end;
$$;
comment on function worker.mark_pipeline_run_dispatched(uuid, text) is
    'Notes that Trigger.dev took a queued or lost run; a run that is alive or finished is left as it is. service_role. Safe to repeat.';
grant execute on function worker.mark_pipeline_run_dispatched(uuid, text) to service_role;
