-- Blueprint snapshots: the copy of its blueprint that a pipeline run owns.

create function private.step_options_json(p_step public.blueprint_steps) returns jsonb
language sql stable set search_path = '' as $$
    select jsonb_build_object(
        'continue_on_error', p_step.continue_on_error,
        'timeout_seconds', p_step.timeout_seconds,
        'retry', p_step.retry,
        'run_if', p_step.run_if,
        'concurrency', p_step.concurrency
    );
$$;
comment on function private.step_options_json is
    'The options of a step, as blueprints and snapshots show them beside the config.';
grant execute on function private.step_options_json to authenticated;

create function private.snapshot_blueprint(p_blueprint_id uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_snapshot jsonb;
begin
    select jsonb_build_object(
        'blueprint_id', b.id,
        'name', b.name,
        'version', b.version,
        'steps', (
            select jsonb_agg(
                jsonb_build_object(
                    'position', ordered.position,
                    'slug', ordered.slug,
                    'version', ordered.version,
                    'title', ordered.title,
                    'execution_mode', ordered.execution_mode,
                    'task_id', ordered.task_id,
                    'config', ordered.config
                ) || ordered.options order by ordered.position
            )
            from (
                select row_number() over (order by bs.position) as position,
                    s.slug, s.version, s.title, s.execution_mode, s.task_id, bs.config,
                    private.step_options_json(bs) as options
                from public.blueprint_steps bs
                join public.steps s on s.slug = bs.step_slug and s.version = bs.step_version
                where bs.blueprint_id = b.id
            ) ordered
        )
    )
    into v_snapshot
    from public.blueprints b
    where b.id = p_blueprint_id;

    if v_snapshot is null then
        perform private.raise_error(404, 'blueprint_not_found', 'No such blueprint.');
    end if;
    if jsonb_typeof(v_snapshot -> 'steps') is distinct from 'array' then
        perform private.raise_error(422, 'invalid_request', 'This blueprint has no steps.');
    end if;
    return v_snapshot;
end;
$$;
comment on function private.snapshot_blueprint is
    'The blueprint as it is now: name, version and its steps in order, positions counted from 1. '
    'Raises 404 blueprint_not_found, 422 invalid_request if it has no steps.';
grant execute on function private.snapshot_blueprint to authenticated;
