-- Blueprints: what an org does with its records, as an ordered list of steps.
--
-- A blueprint is edited in place; its version counts the edits, one a transaction, whoever makes them. Runs do
-- not look at it again: they own the snapshot that private.snapshot_blueprint took when they were created.
--
-- Longer than most files: what belongs to one noun stays together.

create table public.blueprints (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null default private.caller_org_id() references public.orgs (id) on delete cascade,
    name text not null check (length(btrim(name)) between 1 and 200),
    description text check (length(description) <= 2000),
    version int not null default 1 check (version >= 1),
    -- The transaction that made the present version: edits within it count once.
    version_xact xid8 not null default pg_current_xact_id(),
    created_by uuid not null default private.caller_user_id(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (org_id, id),
    unique (org_id, name),
    foreign key (org_id, created_by) references public.users (org_id, id) on delete restrict
);
comment on table public.blueprints is 'An org''s ordered list of steps with their configs, versioned.';

create index blueprints_org_id_created_at_idx on public.blueprints (org_id, created_at desc, id desc);
create index blueprints_org_id_created_by_idx on public.blueprints (org_id, created_by);

create function private.is_backoff(p_backoff jsonb) returns boolean
language sql immutable set search_path = '' as $$
    select case
        when jsonb_typeof(p_backoff) <> 'object' or p_backoff - '{initial_seconds,max_seconds,factor}'::text[] <> '{}' then false
        when exists (select from jsonb_each(p_backoff) e where jsonb_typeof(e.value) <> 'number') then false
        else coalesce((p_backoff ->> 'initial_seconds')::numeric, 1) between 0.1 and 3600
            and coalesce((p_backoff ->> 'max_seconds')::numeric, 60) between 0.1 and 3600
            and coalesce((p_backoff ->> 'factor')::numeric, 2) between 1 and 10
    end;
$$;
comment on function private.is_backoff is
    'Whether this is {"initial_seconds"?, "max_seconds"?, "factor"?}: seconds from 0.1 to 3600, the factor from 1 to 10.';

create function private.is_list_of_codes(p_codes jsonb) returns boolean
language sql immutable set search_path = '' as $$
    select case
        when jsonb_typeof(p_codes) <> 'array' then false
        else jsonb_array_length(p_codes) between 1 and 20 and not exists (
            select from jsonb_array_elements(p_codes) c
            where jsonb_typeof(c) <> 'string' or c #>> '{}' !~ '^[a-z][a-z0-9_]{0,62}$'
        )
    end;
$$;
comment on function private.is_list_of_codes is 'Whether this is a list of 1 to 20 error codes.';

create function private.is_retry(p_retry jsonb) returns boolean
language sql immutable set search_path = '' as $$
    select case
        when jsonb_typeof(p_retry) <> 'object' or p_retry - '{max_attempts,backoff,on}'::text[] <> '{}' then false
        when jsonb_typeof(p_retry -> 'max_attempts') is distinct from 'number' then false
        when (p_retry ->> 'max_attempts')::numeric not in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10) then false
        else private.is_backoff(coalesce(nullif(p_retry -> 'backoff', 'null'), '{}'))
            and private.is_list_of_codes(coalesce(nullif(p_retry -> 'on', 'null'), '["any"]'))
    end;
$$;
comment on function private.is_retry is
    'Whether this is {"max_attempts": 1..10, "backoff"?, "on"?}, as blueprint_steps.retry holds it.';
grant execute on function private.is_retry, private.is_backoff, private.is_list_of_codes
to authenticated;

