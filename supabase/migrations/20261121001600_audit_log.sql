-- The audit log: who changed what, when, from what to what, and in which request.
--
-- Triggers write it, so it tells of every writer: the RPCs, a client at the Data API, the tasks, Auth, Studio. Nothing
-- takes a row back out of it. What changes many times a minute and says nothing of anybody's doing (leases, heartbeats,
-- counters) stays out, and so does whatever nobody may read: hashes of tokens and values of secrets.

create type public.audit_actor as enum ('user', 'api_token', 'operator', 'worker', 'auth');
comment on type public.audit_actor is
    'Who made a change: a user by session, an API token, an operator in SQL, the tasks, or Supabase Auth for somebody who is no user yet.';

create table public.audit_log (
    id bigint generated always as identity primary key,
    -- Restrict: an org with history is disabled, not deleted.
    org_id uuid not null references public.orgs (id) on delete restrict,
    -- No foreign key here and on the actor: the log also tells of what was deleted since.
    company_id uuid,
    occurred_at timestamptz not null default now(),
    actor_type public.audit_actor not null,
    actor_user_id uuid,
    actor_api_token_id uuid,
    actor_name text,
    action text not null check (action ~ '^[a-z][a-z0-9_]{0,62}$'),
    entity text not null check (entity ~ '^[a-z][a-z0-9_]{0,62}$'),
    entity_id text check (length(entity_id) between 1 and 200),
    before jsonb,
    after jsonb,
    request_id text check (request_id ~ '^[A-Za-z0-9._-]{8,64}$')
);
comment on table public.audit_log is 'Who changed what. Append-only for every writer: an entry is never updated, deleted or truncated.';
comment on column public.audit_log.company_id is 'Company that the changed row belongs to; null for what belongs to the whole org.';
comment on column public.audit_log.occurred_at is 'When the transaction of the change began, the same as its created_at or updated_at.';
comment on column public.audit_log.actor_user_id is 'The user, also behind an API token.';
comment on column public.audit_log.actor_name is 'Name at that time: e-mail of the user, name of the API token, database role of the operator, Trigger.dev run of the worker.';
comment on column public.audit_log.action is 'created, updated or deleted for rows; what was done for an operator''s function.';
comment on column public.audit_log.entity is 'Table of the changed row.';
comment on column public.audit_log.entity_id is 'Its id; the name of a secret, the blueprint''s id of blueprint_steps.';
comment on column public.audit_log.before is 'What was there: the changed columns of an update, the row of a deletion. Steps of a blueprint as an array.';
comment on column public.audit_log.after is 'What is there now: the changed columns of an update, the row of a creation.';
comment on column public.audit_log.request_id is 'X-Request-Id of the request, as the API logs and answers it; whoever calls the Data API directly chooses it.';

create index audit_log_org_id_occurred_at_idx on public.audit_log (org_id, occurred_at desc, id desc);
create index audit_log_org_id_entity_idx on public.audit_log (org_id, entity, entity_id, occurred_at desc, id desc);

alter table public.audit_log enable row level security;

create policy audit_log_select_org_admin on public.audit_log for select to authenticated
using (org_id = (select private.caller_org_id()) and (select private.caller_is_org_wide()));

-- No insert, update or delete grant: only the triggers below and operators' functions write.
grant select on public.audit_log to authenticated;

create trigger audit_log_append_only before update or delete or truncate on public.audit_log
for each statement execute function private.refuse_change();
-- Also in a session that has turned off other triggers (session_replication_role).
alter table public.audit_log enable always trigger audit_log_append_only;

create type private.actor as (
    type public.audit_actor,
    user_id uuid,
    api_token_id uuid,
    name text
);
comment on type private.actor is 'Who makes the present change, as the audit log names them.';

create function private.current_actor()
returns private.actor
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
    v_claims jsonb;
    v_actor private.actor;
