-- What the tasks may do. service_role has no privilege on any table: the functions of schema worker are definer, and
-- all that the service credential reaches. A function that writes for a run checks its claim and status.
--
-- A worker owns a run by a claim with a lease, which its writes and heartbeats renew. A newer claim fences the older
-- one off: the older worker's next call is refused with claim_lost, so two workers never both write.

create function private.lock_claimed_run(p_pipeline_run_id uuid, p_claim_id uuid) returns public.pipeline_runs
language plpgsql volatile set search_path = '' as $$
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
    -- A renewal rewrites the row, so of many calls in a second only one renews.
    if v_run.lease_expires_at < now() + interval '55 seconds' then
        update public.pipeline_runs set lease_expires_at = now() + interval '60 seconds' where id = v_run.id;
    end if;
    -- The audit log names this Trigger.dev run for the rest of the transaction.
    perform set_config('private.trigger_run_id', v_run.trigger_run_id, true);
    return v_run;
end;
$$;
comment on function private.lock_claimed_run is
    'Locks a run whose claim still holds, and leaves it a lease of at least 55 seconds. '
    'Raises 404 pipeline_run_not_found, 409 pipeline_run_cancelled, pipeline_run_finished, claim_lost.';

create function private.lock_claimed_step_result(p_step_result_id uuid, p_claim_id uuid)
returns public.step_results
language plpgsql volatile set search_path = '' as $$
declare
    v_step_result public.step_results;
begin
    select sr.* into v_step_result from public.step_results sr where sr.id = p_step_result_id;
    if not found then
        perform private.raise_error(404, 'step_result_not_found', 'No such step result.');
    end if;
    -- The run is always locked first, so that cancelling and writing cannot deadlock.
    perform private.lock_claimed_run(v_step_result.pipeline_run_id, p_claim_id);
    select sr.* into v_step_result from public.step_results sr where sr.id = p_step_result_id for no key update;
    return v_step_result;
end;
$$;
comment on function private.lock_claimed_step_result is
    'Locks a step result if the claim on its run holds. '
    'Raises 404 step_result_not_found and what lock_claimed_run raises.';

create function private.work_of(p_run public.pipeline_runs) returns jsonb
language sql stable set search_path = '' as $$
    select jsonb_build_object(
        'pipeline_run', jsonb_build_object(
            'id', p_run.id, 'org_id', p_run.org_id, 'company_id', p_run.company_id, 'submission_id', p_run.submission_id,
            'run_number', p_run.run_number, 'blueprint_id', p_run.blueprint_id, 'blueprint_version', p_run.blueprint_version,
            'chunk_count', p_run.chunk_count, 'record_count', p_run.record_count, 'trace_id', p_run.trace_id,
            'trace_sampled', p_run.trace_sampled, 'request_id', p_run.request_id, 'created_at', p_run.created_at
        ),
        'columns', (select s.columns from public.submissions s where s.id = p_run.submission_id),
        'steps', (
            select jsonb_agg(
                jsonb_build_object(
                    'step_result_id', sr.id, 'position', sr.position, 'slug', sr.slug, 'version', sr.version,
                    'task_id', s -> 'task_id', 'execution_mode', sr.execution_mode, 'config', s -> 'config',
                    'continue_on_error', sr.continue_on_error, 'timeout_seconds', s -> 'timeout_seconds',
                    'retry', s -> 'retry', 'run_if', s -> 'run_if', 'concurrency', s -> 'concurrency',
                    'delivery_key', sr.delivery_key, 'status', sr.status,
                    'begun', sr.started_at is not null or sr.resumed_from is not null
                ) order by sr.position
            )
            from public.step_results sr
            join jsonb_array_elements(p_run.blueprint_snapshot -> 'steps') s on (s ->> 'position')::int = sr.position
            where sr.pipeline_run_id = p_run.id
        )
    );
$$;
comment on function private.work_of is
    'What a worker needs to execute a run: {pipeline_run, columns, steps}: the column profiles of the submission, and '
    'the steps of the snapshot with their step results.';