create table public.blueprint_steps (
    org_id uuid not null default private.caller_org_id(),
    blueprint_id uuid not null,
    position int not null check (position between 1 and 50),
    step_slug text not null,
    step_version text not null,
    config jsonb not null default '{}' check (jsonb_typeof(config) = 'object' and octet_length(config::text) <= 262144),
    continue_on_error boolean not null default false,
    timeout_seconds int check (timeout_seconds between 1 and 3600),
    retry jsonb constraint blueprint_steps_retry_check check (retry is null or private.is_retry(retry)),
    run_if text check (length(btrim(run_if)) >= 1 and length(run_if) <= 2000),
    concurrency int check (concurrency between 1 and 20),
    primary key (blueprint_id, position),
    foreign key (org_id, blueprint_id) references public.blueprints (org_id, id) on delete cascade,
    foreign key (step_slug, step_version) references public.steps (slug, version) on delete restrict
);
comment on table public.blueprint_steps is 'A step at a place of a blueprint, pinned to a version, with its config.';
comment on column public.blueprint_steps.continue_on_error is 'Whether the run goes on without the step when it fails: what went into it passes on.';
comment on column public.blueprint_steps.timeout_seconds is 'How long one attempt at one chunk may take; null: as long as it needs.';
comment on column public.blueprint_steps.retry is '{"max_attempts": 1..10, "backoff"?: {"initial_seconds"?, "max_seconds"?, "factor"?}, "on"?: [error codes]}; what is left out is the worker''s default.';
comment on column public.blueprint_steps.run_if is 'A condition in CEL: of each record if it names record, else of the run.';
comment on column public.blueprint_steps.concurrency is 'Chunks that are processed at a time; null: one.';

create index blueprint_steps_org_id_blueprint_id_idx on public.blueprint_steps (org_id, blueprint_id);
create index blueprint_steps_step_idx on public.blueprint_steps (step_slug, step_version);

alter table public.blueprints enable row level security;
alter table public.blueprint_steps enable row level security;

create policy blueprints_select_org on public.blueprints for select to authenticated
using (org_id = (select private.caller_org_id()));
create policy blueprints_insert_org_admin on public.blueprints for insert to authenticated
with check (org_id = (select private.caller_org_id()) and (select private.caller_is_org_wide()));
create policy blueprints_update_org_admin on public.blueprints for update to authenticated
using (org_id = (select private.caller_org_id()) and (select private.caller_is_org_wide()))
with check (org_id = (select private.caller_org_id()) and (select private.caller_is_org_wide()));

create policy blueprint_steps_select_org on public.blueprint_steps for select to authenticated
using (org_id = (select private.caller_org_id()));
create policy blueprint_steps_insert_org_admin on public.blueprint_steps for insert to authenticated
with check (org_id = (select private.caller_org_id()) and (select private.caller_is_org_wide()));
create policy blueprint_steps_delete_org_admin on public.blueprint_steps for delete to authenticated
using (org_id = (select private.caller_org_id()) and (select private.caller_is_org_wide()));

-- No delete grant on blueprints: submissions refer to them. Steps are replaced, not updated.
grant select, insert (name, description), update (name, description) on public.blueprints to authenticated;
grant select, insert (
    blueprint_id, position, step_slug, step_version, config, continue_on_error, timeout_seconds, retry, run_if, concurrency
), delete
on public.blueprint_steps to authenticated;

create function private.version_blueprint() returns trigger
language plpgsql set search_path = '' as $$
begin
    if new.id is distinct from old.id or new.org_id is distinct from old.org_id
        or new.created_by is distinct from old.created_by or new.created_at is distinct from old.created_at then
        perform private.raise_error(409, 'immutable', 'Id, org and origin of a blueprint do not change.');
    end if;
    new.version := old.version;
    new.version_xact := old.version_xact;
    if old.version_xact is distinct from pg_current_xact_id() then
        new.version := old.version + 1;
        new.version_xact := pg_current_xact_id();
    end if;
    new.updated_at := now();
    return new;
end;
$$;
comment on function private.version_blueprint is 'Trigger: the first update of a blueprint in a transaction makes a new version; nobody sets the number by hand. Raises 409 immutable.';

create trigger blueprints_version before update on public.blueprints
for each row execute function private.version_blueprint();

-- Definer: whoever may change the steps need not hold a grant on version.
create function private.touch_blueprint() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if tg_op in ('UPDATE', 'DELETE') then
        update public.blueprints set updated_at = now() where id = old.blueprint_id;
    end if;
    if tg_op in ('INSERT', 'UPDATE') then
        update public.blueprints set updated_at = now() where id = new.blueprint_id;
    end if;
    return null;
end;
$$;
comment on function private.touch_blueprint is 'Trigger: a change of a blueprint''s steps is a change of the blueprint.';

create trigger blueprint_steps_touch_blueprint after insert or update or delete on public.blueprint_steps
for each row execute function private.touch_blueprint();

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
comment on function private.step_options_json is 'How a blueprint wants a step run, as blueprints and snapshots show it beside the config.';
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
    'The blueprint as it is now: name, version and its steps in order, positions counted from 1. Raises 404 blueprint_not_found, 422 invalid_request when it has no steps.';
