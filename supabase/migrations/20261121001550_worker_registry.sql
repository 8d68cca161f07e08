-- How the code that runs the steps publishes them. All functions of schema worker are definer: see …_worker.sql.

create function worker.publish_steps(p_steps jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_total int := jsonb_array_length(p_steps);
    v_unchanged int;
begin
    select count(*) into v_unchanged
    from jsonb_array_elements(p_steps) p
    join public.steps s on s.slug = p ->> 'slug' and s.version = p ->> 'version'
    where to_jsonb(s) - 'created_at' = p;

    insert into public.steps (
        slug, version, title, description, execution_mode, task_id, config_schema, input_schema, output_schema
    )
    select p.slug, p.version, p.title, p.description, p.execution_mode, p.task_id,
        p.config_schema, p.input_schema, p.output_schema
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
comment on function worker.publish_steps is
    'Publishes step versions: [{slug, version, title, description, execution_mode, task_id, config_schema, '
    'input_schema, output_schema}]. service_role. '
    'Raises 409 step_version_conflict when a published version would do something else. Safe to repeat.';
grant execute on function worker.publish_steps to service_role;
