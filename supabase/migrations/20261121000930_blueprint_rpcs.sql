-- RPCs of blueprints: get, list, create, update.

create function private.blueprint_json(p_blueprint public.blueprints) returns jsonb
language sql stable set search_path = '' as $$
    select jsonb_build_object(
        'id', p_blueprint.id,
        'org_id', p_blueprint.org_id,
        'name', p_blueprint.name,
        'description', p_blueprint.description,
        'version', p_blueprint.version,
        'step_count', (select count(*) from public.blueprint_steps bs where bs.blueprint_id = p_blueprint.id),
        'created_by', p_blueprint.created_by,
        'created_at', p_blueprint.created_at,
        'updated_at', p_blueprint.updated_at
    );
$$;
comment on function private.blueprint_json is 'A blueprint as lists show it.';
grant execute on function private.blueprint_json to authenticated;

create function public.get_blueprint(p_blueprint_id uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_blueprint public.blueprints;
begin
    select b.* into v_blueprint from public.blueprints b where b.id = p_blueprint_id;
    if not found then
        perform private.raise_error(404, 'blueprint_not_found', 'No such blueprint.');
    end if;
    return private.blueprint_json(v_blueprint) || jsonb_build_object('steps', coalesce((
        select jsonb_agg(
            jsonb_build_object(
                'position', bs.position,
                'slug', s.slug,
                'version', s.version,
                'title', s.title,
                'execution_mode', s.execution_mode,
                'config', bs.config
            ) || private.step_options_json(bs) order by bs.position
        )
        from public.blueprint_steps bs
        join public.steps s on s.slug = bs.step_slug and s.version = bs.step_version
        where bs.blueprint_id = p_blueprint_id
    ), '[]'));
end;
$$;
comment on function public.get_blueprint is
    'One blueprint with its steps. Any caller of the org. '
    'Raises 404 blueprint_not_found.';
grant execute on function public.get_blueprint to authenticated;

create function public.list_blueprints(p_limit int default 50, p_cursor text default null) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_limit int := private.check_limit(p_limit);
    v_before private.sort_key := private.decode_time_cursor(p_cursor);
begin
    return private.page(
        array(
            select jsonb_build_object('key', jsonb_build_array(b.created_at, b.id), 'item', private.blueprint_json(b))
            from public.blueprints b
            where (b.created_at, b.id) < (v_before.created_at, v_before.id)
            order by b.created_at desc, b.id desc
            limit v_limit + 1
        ),
        v_limit
    );
end;
$$;
comment on function public.list_blueprints is
    'Blueprints of the org, newest first. Any caller. '
    'Raises 422 invalid_request, invalid_cursor.';
grant execute on function public.list_blueprints to authenticated;

create function private.pinned_version(p_slug text, p_version text) returns text
language sql stable set search_path = '' as $$
    select s.version
    from public.steps s
    where s.slug = p_slug and s.version = coalesce(p_version, s.version)
    order by private.version_key(s.version) desc
    limit 1;
$$;
comment on function private.pinned_version is
    'The version of a published step that a blueprint pins: the given one, or the latest; null when there is none.';
grant execute on function private.pinned_version to authenticated;

create function private.replace_blueprint_steps(p_blueprint_id uuid, p_steps jsonb) returns void
language plpgsql volatile set search_path = '' as $$
declare
    v_unknown record;
    v_org_id uuid;
    v_steps public.blueprint_steps[];
begin
    perform private.check_json(p_steps, 1500000, 'steps');
    if jsonb_typeof(p_steps) is distinct from 'array' or jsonb_array_length(p_steps) not between 1 and 50 then
        perform private.raise_error(422, 'invalid_request', 'A blueprint has between 1 and 50 steps.');
    end if;
    select e.ordinality as position, e.value as step
    into v_unknown
    from jsonb_array_elements(p_steps) with ordinality e
    where private.pinned_version(e.value ->> 'slug', e.value ->> 'version') is null
    order by e.ordinality
    limit 1;
    if found then
        perform private.raise_error(422, 'unknown_step',
            format('Step %s names a step or version that is not published.', v_unknown.position),
            jsonb_build_object(
                'position', v_unknown.position, 'slug', v_unknown.step -> 'slug', 'version', v_unknown.step -> 'version'
            ));
    end if;
    select b.org_id into v_org_id from public.blueprints b where b.id = p_blueprint_id;
    v_steps := array(
        select row(
            v_org_id, p_blueprint_id, e.ordinality, e.value ->> 'slug',
            private.pinned_version(e.value ->> 'slug', e.value ->> 'version'),
            coalesce(nullif(e.value -> 'config', 'null'), '{}'),
            coalesce((e.value ->> 'continue_on_error')::boolean, false), (e.value ->> 'timeout_seconds')::int,
            nullif(e.value -> 'retry', 'null'), e.value ->> 'run_if', (e.value ->> 'concurrency')::int
        )::public.blueprint_steps
        from jsonb_array_elements(p_steps) with ordinality e
    );
    -- An edit that changes no step is a new version too.
    -- Not a column of a key: submissions would wait.
    update public.blueprints set description = description where id = p_blueprint_id;
    -- Only what changes, and in one statement each, so that the audit log tells that.
    delete from public.blueprint_steps bs
    where bs.blueprint_id = p_blueprint_id
        and not exists (select from unnest(v_steps) s where s is not distinct from bs);
    insert into public.blueprint_steps (
        blueprint_id, position, step_slug, step_version, config,
        continue_on_error, timeout_seconds, retry, run_if, concurrency
    )
    select s.blueprint_id, s.position, s.step_slug, s.step_version, s.config,
        s.continue_on_error, s.timeout_seconds, s.retry, s.run_if, s.concurrency
    from unnest(v_steps) s
    where not exists (
        select from public.blueprint_steps bs where bs.blueprint_id = p_blueprint_id and bs.position = s.position
    );
end;
$$;
comment on function private.replace_blueprint_steps is
    'Replaces the steps of a blueprint by [{slug, version?, config?, continue_on_error?, timeout_seconds?, retry?, '
    'run_if?, concurrency?}]; without a version the latest is pinned. '
    'Raises 413 payload_too_large, 422 unknown_step, invalid_request.';
grant execute on function private.replace_blueprint_steps to authenticated;

create function private.raise_name_taken() returns void
language plpgsql immutable set search_path = '' as $$
begin
    perform private.raise_error(409, 'conflict',
        'Another blueprint of the org has this name. Update that one, or send another name.',
        jsonb_build_object('field', 'name'));
end;
$$;
comment on function private.raise_name_taken is
    'Raises 409 conflict: two blueprints of an org never have the same name.';
grant execute on function private.raise_name_taken to authenticated;

create function public.create_blueprint(
    p_name text,
    p_steps jsonb,
    p_description text default null,
    p_idempotency_key text default null,
    p_request_hash text default null
) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_org_wide('Only an org_admin creates blueprints.');
    v_result jsonb := private.recall_result('create_blueprint', p_idempotency_key, p_request_hash);
    v_id uuid;
begin
    if v_result is not null then
        return v_result;
    end if;
    insert into public.blueprints (name, description)
    values (btrim(p_name), p_description)
    on conflict (org_id, name) do nothing
    returning id into v_id;
    if not found then
        perform private.raise_name_taken();
    end if;
    perform private.replace_blueprint_steps(v_id, p_steps);
    return private.remember_result('create_blueprint', p_idempotency_key, public.get_blueprint(v_id));
end;
$$;
comment on function public.create_blueprint is
    'Creates a blueprint from [{slug, version?, config?, …}], as private.replace_blueprint_steps takes them. '
    'org_admin. '
    'Raises 403 forbidden, 409 conflict (name is taken), idempotency_key_reused, 413 payload_too_large, 422 '
    'unknown_step, invalid_request. Safe to repeat with an idempotency key.';
grant execute on function public.create_blueprint to authenticated;

create function public.update_blueprint(
    p_blueprint_id uuid,
    p_name text default null,
    p_description text default null,
    p_steps jsonb default null,
    p_expected_version int default null
) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_version int;
begin
    select b.version into v_version from public.blueprints b where b.id = p_blueprint_id;
    if not found then
        perform private.raise_error(404, 'blueprint_not_found', 'No such blueprint.');
    end if;
    v_caller := private.require_org_wide('Only an org_admin edits blueprints.');
    select b.version into v_version from public.blueprints b where b.id = p_blueprint_id for no key update;
    if p_expected_version is not null and v_version is distinct from p_expected_version then
        perform private.raise_error(409, 'blueprint_version_conflict',
            format('The blueprint is at version %s. Read it again and repeat the edit.', v_version),
            jsonb_build_object('version', v_version));
    end if;
    if p_name is not null or p_description is not null then
        begin
            update public.blueprints
            set name = coalesce(btrim(p_name), name), description = coalesce(p_description, description)
            where id = p_blueprint_id;
        exception when unique_violation then
            perform private.raise_name_taken();
        end;
    end if;
    if p_steps is not null then
        perform private.replace_blueprint_steps(p_blueprint_id, p_steps);
    end if;
    return public.get_blueprint(p_blueprint_id);
end;
$$;
comment on function public.update_blueprint is
    'Changes what is given and makes a new version; existing runs keep their snapshot. org_admin. '
    'Raises 403 forbidden, 404 blueprint_not_found, 409 conflict (name is taken), blueprint_version_conflict, 413 '
    'payload_too_large, 422 unknown_step, invalid_request. With p_expected_version a repeat is refused.';
grant execute on function public.update_blueprint to authenticated;
