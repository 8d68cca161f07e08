-- API tokens: credentials of server integrations. Only the SHA-256 of a token is stored.

create table public.api_tokens (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null default private.caller_org_id() references public.orgs (id) on delete cascade,
    company_id uuid,
    user_id uuid not null default private.caller_user_id(),
    name text not null check (length(btrim(name)) >= 1 and length(name) <= 200),
    token_hash text not null unique check (token_hash ~ '^[0-9a-f]{64}$'),
    prefix text not null check (prefix ~ '^dex_[0-9A-Za-z]{8}$'),
    role public.user_role not null,
    -- Only times that clients can read: not infinity, nor the year 12000.
    expires_at timestamptz check (expires_at between '2000-01-01T00:00:00Z' and '9999-12-31T00:00:00Z'),
    revoked_at timestamptz,
    replaces uuid,
    last_used_at timestamptz,
    created_at timestamptz not null default now(),
    unique (org_id, id),
    -- A token has one successor.
    unique (org_id, replaces),
    foreign key (org_id, company_id) references public.companies (org_id, id) on delete restrict,
    foreign key (org_id, user_id) references public.users (org_id, id) on delete restrict,
    foreign key (org_id, replaces) references public.api_tokens (org_id, id) on delete set null (replaces),
    check ((role = 'org_admin') = (company_id is null))
);
comment on table public.api_tokens is
    'A hashed bearer token. It reaches at most what its creator reaches at that moment.';
comment on column public.api_tokens.token_hash is 'SHA-256 of the whole token, in hex. Not readable by clients.';
comment on column public.api_tokens.prefix is 'The first characters of the token, to recognise it in lists.';
comment on column public.api_tokens.user_id is 'The user who created it and for whom it acts.';
comment on column public.api_tokens.replaces is
    'The token that it replaces by rotation. That one ends when its grace time is over.';
comment on column public.api_tokens.last_used_at is
    'When it was last used, to five minutes: a use within five minutes of a noted one is not noted.';

create index api_tokens_org_id_company_id_created_at_idx
on public.api_tokens (org_id, company_id, created_at desc, id desc);
create index api_tokens_org_id_user_id_idx on public.api_tokens (org_id, user_id);

alter table public.api_tokens enable row level security;

create policy api_tokens_select_visible on public.api_tokens for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and (
        (select private.caller_is_org_wide())
        -- A narrowed token sees no more of its creator than it reaches itself.
        or (
            user_id = (select private.caller_user_id())
            and (
                (select private.caller_auth_method()) = 'supabase_jwt'
                or company_id = (select private.caller_company_id())
            )
        )
        or ((select private.caller_role()) = 'company_admin' and company_id = (select private.caller_company_id()))
    )
);

-- Nobody grants a role above their own. Only people grant roles: a leaked token must not leave successors.
create policy api_tokens_insert_admin on public.api_tokens for insert to authenticated
with check (
    org_id = (select private.caller_org_id())
    and user_id = (select private.caller_user_id())
    and (select private.caller_auth_method()) = 'supabase_jwt'
    and (select private.caller_role()) >= 'company_admin'
    and role <= (select private.caller_role())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);

create policy api_tokens_update_admin on public.api_tokens for update to authenticated
using (
    org_id = (select private.caller_org_id())
    and (
        (select private.caller_is_org_wide())
        or ((select private.caller_role()) = 'company_admin' and company_id = (select private.caller_company_id()))
    )
)
with check (
    org_id = (select private.caller_org_id())
    and (
        (select private.caller_is_org_wide())
        or ((select private.caller_role()) = 'company_admin' and company_id = (select private.caller_company_id()))
    )
);

-- No delete grant: a revoked token stays on record. The hash cannot be read back.
grant
    select (
        id, org_id, company_id, user_id, name, prefix, role, expires_at, revoked_at, replaces, last_used_at, created_at
    ),
    insert (company_id, name, token_hash, prefix, role, expires_at, replaces),
    update (expires_at, revoked_at)
on public.api_tokens to authenticated;

create function private.guard_api_token() returns trigger
language plpgsql set search_path = '' as $$
declare
    v_changeable text[] := array['expires_at', 'revoked_at', 'replaces', 'last_used_at'];
begin
    if old.revoked_at is not null and (to_jsonb(new) - 'replaces') is distinct from (to_jsonb(old) - 'replaces') then
        perform private.raise_error(409, 'immutable', 'A revoked API token stays revoked.');
    end if;
    if old.revoked_at is null and new.revoked_at is not null then
        new.revoked_at := now();
    end if;
    if new.expires_at is distinct from old.expires_at
        and (
            new.expires_at is null or new.expires_at < now()
            or new.expires_at > coalesce(old.expires_at, 'infinity')
        ) then
        perform private.raise_error(409, 'immutable', 'An API token can only end earlier than planned, and not in the past.');
    end if;
    if (to_jsonb(new) - v_changeable) is distinct from (to_jsonb(old) - v_changeable)
        -- Only the foreign key clears a predecessor, when that row is deleted.
        or new.replaces is distinct from old.replaces
            and (new.replaces is not null or exists (select from public.api_tokens t where t.id = old.replaces))
        or new.last_used_at is distinct from old.last_used_at
            and (new.last_used_at is null or new.last_used_at < coalesce(old.last_used_at, '-infinity')) then
        perform private.raise_error(409, 'immutable', 'An API token can only be ended, not changed.');
    end if;
    return new;
end;
$$;
comment on function private.guard_api_token is
    'Trigger: a token changes only towards its end. It is revoked once, it expires earlier but not in the past, and '
    'its last use moves forward. '
    'Raises 409 immutable.';