begin
    -- The role that PostgREST took on: no claim alone makes a worker.
    if current_setting('role') = 'service_role' then
        v_actor.type := 'worker';
        v_actor.name := coalesce(nullif(current_setting('private.trigger_run_id', true), ''), 'worker');
        return v_actor;
    end if;

    v_claims := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    if v_claims is null then
        v_actor.type := case when session_user = 'supabase_auth_admin' then 'auth' else 'operator' end;
        v_actor.name := session_user;
        return v_actor;
    end if;

    -- Only what a row confirms. Not by private.resolve_caller, which says what a caller may do from now on: a token that
    -- has just revoked itself, or a user who has just deactivated themselves, still made that change.
    if v_claims ? 'api_token_hash' then
        select 'api_token', t.user_id, t.id, t.name into v_actor
        from public.api_tokens t
        where t.token_hash = v_claims ->> 'api_token_hash';
    elsif pg_input_is_valid(v_claims ->> 'sub', 'uuid') then
        select 'user', u.id, null, u.email into v_actor
        from public.users u
        where u.id = (v_claims ->> 'sub')::uuid;
    end if;
    if v_actor.type is null then
        v_actor.type := 'auth';
    end if;
    return v_actor;
end;
$$;
comment on function private.current_actor() is
    'Who makes the present change: the API token or user that the verified claims name and a row confirms, the worker with its Trigger.dev run if it has shown a claim, the operator or Auth by their database login. For what runs as the owner: triggers and operators'' functions.';

create function private.write_audit(
    p_org_id uuid, p_company_id uuid, p_action text, p_entity text, p_entity_id text, p_before jsonb, p_after jsonb
)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
    v_actor private.actor := private.current_actor();
    v_request_id text := nullif(current_setting('request.headers', true), '')::json ->> 'x-request-id';
begin
    insert into public.audit_log (
        org_id, company_id, actor_type, actor_user_id, actor_api_token_id, actor_name,
        action, entity, entity_id, before, after, request_id
    )
    values (
        p_org_id, p_company_id, v_actor.type, v_actor.user_id, v_actor.api_token_id, v_actor.name,
        p_action, p_entity, p_entity_id, p_before, p_after,
        case when v_request_id ~ '^[A-Za-z0-9._-]{8,64}$' then v_request_id end
    );
end;
$$;
comment on function private.write_audit(uuid, uuid, text, text, text, jsonb, jsonb) is
    'Adds an entry to the audit log, with the actor and request id of the session. For triggers and operators'' functions. Each call adds one: a repeat is another entry.';

-- Definer: nobody is granted to write the log.
create function private.audit_change()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
    v_ignored constant text[] := tg_argv[0];
    v_secret constant text[] := coalesce(tg_argv[1], '{}');
    v_old jsonb;
    v_new jsonb;
    v_row jsonb;
    v_before jsonb;
    v_after jsonb;
begin
    -- A snapshot is not even turned to jsonb: it can be large, and never changes.
    if tg_op <> 'INSERT' then
        if tg_table_name = 'pipeline_runs' then
            old.blueprint_snapshot := null;
        end if;
        v_old := to_jsonb(old) - v_ignored;
        v_before := v_old - v_secret;
    end if;
    if tg_op <> 'DELETE' then
        if tg_table_name = 'pipeline_runs' then
            new.blueprint_snapshot := null;
        end if;
        v_new := to_jsonb(new) - v_ignored;
        v_after := v_new - v_secret;
    end if;
    v_row := coalesce(v_after, v_before);

    if tg_op = 'UPDATE' then
        if v_new = v_old then
            return null;
        end if;
        select coalesce(jsonb_object_agg(o.key, o.value), '{}'), coalesce(jsonb_object_agg(o.key, v_after -> o.key), '{}')
        into v_before, v_after
        from jsonb_each(v_before) o
        where o.value is distinct from v_after -> o.key;
    end if;

    perform private.write_audit(
        (v_row ->> case tg_table_name when 'orgs' then 'id' else 'org_id' end)::uuid,
        (v_row ->> case tg_table_name when 'companies' then 'id' else 'company_id' end)::uuid,
        case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end,
        tg_table_name,
        v_row ->> case tg_table_name when 'secrets' then 'name' else 'id' end,
        v_before,
        v_after
    );
    return null;
end;
$$;
comment on function private.audit_change() is
    'Trigger: an audit entry for a changed row. Its first argument names columns that are left out, and whose change alone is no entry; the second those whose change is one, but whose value is never shown.';