grant execute on function private.snapshot_blueprint to authenticated;

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
comment on function private.blueprint_json is 'Blueprint as lists show it.';
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
comment on function public.get_blueprint is 'One blueprint with its steps. Any caller of the org. Raises 404 blueprint_not_found.';
grant execute on function public.get_blueprint to authenticated;

create function public.list_blueprints(p_limit int default 50, p_cursor text default null) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_limit int := private.check_limit(p_limit);
    v_after jsonb := private.decode_cursor(p_cursor, 'timestamptz', 'uuid');
begin
    return private.page(
        array(
            select private.blueprint_json(b)
            from public.blueprints b
            where v_after is null
                or (b.created_at, b.id) < ((v_after ->> 0)::timestamptz, (v_after ->> 1)::uuid)
            order by b.created_at desc, b.id desc
            limit v_limit + 1
        ),
        v_limit, 'created_at', 'id'
    );
end;
$$;
comment on function public.list_blueprints is 'Blueprints of the org, newest first. Any caller. Raises 422 invalid_request, invalid_cursor.';
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
begin
    if jsonb_typeof(p_steps) is distinct from 'array' or jsonb_array_length(p_steps) not between 1 and 50 then
        perform private.raise_error(422, 'invalid_request', 'A blueprint has between 1 and 50 steps.');
    end if;
    delete from public.blueprint_steps where blueprint_id = p_blueprint_id;

    select e.ordinality as position, e.value as step
    into v_unknown
    from jsonb_array_elements(p_steps) with ordinality e
    where private.pinned_version(e.value ->> 'slug', e.value ->> 'version') is null
    order by e.ordinality
    limit 1;
    if found then
        perform private.raise_error(422, 'unknown_step',
            format('Step %s names a step or version that is not published.', v_unknown.position),
            jsonb_build_object('position', v_unknown.position, 'slug', v_unknown.step -> 'slug', 'version', v_unknown.step -> 'version'));
    end if;
    -- One statement, so that it is one entry of the audit log.
    insert into public.blueprint_steps (
        blueprint_id, position, step_slug, step_version, config, continue_on_error, timeout_seconds, retry, run_if, concurrency
    )
    select p_blueprint_id, e.ordinality, e.value ->> 'slug',
        private.pinned_version(e.value ->> 'slug', e.value ->> 'version'),
        coalesce(nullif(e.value -> 'config', 'null'), '{}'),
        coalesce((e.value ->> 'continue_on_error')::boolean, false), (e.value ->> 'timeout_seconds')::int,
        nullif(e.value -> 'retry', 'null'), e.value ->> 'run_if', (e.value ->> 'concurrency')::int
    from jsonb_array_elements(p_steps) with ordinality e;
end;
$$;
comment on function private.replace_blueprint_steps is
    'Replaces the steps of a blueprint by [{slug, version?, config?, continue_on_error?, timeout_seconds?, retry?, run_if?, concurrency?}]; without a version the latest is pinned. Raises 422 unknown_step, invalid_request.';
grant execute on function private.replace_blueprint_steps to authenticated;

create function private.raise_name_taken() returns void
language plpgsql immutable set search_path = '' as $$
begin
    perform private.raise_error(409, 'conflict', 'Another blueprint of the org has this name. Update that one, or send another name.',
        jsonb_build_object('field', 'name'));
end;
$$;
comment on function private.raise_name_taken is 'Raises 409 conflict: two blueprints of an org never have the same name.';
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
    'Creates a blueprint from [{slug, version?, config?, …}], as private.replace_blueprint_steps takes them. org_admin. Raises 403 forbidden, 409 conflict (name is taken), idempotency_key_reused, 422 unknown_step, invalid_request. Safe to repeat with an idempotency key.';
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
    'Changes what is given and makes a new version; runs that exist keep their snapshot. org_admin. Raises 403 forbidden, 404 blueprint_not_found, 409 conflict (name is taken), blueprint_version_conflict, 422 unknown_step, invalid_request. With p_expected_version a repeat is refused.';
grant execute on function public.update_blueprint to authenticated;