create trigger api_tokens_guard before update on public.api_tokens
for each row execute function private.guard_api_token();

-- Definer: no client may write last_used_at; the function writes it for the caller's own token.
create function private.note_api_token_use() returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_api_token_id uuid := (private.resolve_caller()).api_token_id;
begin
    if v_api_token_id is null or current_setting('transaction_read_only')::boolean then
        return;
    end if;
    -- It never waits: another transaction that holds the row notes a use too, or ends the token.
    update public.api_tokens
    set last_used_at = now()
    where id = (
        select t.id
        from public.api_tokens t
        where t.id = v_api_token_id
            and t.revoked_at is null
            and coalesce(t.last_used_at, '-infinity') < now() - interval '5 minutes'
        for no key update skip locked
    );
end;
$$;
comment on function private.note_api_token_use is
    'Notes the use of the caller''s API token, at most once in five minutes and without waiting for a lock. Does '
    'nothing for a session or in a read-only transaction. Safe to repeat.';
grant execute on function private.note_api_token_use to authenticated;

-- RPCs run as the caller, who has no grant on token_hash and so cannot read whole rows. The view has the rest.
create view private.api_tokens_readable with (security_invoker = true) as
select t.id, t.org_id, t.company_id, t.user_id, t.name, t.prefix, t.role, t.expires_at, t.revoked_at, t.replaces,
    t.last_used_at, t.created_at
from public.api_tokens t;
comment on view private.api_tokens_readable is 'API tokens without their hashes, under the caller''s policies.';
grant select on private.api_tokens_readable to authenticated;

create function public.create_api_token(
    p_name text,
    p_token_hash text,
    p_prefix text,
    p_role public.user_role default null,
    p_company_id uuid default null,
    p_expires_at timestamptz default null
) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_company_id uuid := coalesce(p_company_id, v_caller.company_id);
    v_role public.user_role := coalesce(
        p_role,
        case when p_company_id is null then v_caller.role else least(v_caller.role, 'company_admin') end
    );
    v_id uuid;
begin
    if p_company_id is not null and not exists (select from public.companies c where c.id = p_company_id) then
        perform private.raise_error(404, 'company_not_found', 'No such company.');
    end if;
    if v_caller.auth_method <> 'supabase_jwt' then
        perform private.raise_error(403, 'forbidden', 'An API token cannot create another one: sign in to do that.');
    end if;
    if v_caller.role = 'member' or v_role > v_caller.role then
        perform private.raise_error(403, 'forbidden', 'Only admins create API tokens, and none above their own role.');
    end if;
    if (v_role = 'org_admin') <> (v_company_id is null) then
        perform private.raise_error(422, 'invalid_request',
            'A token of role org_admin has no company; one of role company_admin or member needs a company_id.');
    end if;
    if p_expires_at <= now() then
        perform private.raise_error(422, 'invalid_request', 'expires_at must lie in the future.');
    end if;

    insert into public.api_tokens (company_id, name, token_hash, prefix, role, expires_at)
    values (v_company_id, p_name, p_token_hash, p_prefix, v_role, p_expires_at)
    returning id into v_id;
    return (select to_jsonb(t) from private.api_tokens_readable t where t.id = v_id);
end;
$$;
comment on function public.create_api_token is
    'Registers a token by its hash. Admins with a session, up to their own role and company. '
    'Raises 403 forbidden, 404 company_not_found, 409 conflict, 422 invalid_request. Repeating it with the same hash '
    'is a conflict.';
grant execute on function public.create_api_token to authenticated;

create function public.list_api_tokens(p_limit int default 50, p_cursor text default null) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_limit int := private.check_limit(p_limit);
    v_before private.sort_key := private.decode_time_cursor(p_cursor);
begin
    return private.page(
        array(
            select jsonb_build_object('key', jsonb_build_array(t.created_at, t.id), 'item', to_jsonb(t))
            from private.api_tokens_readable t
            where (t.created_at, t.id) < (v_before.created_at, v_before.id)
            order by t.created_at desc, t.id desc
            limit v_limit + 1
        ),
        v_limit
    );
end;
$$;
comment on function public.list_api_tokens is
    'API tokens that the caller can see, newest first. An org_admin sees those of the org, a company_admin those of '
    'its company, a member its own; a narrowed token none of another company. '
    'Raises 422 invalid_request, invalid_cursor.';
grant execute on function public.list_api_tokens to authenticated;

create function public.revoke_api_token(p_api_token_id uuid) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_token jsonb;
    v_revoked_at timestamptz;
begin
    select to_jsonb(t) into v_token from private.api_tokens_readable t where t.id = p_api_token_id;
    if v_token is null then
        perform private.raise_error(404, 'api_token_not_found', 'No such API token.');
    end if;
    -- Returned by the update: a token that revokes itself sees nothing afterwards.
    update public.api_tokens
    set revoked_at = coalesce(revoked_at, now())
    where id = p_api_token_id
    returning revoked_at into v_revoked_at;
    if not found then
        perform private.raise_error(403, 'forbidden', 'Only admins revoke API tokens.');
    end if;
    v_token := v_token || jsonb_build_object('revoked_at', v_revoked_at);
    return v_token;
end;
$$;
comment on function public.revoke_api_token is
    'Revokes a token from the next request on. Admins, within their reach. '
    'Raises 403 forbidden, 404 api_token_not_found. Repeating it changes nothing.';
grant execute on function public.revoke_api_token to authenticated;
