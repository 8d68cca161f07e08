-- Blueprints: what an org does with its records, as an ordered list of steps.
--
-- A blueprint is edited in place. Its version counts the edits of every writer, one a transaction. A run never reads it
-- again: it owns the snapshot that private.snapshot_blueprint took when the run was created.

create table public.blueprints (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null default private.caller_org_id() references public.orgs (id) on delete cascade,
    name text not null check (length(btrim(name)) >= 1 and length(name) <= 200),
    description text check (length(description) <= 2000),
    version int not null default 1 check (version >= 1),
    -- The transaction that made this version: its edits count once.
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

create table public.blueprint_steps (
    org_id uuid not null default private.caller_org_id(),
    blueprint_id uuid not null,
    position int not null check (position between 1 and 50),
    step_slug text not null,
    step_version text not null,
    config jsonb not null default '{}' check (jsonb_typeof(config) = 'object' and private.is_bounded(config, 262144))
        constraint blueprint_steps_config_delivery_check check (private.may_be_delivered_to(config)),
    continue_on_error boolean not null default false,
    timeout_seconds int check (timeout_seconds between 1 and 3600),
    retry jsonb constraint blueprint_steps_retry_check check (
        retry is null or private.is_bounded(retry, 2000) and private.is_retry(retry)
    ),
    run_if text check (length(btrim(run_if)) >= 1 and length(run_if) <= 2000),
    concurrency int check (concurrency between 1 and 20),
    primary key (blueprint_id, position),
    foreign key (org_id, blueprint_id) references public.blueprints (org_id, id) on delete cascade,
    foreign key (step_slug, step_version) references public.steps (slug, version) on delete restrict
);
comment on table public.blueprint_steps is 'A step of a blueprint: its position, pinned version and config.';
comment on column public.blueprint_steps.continue_on_error is
    'Whether the run goes on when the step fails: the step''s input then passes on to the next step.';
comment on column public.blueprint_steps.timeout_seconds is 'Limit for one attempt at one chunk; null: no limit.';
comment on column public.blueprint_steps.retry is
    '{"max_attempts": 1..10, "backoff"?: {"initial_seconds"?, "max_seconds"?, "factor"?}, "on"?: [error codes]}. '
    'Missing parts have the worker''s defaults.';
comment on column public.blueprint_steps.run_if is
    'A condition in CEL, evaluated for each record if it names record, else once for the run.';
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
    blueprint_id, position, step_slug, step_version, config,
    continue_on_error, timeout_seconds, retry, run_if, concurrency
), delete
on public.blueprint_steps to authenticated;

create function private.check_blueprint_size() returns trigger
language plpgsql set search_path = '' as $$
begin
    if exists (
        select from public.blueprint_steps bs
        where bs.blueprint_id in (select n.blueprint_id from new_rows n)
        group by bs.blueprint_id
        having sum(octet_length(bs.config::text)) > 1048576
    ) then
        perform private.raise_error(413, 'payload_too_large', 'The configs of a blueprint may have at most 1 MB together.');
    end if;
    return null;
end;
$$;
comment on function private.check_blueprint_size is
    'Trigger: every run keeps a copy of its blueprint, so all configs together are bounded. '
    'Raises 413 payload_too_large.';

create trigger blueprint_steps_size_of_new after insert on public.blueprint_steps
referencing new table as new_rows for each statement execute function private.check_blueprint_size();
create trigger blueprint_steps_size_of_changed after update on public.blueprint_steps
referencing new table as new_rows for each statement execute function private.check_blueprint_size();

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
comment on function private.version_blueprint is
    'Trigger: the first update of a blueprint in a transaction makes a new version; no writer sets the number. '
    'Raises 409 immutable.';

create trigger blueprints_version before update on public.blueprints
for each row execute function private.version_blueprint();

-- Definer: a writer of the steps needs no grant on the blueprint's version.
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
comment on function private.touch_blueprint is 'Trigger: a change of the steps is an edit of the blueprint.';

create trigger blueprint_steps_touch_blueprint after insert or update or delete on public.blueprint_steps
for each row execute function private.touch_blueprint();
