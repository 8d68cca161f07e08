-- The caller: the one place where claims become authority, and the accessors through which policies read it.

-- Ascending authority, so that least() narrows.
create type public.user_role as enum ('member', 'company_admin', 'org_admin');
comment on type public.user_role is 'Roles in ascending authority: the lesser of two roles is least(a, b).';

create type public.auth_method as enum ('supabase_jwt', 'api_token');
comment on type public.auth_method is 'The credential that identified the caller.';

create type private.caller as (
    org_id uuid,
    user_id uuid,
    company_id uuid,
    role public.user_role,
    auth_method public.auth_method,
    -- Null for a session.
    api_token_id uuid,
    -- Set: the error code that says why there is no caller. All other fields are null then.
    refusal text
);
comment on type private.caller is 'The caller, or the reason why there is none.';

-- Definer: it reads users and api_tokens before anything says what the caller may read.
create function private.look_up_caller() returns private.caller
language plpgsql stable security definer set search_path = ''
-- Look-ups by key: one plan serves all callers, and an index is right even for few rows.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_claims jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    v_token_hash text := v_claims ->> 'api_token_hash';
    v_subject text := v_claims ->> 'sub';
    v_caller private.caller;
begin
    if v_token_hash is not null then
        -- A token reaches at most what its creator reaches now.
        select u.org_id, u.id, coalesce(u.company_id, t.company_id), least(u.role, t.role), 'api_token', t.id,
            case
                when t.revoked_at is not null then 'api_token_revoked'
                when t.expires_at <= now() then 'api_token_expired'
                when o.disabled_at is not null then 'org_disabled'
                when u.deactivated_at is not null then 'user_deactivated'
                -- The token was narrowed to a company that its creator has left.
                when t.company_id <> u.company_id then 'forbidden'
            end
        into v_caller
        from public.api_tokens t
        join public.users u on u.id = t.user_id
        join public.orgs o on o.id = u.org_id
        where t.token_hash = v_token_hash;
        if not found then
            v_caller.refusal := 'api_token_unknown';
        end if;
    elsif v_subject is null then
        v_caller.refusal := 'missing_credential';
    elsif not pg_input_is_valid(v_subject, 'uuid') then
        v_caller.refusal := 'identity_not_registered';
    else
        select u.org_id, u.id, u.company_id, u.role, 'supabase_jwt', null,
            case
                when o.disabled_at is not null then 'org_disabled'
                when u.deactivated_at is not null then 'user_deactivated'
            end
        into v_caller
        from public.users u
        join public.orgs o on o.id = u.org_id
        where u.identity_id = v_subject::uuid;
        if not found then
            v_caller.refusal := 'identity_not_registered';
        end if;
    end if;
    if v_caller.refusal is not null then
        -- A refused caller has no identity.
        return row(null, null, null, null, null, null, v_caller.refusal)::private.caller;
    end if;
    return v_caller;
end;
$$;
comment on function private.look_up_caller is
    'Turns claims into authority: a Supabase session by sub, an API token by api_token_hash, both by the rows as they '
    'are now. Returns a refusal instead of raising it, so that policies match nothing. For private.resolve_caller, '
    'which remembers the answer.';
grant execute on function private.look_up_caller to authenticated;

create function private.resolve_caller() returns private.caller
language plpgsql stable set search_path = '' as $$
declare
    -- Another key for each statement of a client, and for each credential.
    v_key text := extract(epoch from statement_timestamp()) || coalesce(current_setting('request.jwt.claims', true), '');
    v_caller private.caller;
    v_remembered text;
begin
    if current_setting('private.caller_key', true) = v_key then
        return current_setting('private.caller')::private.caller;
    end if;
    v_caller := private.look_up_caller();
    -- Refusals are not remembered: accepting an invitation turns one into a caller.
    if v_caller.refusal is not null then
        return v_caller;
    end if;
    -- Assigned, because `perform` would run a query each time.
    v_remembered := set_config('private.caller', v_caller::text, true);
    v_remembered := set_config('private.caller_key', v_key, true);
    return v_caller;
