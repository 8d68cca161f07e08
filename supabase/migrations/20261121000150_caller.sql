-- Who is calling: the one place where claims become authority, and the accessors that policies read it through.

-- Ascending authority, so that least() narrows.
create type public.user_role as enum ('member', 'company_admin', 'org_admin');
comment on type public.user_role is 'Roles in ascending authority: the lesser of two roles is least(a, b).';

create type public.auth_method as enum ('supabase_jwt', 'api_token');
comment on type public.auth_method is 'Which credential identified the caller.';

create type private.caller as (
    org_id uuid,
    user_id uuid,
    company_id uuid,
    role public.user_role,
    auth_method public.auth_method,
    -- Null for a session.
    api_token_id uuid,
    -- The stable code of the reason why there is no caller; all else is null then.
    refusal text
);
comment on type private.caller is 'Who is calling, or why nobody is.';

-- Definer: it must read users and api_tokens before it is known what the caller may read.
create function private.resolve_caller()
returns private.caller
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
    v_claims jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    v_token_hash text := v_claims ->> 'api_token_hash';
    v_subject text := v_claims ->> 'sub';
    v_token record;
    v_token_company_id uuid;
    v_user record;
    v_caller private.caller;
begin
    if v_token_hash is not null then
        select t.id, t.role, t.company_id, t.user_id, t.expires_at, t.revoked_at
        into v_token
        from public.api_tokens t
        where t.token_hash = v_token_hash;

        if not found then
            v_caller.refusal := 'api_token_unknown';
        elsif v_token.revoked_at is not null then
            v_caller.refusal := 'api_token_revoked';
        elsif v_token.expires_at <= now() then
            v_caller.refusal := 'api_token_expired';
        end if;
        v_subject := v_token.user_id::text;
        v_token_company_id := v_token.company_id;
    elsif v_subject is null then
        v_caller.refusal := 'missing_credential';
    elsif v_subject !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
        v_caller.refusal := 'identity_not_registered';
    end if;

    if v_caller.refusal is not null then
        return v_caller;
    end if;

    select u.id, u.org_id, u.company_id, u.role, u.deactivated_at, o.disabled_at
    into v_user
    from public.users u
    join public.orgs o on o.id = u.org_id
    where u.id = v_subject::uuid;

    if not found then
        v_caller.refusal := 'identity_not_registered';
    elsif v_user.disabled_at is not null then
        v_caller.refusal := 'org_disabled';
    elsif v_user.deactivated_at is not null then
        v_caller.refusal := 'user_deactivated';
    elsif v_token_company_id <> v_user.company_id then
        -- The token was narrowed to a company that its creator has left.
        v_caller.refusal := 'forbidden';
    end if;

    if v_caller.refusal is not null then
        return v_caller;
    end if;

    v_caller.org_id := v_user.org_id;
    v_caller.user_id := v_user.id;
    v_caller.company_id := v_user.company_id;
    v_caller.role := v_user.role;
    v_caller.auth_method := 'supabase_jwt';
    if v_token_hash is not null then
        -- A token reaches at most what its creator reaches now.
        v_caller.company_id := coalesce(v_user.company_id, v_token_company_id);
        v_caller.role := least(v_user.role, v_token.role);
        v_caller.auth_method := 'api_token';
        v_caller.api_token_id := v_token.id;
    end if;
    return v_caller;
end;
$$;
comment on function private.resolve_caller() is
    'The one place where claims become authority: a Supabase session by sub, an API token by api_token_hash, both through the rows as they are now. Returns a refusal instead of raising, so that policies simply match nothing.';
grant execute on function private.resolve_caller() to authenticated;

create function private.caller_org_id()
returns uuid
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
    return (private.resolve_caller()).org_id;
end;
$$;
comment on function private.caller_org_id() is 'Org of the caller; null when there is none. For policies, wrapped in a scalar select.';
grant execute on function private.caller_org_id() to authenticated;

create function private.caller_user_id()
returns uuid
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
    return (private.resolve_caller()).user_id;
