-- The audit log: who changed what, when, from what to what, and in which request.
--
-- Triggers write it (…_audit_triggers.sql), so it covers every writer: RPCs, clients of the Data API, the tasks, Auth,
-- Studio. No entry can be changed, nor removed before its time (limit audit_log_days).

create type public.audit_actor as enum ('user', 'api_token', 'operator', 'worker', 'auth');
comment on type public.audit_actor is
    'Who made a change: a user by session, an API token, an operator in SQL, the tasks, or Supabase Auth for an '
    'identity that is no user yet.';

create table public.audit_log (
    id bigint generated always as identity primary key,
    -- Restrict: an org with history is disabled, not deleted.
    org_id uuid not null references public.orgs (id) on delete restrict,
    -- No foreign key here, nor on the actor: entries outlive what they name.
    company_id uuid,
    occurred_at timestamptz not null default now(),
    actor_type public.audit_actor not null,
    actor_user_id uuid,
    actor_api_token_id uuid,
    actor_name text,
    -- Lengths are checked apart: a bound inside the pattern makes matching ten times slower.
    action text not null check (action ~ '^[a-z][a-z0-9_]*$' and length(action) <= 63),
    entity text not null check (entity ~ '^[a-z][a-z0-9_]*$' and length(entity) <= 63),
    entity_id text check (length(entity_id) between 1 and 200),
    before jsonb,
    after jsonb,
    request_id text check (request_id ~ '^[A-Za-z0-9._-]+$' and length(request_id) between 8 and 64)
);
comment on table public.audit_log is
    'Who changed what. Append-only for every writer: an entry is never updated or truncated, and deleted only after the '
    'days that private.limits gives it.';
comment on column public.audit_log.company_id is
    'Company that the changed row belongs to; null for what belongs to the whole org.';
comment on column public.audit_log.occurred_at is
    'When the transaction of the change began: equal to created_at or updated_at of the row.';
comment on column public.audit_log.actor_user_id is 'The user, also the one behind an API token.';
comment on column public.audit_log.actor_name is
    'Name at that time: e-mail of the user, name of the API token, database role of the operator, Trigger.dev run of '
    'the worker.';
comment on column public.audit_log.action is
    'created, updated or deleted for a row, reconciled for a repair, or the name of an operator''s function.';
comment on column public.audit_log.entity is 'Table of the changed row; ops for an operator''s function.';
comment on column public.audit_log.entity_id is
    'Id of the row; for a secret its name, for blueprint_steps the id of the blueprint.';
comment on column public.audit_log.before is
    'Old values: the changed columns of an update, the row of a deletion. An array for blueprint_steps.';
comment on column public.audit_log.after is
    'New values: the changed columns of an update, the row of a creation, the arguments of an operator''s function.';
comment on column public.audit_log.request_id is
    'X-Request-Id of the request, as the API logs and returns it; a client of the Data API chooses it freely. What a '
    'worker does for a run has the id of the request that created the run.';

create index audit_log_org_id_occurred_at_idx on public.audit_log (org_id, occurred_at desc, id desc);
create index audit_log_org_id_entity_idx on public.audit_log (org_id, entity, occurred_at desc, id desc);
-- Serves filters with and without entity: an id hardly ever occurs under two.
create index audit_log_org_id_entity_id_idx on public.audit_log (org_id, entity_id, occurred_at desc, id desc);
create index audit_log_org_id_actor_idx on public.audit_log (org_id, actor_user_id, occurred_at desc, id desc)
where actor_user_id is not null;

alter table public.audit_log enable row level security;

create policy audit_log_select_org_admin on public.audit_log for select to authenticated
using (org_id = (select private.caller_org_id()) and (select private.caller_is_org_wide()));

-- No insert, update or delete grant: only triggers and operators' functions write.
grant select on public.audit_log to authenticated;

create trigger audit_log_append_only before update or truncate on public.audit_log
for each statement execute function private.refuse_change();
-- Fires even in a session that turns other triggers off (session_replication_role).
alter table public.audit_log enable always trigger audit_log_append_only;

-- Definer: it reads the limits, whoever deletes.
create function private.retain_audit_entry() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if old.occurred_at >= now() - make_interval(days => least(private.limit_of(old.org_id, 'audit_log_days'), 100000)::int) then
        perform private.raise_error(409, 'immutable', 'Rows of audit_log are history and cannot be changed.');
    end if;
    return old;
end;
$$;
comment on function private.retain_audit_entry is
    'Trigger: an entry of the audit log is deleted only after its days. '
    'Raises 409 immutable.';

create trigger audit_log_retained before delete on public.audit_log
for each row execute function private.retain_audit_entry();
alter table public.audit_log enable always trigger audit_log_retained;

create function private.prune_audit_log(p_limit int) returns int
language plpgsql volatile set search_path = '' as $$
declare
    v_pruned int;
begin
    delete from public.audit_log a
    using (
        select e.id
        from public.orgs o
        cross join lateral (
            select l.id
            from public.audit_log l
            where l.org_id = o.id
                and l.occurred_at < now() - make_interval(days => least(private.limit_of(o.id, 'audit_log_days'), 100000)::int)
            order by l.occurred_at, l.id
            limit p_limit
        ) e
        limit p_limit
    ) due
    where a.id = due.id;
    get diagnostics v_pruned = row_count;
    return v_pruned;
end;
$$;
comment on function private.prune_audit_log is
    'Deletes up to p_limit entries whose days are over, and returns how many. For the reconciler. Safe to repeat.';