create function worker.claim_pipeline_run(p_pipeline_run_id uuid, p_trigger_run_id text, p_contract int default null)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_run public.pipeline_runs;
begin
    -- A waiting run is not locked: admission would skip it, and it might be the only one.
    select r.* into v_run
    from public.pipeline_runs r
    where r.id = p_pipeline_run_id and (r.admitted_at is not null or r.finished_at is not null)
    for no key update;
    if not found and not exists (select from public.pipeline_runs r where r.id = p_pipeline_run_id) then
        perform private.raise_error(404, 'pipeline_run_not_found', 'No such pipeline run.');
    end if;
    if v_run.finished_at is not null then
        return jsonb_build_object('outcome', 'finished', 'status', v_run.status);
    end if;
    perform private.check_contract(p_contract);
    if v_run.id is null then
        return jsonb_build_object('outcome', 'not_admitted');
    end if;
    if v_run.status = 'running' and v_run.trigger_run_id is distinct from p_trigger_run_id
        and v_run.lease_expires_at > now() then
        return jsonb_build_object('outcome', 'claimed_elsewhere');
    end if;

    perform set_config('private.trigger_run_id', p_trigger_run_id, true);
    update public.pipeline_runs
    set status = 'running', claim_id = gen_random_uuid(), trigger_run_id = p_trigger_run_id,
        lease_expires_at = now() + interval '60 seconds',
        restart_count = restart_count + (v_run.status = 'running' and v_run.trigger_run_id is distinct from p_trigger_run_id)::int
    where id = p_pipeline_run_id
    returning * into v_run;

    return jsonb_build_object('outcome', 'claimed', 'claim_id', v_run.claim_id) || private.work_of(v_run);
end;
$$;
comment on function worker.claim_pipeline_run is
    'Claims a run for a Trigger.dev run. Outcome: claimed (with claim_id and work), finished, not_admitted or '
    'claimed_elsewhere. p_contract is the contract that the worker was built for; null for calls by hand. The same '
    'Trigger.dev run may claim again at once, another one when the lease has expired. service_role. '
    'Raises 404 pipeline_run_not_found, 409 worker_outdated, database_outdated. A repeat fences off the claim before '
    'it.';
grant execute on function worker.claim_pipeline_run to service_role;

create function worker.heartbeat(p_pipeline_run_id uuid, p_claim_id uuid, p_lease_seconds int default 60)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
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
comment on function worker.heartbeat is
    'Renews the lease for p_lease_seconds, and tells the worker whether to go on. More than a minute is for a task '
    'that sleeps while its child task waits and works. service_role. '
    'Raises 409 pipeline_run_cancelled, pipeline_run_finished, claim_lost, 422 invalid_request. Safe to repeat.';
grant execute on function worker.heartbeat to service_role;

create function worker.finish_pipeline_run(p_pipeline_run_id uuid, p_claim_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_status public.pipeline_run_status;
begin
    perform private.lock_claimed_run(p_pipeline_run_id, p_claim_id);
    -- Null means that steps are unfinished: the trigger then refuses this success.
    v_status := coalesce(private.success_of_run(p_pipeline_run_id), 'succeeded');
    update public.pipeline_runs set status = v_status where id = p_pipeline_run_id;
    return jsonb_build_object('status', v_status);
end;
$$;
comment on function worker.finish_pipeline_run is
    'Ends a run as succeeded or succeeded_with_errors. Each step must have succeeded, been skipped by its condition, '
    'or failed with continue_on_error. service_role. '
    'Raises 409 invalid_transition, pipeline_run_cancelled, pipeline_run_finished, claim_lost.';
grant execute on function worker.finish_pipeline_run to service_role;

create function worker.fail_pipeline_run(p_pipeline_run_id uuid, p_claim_id uuid, p_error jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
    perform private.lock_claimed_run(p_pipeline_run_id, p_claim_id);
    update public.pipeline_runs set status = 'failed', error = p_error where id = p_pipeline_run_id;
    return jsonb_build_object('status', 'failed');
end;
$$;
comment on function worker.fail_pipeline_run is
    'Fails a run for a reason that is not a step''s: {code, message, details?}. Its running step fails too, pending '
    'ones are skipped. service_role. '
    'Raises 409 pipeline_run_cancelled, pipeline_run_finished, claim_lost.';
grant execute on function worker.fail_pipeline_run to service_role;