end;
$$;
comment on function private.caller_user_id() is 'User behind the credential; null when there is none.';
grant execute on function private.caller_user_id() to authenticated;

create function private.caller_company_id()
returns uuid
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
    return (private.resolve_caller()).company_id;
end;
$$;
comment on function private.caller_company_id() is 'Company that the caller is bound to; null for a caller who acts for the whole org.';
grant execute on function private.caller_company_id() to authenticated;

create function private.caller_role()
returns public.user_role
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
    return (private.resolve_caller()).role;
end;
$$;
comment on function private.caller_role() is 'Role of the caller, narrowed by the API token if one is used; null when there is no caller.';
grant execute on function private.caller_role() to authenticated;

create function private.caller_auth_method()
returns public.auth_method
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
    return (private.resolve_caller()).auth_method;
end;
$$;
comment on function private.caller_auth_method() is 'Which credential identified the caller; null when there is no caller.';
grant execute on function private.caller_auth_method() to authenticated;

create function private.caller_is_org_wide()
returns boolean
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
    v_caller private.caller := private.resolve_caller();
begin
    return coalesce(v_caller.role = 'org_admin' and v_caller.company_id is null, false);
end;
$$;
comment on function private.caller_is_org_wide() is 'Whether the caller acts for every company of its org.';
grant execute on function private.caller_is_org_wide() to authenticated;

create function private.require_caller()
returns private.caller
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
    v_caller private.caller := private.resolve_caller();
begin
    case v_caller.refusal
        when 'missing_credential' then
            perform private.raise_error(401, 'missing_credential', 'Send a Supabase session or an API token as a bearer credential.');
        when 'api_token_unknown' then
            perform private.raise_error(401, 'api_token_unknown', 'This API token does not exist.');
        when 'api_token_revoked' then
            perform private.raise_error(401, 'api_token_revoked', 'This API token was revoked.');
        when 'api_token_expired' then
            perform private.raise_error(401, 'api_token_expired', 'This API token has expired.');
        when 'identity_not_registered' then
            perform private.raise_error(403, 'identity_not_registered', 'This identity is signed in, but is not a user of any org. Accept an invitation to its e-mail (POST /v1/invitations/accept), or ask an admin for one.');
        when 'user_deactivated' then
            perform private.raise_error(403, 'user_deactivated', 'This user was deactivated.');
        when 'org_disabled' then
            perform private.raise_error(403, 'org_disabled', 'This org is disabled.');
        when 'forbidden' then
            perform private.raise_error(403, 'forbidden', 'This API token is bound to a company that its creator no longer belongs to.');
        else
            return v_caller;
    end case;
end;
$$;
comment on function private.require_caller() is
    'The caller, or the refusal raised as an error. Every public RPC begins with it. Raises 401 missing_credential, api_token_unknown, api_token_revoked, api_token_expired; 403 identity_not_registered, user_deactivated, org_disabled, forbidden.';
grant execute on function private.require_caller() to authenticated;

create function private.require_org_wide(p_message text)
returns private.caller
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
    v_caller private.caller := private.require_caller();
begin
    if not private.caller_is_org_wide() then
        perform private.raise_error(403, 'forbidden', p_message);
    end if;
    return v_caller;
end;
$$;
comment on function private.require_org_wide(text) is 'The caller, who must act for the whole org. Raises 403 forbidden with the message, and what require_caller raises.';
grant execute on function private.require_org_wide(text) to authenticated;

create function public.auth_context()
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
    v_caller private.caller := private.require_caller();
begin
    perform private.note_api_token_use();
    return jsonb_build_object(
        'org_id', v_caller.org_id,
        'user_id', v_caller.user_id,
        'company_id', v_caller.company_id,
        'role', v_caller.role,
        'auth_method', v_caller.auth_method
    );
end;
$$;
comment on function public.auth_context() is 'AuthContext of the caller, the same shape for both credentials. Any caller. Notes the use of an API token (private.note_api_token_use). Raises what private.require_caller raises. Safe to repeat.';
grant execute on function public.auth_context() to authenticated;