end;
$$;
comment on function private.resolve_caller is
    'The caller, looked up once for each statement of a client, however many policies and functions ask; a refusal is '
    'looked up each time. Never raises, unlike private.require_caller.';
grant execute on function private.resolve_caller to authenticated;

create function private.caller_org_id() returns uuid
language plpgsql stable set search_path = '' as $$ begin return (private.resolve_caller()).org_id; end $$;
comment on function private.caller_org_id is
    'Org of the caller; null when there is none. For policies, wrapped in a scalar select.';
grant execute on function private.caller_org_id to authenticated;

create function private.caller_user_id() returns uuid
language plpgsql stable set search_path = '' as $$ begin return (private.resolve_caller()).user_id; end $$;
comment on function private.caller_user_id is 'User behind the credential; null when there is none.';
grant execute on function private.caller_user_id to authenticated;

create function private.caller_company_id() returns uuid
language plpgsql stable set search_path = '' as $$ begin return (private.resolve_caller()).company_id; end $$;
comment on function private.caller_company_id is
    'Company that the caller is bound to; null for a caller who acts for the whole org.';
grant execute on function private.caller_company_id to authenticated;

create function private.caller_role() returns public.user_role
language plpgsql stable set search_path = '' as $$ begin return (private.resolve_caller()).role; end $$;
comment on function private.caller_role is
    'Role of the caller, narrowed by its API token; null when there is no caller.';
grant execute on function private.caller_role to authenticated;

create function private.caller_auth_method() returns public.auth_method
language plpgsql stable set search_path = '' as $$ begin return (private.resolve_caller()).auth_method; end $$;
comment on function private.caller_auth_method is
    'The credential that identified the caller; null when there is no caller.';
grant execute on function private.caller_auth_method to authenticated;

create function private.caller_is_org_wide() returns boolean
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.resolve_caller();
begin
    return coalesce(v_caller.role = 'org_admin' and v_caller.company_id is null, false);
end;
$$;
comment on function private.caller_is_org_wide is 'Whether the caller acts for every company of its org.';
grant execute on function private.caller_is_org_wide to authenticated;

create function private.require_caller() returns private.caller
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.resolve_caller();
begin
    if v_caller.refusal is null then
        return v_caller;
    end if;
    case v_caller.refusal
        when 'missing_credential' then
            perform private.raise_error(401, 'missing_credential',
                'Send a Supabase session or an API token as a bearer credential.');
        when 'api_token_unknown' then
            perform private.raise_error(401, 'api_token_unknown', 'This API token does not exist.');
        when 'api_token_revoked' then
            perform private.raise_error(401, 'api_token_revoked', 'This API token was revoked.');
        when 'api_token_expired' then
            perform private.raise_error(401, 'api_token_expired', 'This API token has expired.');
        when 'identity_not_registered' then
            perform private.raise_error(403, 'identity_not_registered',
                'This identity is signed in, but is not a user of any org. Accept an invitation to its e-mail (POST '
                '/v1/invitations/accept), or ask an admin for one.');
        when 'user_deactivated' then
            perform private.raise_error(403, 'user_deactivated', 'This user was deactivated.');
        when 'org_disabled' then
            perform private.raise_error(403, 'org_disabled', 'This org is disabled.');
        when 'forbidden' then
            perform private.raise_error(403, 'forbidden',
                'This API token is bound to a company that its creator no longer belongs to.');
    end case;
end;
$$;
comment on function private.require_caller is
    'The caller; every public RPC asks for it first. '
    'Raises 401 missing_credential, api_token_unknown, api_token_revoked, api_token_expired; 403 '
    'identity_not_registered, user_deactivated, org_disabled, forbidden.';
grant execute on function private.require_caller to authenticated;

create function private.require_org_wide(p_message text) returns private.caller
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
begin
    if not private.caller_is_org_wide() then
        perform private.raise_error(403, 'forbidden', p_message);
    end if;
    return v_caller;
end;
$$;
comment on function private.require_org_wide is
    'The caller, who must act for the whole org. '
    'Raises 403 forbidden with the given message, and what require_caller raises.';
grant execute on function private.require_org_wide to authenticated;
