-- What the tasks may do about a step's condition. All functions of schema worker are definer: see …_worker.sql.

create function worker.read_condition_input(p_step_result_id uuid) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
    v_input jsonb;
begin
    select jsonb_build_object(
        'run', jsonb_build_object(
            'record_count', r.record_count, 'rejected_count', s.rejected_count, 'run_number', r.run_number, 'source', s.source
        ),
        'steps', coalesce((
            select jsonb_agg(
                jsonb_build_object(
                    'position', before.position, 'slug', before.slug, 'status', before.status,
                    'records_in', before.records_in, 'records_out', before.records_out,
                    'records_rejected', before.records_rejected, 'records_dropped', before.records_dropped
                ) order by before.position
            )
            from public.step_results before
            where before.pipeline_run_id = r.id and before.position < sr.position
        ), '[]')
    )
    into v_input
    from public.step_results sr
    join public.pipeline_runs r on r.id = sr.pipeline_run_id
    join public.submissions s on s.id = r.submission_id
    where sr.id = p_step_result_id;
    if not found then
        perform private.raise_error(404, 'step_result_not_found', 'No such step result.');
    end if;
    return v_input;
end;
$$;
comment on function worker.read_condition_input is
    'What a step''s condition can read beside a record: the run, and the counts of the steps before. service_role. '
    'Raises 404 step_result_not_found.';
grant execute on function worker.read_condition_input to service_role;

create function worker.skip_step(p_step_result_id uuid, p_claim_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_step_result public.step_results := private.lock_claimed_step_result(p_step_result_id, p_claim_id);
begin
    if v_step_result.skip_reason = 'condition' then
        return private.step_result_json(v_step_result);
    end if;
    if not exists (
        select from public.pipeline_runs r, jsonb_array_elements(r.blueprint_snapshot -> 'steps') s
        where r.id = v_step_result.pipeline_run_id and (s ->> 'position')::int = v_step_result.position
            and s ->> 'run_if' is not null
    ) then
        perform private.raise_error(409, 'invalid_transition', 'The step has no condition.');
    end if;
    perform private.require_turn(v_step_result);
    update public.step_results
    set status = 'skipped', skip_reason = 'condition'
    where id = p_step_result_id
    returning * into v_step_result;
    return private.step_result_json(v_step_result);
end;
$$;
comment on function worker.skip_step is
    'Skips a step whose turn it is and whose condition is false; its input passes on. service_role. '
    'Raises 404 step_result_not_found, 409 invalid_transition, pipeline_run_cancelled, pipeline_run_finished, '
    'claim_lost. Repeating it changes nothing.';
grant execute on function worker.skip_step to service_role;
