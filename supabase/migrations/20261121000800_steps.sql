-- Steps: the registry of what blueprints are made of, published by the code that runs the steps.

create type public.execution_mode as enum ('inline', 'task');
comment on type public.execution_mode is
    'inline: a function call inside the pipeline task. task: a Trigger.dev task of its own, for steps that call the '
    'outside world.';

create table public.steps (
    slug text not null check (slug ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' and length(slug) <= 63),
    version text not null check (version ~ '^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}$'),
    title text not null,
    description text not null,
    execution_mode public.execution_mode not null,
    task_id text not null,
    config_schema jsonb not null check (jsonb_typeof(config_schema) = 'object'),
    input_schema jsonb not null check (jsonb_typeof(input_schema) = 'object'),
    output_schema jsonb not null check (jsonb_typeof(output_schema) = 'object'),
    created_at timestamptz not null default now(),
    primary key (slug, version)
);
comment on table public.steps is
    'A published version of a step. Global: every org may use it. What a version does never changes.';
comment on column public.steps.task_id is 'The Trigger.dev task that executes it: run-pipeline for inline steps.';
comment on column public.steps.config_schema is 'JSON Schema (2020-12) of the config that a blueprint gives it.';
comment on column public.steps.input_schema is 'JSON Schema of the record data that it takes.';
comment on column public.steps.output_schema is 'JSON Schema of the record data that it returns.';

alter table public.steps enable row level security;

create policy steps_select_registered on public.steps for select to authenticated
using ((select private.caller_org_id()) is not null);

-- No write grant: worker.publish_steps is the only writer.
grant select on public.steps to authenticated;

create function private.guard_step() returns trigger
language plpgsql set search_path = '' as $$
begin
    if (to_jsonb(new) - '{title,description}'::text[])
        is distinct from (to_jsonb(old) - '{title,description}'::text[]) then
        perform private.raise_error(409, 'step_version_conflict',
            format('%s %s is published already and does something else. Give the changed step a new version.',
                old.slug, old.version));
    end if;
    return new;
end;
$$;
comment on function private.guard_step is
    'Trigger: a published version keeps its mode, task and schemas. '
    'Raises 409 step_version_conflict.';

create trigger steps_guard before update on public.steps for each row execute function private.guard_step();

create function private.version_key(p_version text) returns int[]
language sql immutable set search_path = '' as $$ select string_to_array(p_version, '.')::int[] $$;
comment on function private.version_key is 'Semantic version as a sortable array.';
grant execute on function private.version_key to authenticated;

create function public.list_steps(p_limit int default 50, p_cursor text default null) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_limit int := private.check_limit(p_limit);
    v_after text := coalesce(private.decode_cursor(p_cursor, 'text') ->> 0, '');
begin
    return private.page(
        array(
            select jsonb_build_object('key', jsonb_build_array(latest.slug), 'item', to_jsonb(latest))
            from (
                select distinct on (s.slug) s.*
                from public.steps s
                where s.slug > v_after
                order by s.slug, private.version_key(s.version) desc
                limit v_limit + 1
            ) latest
            order by latest.slug
        ),
        v_limit
    );
end;
$$;
comment on function public.list_steps is
    'The latest version of each step, by slug. Any caller. '
    'Raises 422 invalid_request, invalid_cursor.';
grant execute on function public.list_steps to authenticated;

create function public.get_step(p_slug text, p_version text default null) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_step jsonb;
begin
    select to_jsonb(s) into v_step
    from public.steps s
    where s.slug = p_slug and (p_version is null or s.version = p_version)
    order by private.version_key(s.version) desc
    limit 1;
    if v_step is null then
        perform private.raise_error(404, 'step_not_found', 'No such step, or no such version of it.');
    end if;
    return v_step;
end;
$$;
comment on function public.get_step is
    'One step, the latest version unless one is named. Any caller. '
    'Raises 404 step_not_found.';
grant execute on function public.get_step to authenticated;