-- Definer: as audit_change.
create function private.audit_blueprint_steps()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        perform private.write_audit(s.org_id, null, 'created', 'blueprint_steps', s.blueprint_id::text, null, s.steps)
        from (
            select n.org_id, n.blueprint_id,
                jsonb_agg(to_jsonb(n) - '{org_id,blueprint_id}'::text[] order by n.position) as steps
            from new_rows n
            group by n.org_id, n.blueprint_id
        ) s;
    elsif tg_op = 'DELETE' then
        perform private.write_audit(s.org_id, null, 'deleted', 'blueprint_steps', s.blueprint_id::text, s.steps, null)
        from (
            select o.org_id, o.blueprint_id,
                jsonb_agg(to_jsonb(o) - '{org_id,blueprint_id}'::text[] order by o.position) as steps
            from old_rows o
            group by o.org_id, o.blueprint_id
        ) s;
    else
        -- By blueprint, not by step: an update may move a step, and then its key is another one.
        perform private.write_audit(s.org_id, null, 'updated', 'blueprint_steps', s.blueprint_id::text, s.before, s.after)
        from (
            select r.org_id, r.blueprint_id,
                jsonb_agg(r.step order by r.step -> 'position') filter (where r.is_old) as before,
                jsonb_agg(r.step order by r.step -> 'position') filter (where not r.is_old) as after
            from (
                select o.org_id, o.blueprint_id, to_jsonb(o) - '{org_id,blueprint_id}'::text[] as step, true as is_old
                from old_rows o
                union all
                select n.org_id, n.blueprint_id, to_jsonb(n) - '{org_id,blueprint_id}'::text[], false
                from new_rows n
            ) r
            group by r.org_id, r.blueprint_id
        ) s
        where s.before is distinct from s.after;
    end if;
    return null;
end;
$$;
comment on function private.audit_blueprint_steps() is
    'Trigger: one audit entry for the steps of a blueprint that a statement wrote, as arrays, so that an edit of fifty steps is two entries.';

create trigger orgs_audit after insert or update or delete on public.orgs
for each row execute function private.audit_change('{}');

create trigger companies_audit after insert or update or delete on public.companies
for each row execute function private.audit_change('{}');

create trigger users_audit after insert or update or delete on public.users
for each row execute function private.audit_change('{updated_at}');

create trigger api_tokens_audit after insert or update or delete on public.api_tokens
for each row execute function private.audit_change('{}', '{token_hash}');

create trigger secrets_audit after insert or update or delete on public.secrets
for each row execute function private.audit_change('{}', '{value}');

-- Conditions on old and new cost no call: a change of fifty steps touches its blueprint a hundred times.
create trigger blueprints_audit after insert or delete on public.blueprints
for each row execute function private.audit_change('{version_xact,updated_at}');
create trigger blueprints_audit_update after update on public.blueprints
for each row when ((old.name, old.description, old.version) is distinct from (new.name, new.description, new.version))
execute function private.audit_change('{version_xact,updated_at}');

create trigger blueprint_steps_audit_insert after insert on public.blueprint_steps
referencing new table as new_rows
for each statement execute function private.audit_blueprint_steps();
create trigger blueprint_steps_audit_update after update on public.blueprint_steps
referencing old table as old_rows new table as new_rows
for each statement execute function private.audit_blueprint_steps();
create trigger blueprint_steps_audit_delete after delete on public.blueprint_steps
referencing old table as old_rows
for each statement execute function private.audit_blueprint_steps();

-- Counts move with every chunk; the names of the fields came with the records.
create trigger submissions_audit after insert or delete on public.submissions
for each row execute function private.audit_change('{fields,record_count,rejected_count,chunk_count}');
create trigger submissions_audit_update after update on public.submissions
for each row when ((old.status, old.name) is distinct from (new.status, new.name))
execute function private.audit_change('{fields,record_count,rejected_count,chunk_count}');

-- Leases move with every heartbeat and every write of the worker, and dispatched_at while a run waits its turn.
create trigger pipeline_runs_audit after insert or delete on public.pipeline_runs
for each row execute function private.audit_change('{blueprint_snapshot,claim_id,lease_expires_at,dispatched_at}');
create trigger pipeline_runs_audit_update after update on public.pipeline_runs
for each row when (
    (old.status, old.error, old.trigger_run_id, old.restart_count)
    is distinct from (new.status, new.error, new.trigger_run_id, new.restart_count)
)
execute function private.audit_change('{blueprint_snapshot,claim_id,lease_expires_at,dispatched_at}');