create type private.actor as (
    type public.audit_actor,
    user_id uuid,
    api_token_id uuid,
    name text
);
comment on type private.actor is 'The actor of the current change, as the audit log names it.';

create function private.current_actor() returns private.actor
language plpgsql stable set search_path = '' as $$
declare
    v_claims jsonb;
    v_actor private.actor;
begin
    -- The role that PostgREST has set: a claim alone makes no worker.
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

    -- Only what a row confirms. private.resolve_caller does not serve here: it would refuse a token that has just
    -- revoked itself, which still made that change.
    if v_claims ? 'api_token_hash' then
        select 'api_token', t.user_id, t.id, t.name into v_actor
        from public.api_tokens t
        where t.token_hash = v_claims ->> 'api_token_hash';
    elsif pg_input_is_valid(v_claims ->> 'sub', 'uuid') then
        select 'user', u.id, null, u.email into v_actor
        from public.users u
        where u.identity_id = (v_claims ->> 'sub')::uuid
            or u.id = nullif(current_setting('private.leaving_user_id', true), '')::uuid;
    end if;
    if v_actor.type is null then
        v_actor.type := 'auth';
    end if;
    return v_actor;
end;
$$;
comment on function private.current_actor is
    'The actor of the current change: the API token or user that the verified claims name and a row confirms; the '
    'worker, with its Trigger.dev run once it has shown a claim; or the operator or Auth by their database login. For '
    'triggers and operators'' functions, which run as the owner.';

create function private.write_audit(
    p_org_id uuid, p_company_id uuid, p_action text, p_entity text, p_entity_id text, p_before jsonb, p_after jsonb,
    p_request_id text default private.request_id()
) returns void
language plpgsql volatile set search_path = '' as $$
declare
    v_actor private.actor := private.current_actor();
begin
    insert into public.audit_log (
        org_id, company_id, actor_type, actor_user_id, actor_api_token_id, actor_name,
        action, entity, entity_id, before, after, request_id
    )
    values (
        p_org_id, p_company_id, v_actor.type, v_actor.user_id, v_actor.api_token_id, v_actor.name,
        p_action, p_entity, p_entity_id, p_before, p_after, p_request_id
    );
end;
$$;
comment on function private.write_audit is
    'Adds an entry to the audit log, with the current actor, and the request''s id unless another one is given. For '
    'triggers and operators'' functions. Each call adds an entry.';

create function private.audit_entry_json(p_entry public.audit_log) returns jsonb
language sql immutable set search_path = '' as $$
    select to_jsonb(p_entry) - '{actor_type,actor_user_id,actor_api_token_id,actor_name}'::text[] || jsonb_build_object(
        'actor', jsonb_build_object(
            'type', p_entry.actor_type,
            'user_id', p_entry.actor_user_id,
            'api_token_id', p_entry.actor_api_token_id,
            'name', p_entry.actor_name
        )
    );
$$;
comment on function private.audit_entry_json is 'An audit entry as clients see it, with the actor as one object.';
grant execute on function private.audit_entry_json to authenticated;

create function public.list_audit_log(
    p_entity text default null,
    p_entity_id text default null,
    p_actor_user_id uuid default null,
    p_since timestamptz default null,
    p_until timestamptz default null,
    p_limit int default 50,
    p_cursor text default null
) returns jsonb
language plpgsql stable set search_path = ''
-- Planned for the given filters: one plan for all of them would use no index well.
set plan_cache_mode = 'force_custom_plan'
as $$
declare
    v_caller private.caller := private.require_org_wide('Only an org_admin reads the audit log.');
    v_limit int := private.check_limit(p_limit);
    v_after jsonb := private.decode_cursor(p_cursor, 'timestamptz', 'bigint');
    -- One bound, so that the index is entered where the page begins: p_until or the cursor, whichever is earlier. No id
    -- is 0.
    v_until timestamptz := coalesce(p_until, 'infinity');
    v_before timestamptz := least(v_until, (v_after ->> 0)::timestamptz);
    v_before_id bigint := case when v_before < v_until then (v_after ->> 1)::bigint else 0 end;
    v_entries jsonb[] := '{}';
    v_entry jsonb;
    v_bytes int := 0;
begin
    for v_entry in
        select jsonb_build_object('key', jsonb_build_array(a.occurred_at, a.id), 'item', private.audit_entry_json(a))
        from public.audit_log a
        where (p_entity is null or a.entity = p_entity)
            and (p_entity_id is null or a.entity_id = p_entity_id)
            and (p_actor_user_id is null or a.actor_user_id = p_actor_user_id)
            and (p_since is null or a.occurred_at >= p_since)
            and (a.occurred_at, a.id) < (v_before, v_before_id)
        order by a.occurred_at desc, a.id desc
        limit v_limit + 1
    loop
        v_entries := v_entries || v_entry;
        v_bytes := v_bytes + octet_length(v_entry::text);
        exit when v_bytes > 8388608;
    end loop;
    return private.page(v_entries, v_limit, v_bytes > 8388608);
end;
$$;
comment on function public.list_audit_log is
    'Audit log of the org, newest first, from p_since and before p_until. The entries of a user include those of its '
    'API tokens. A page ends early after 8 MB. org_admin. '
    'Raises 403 forbidden, 422 invalid_request, invalid_cursor.';
grant execute on function public.list_audit_log to authenticated;
