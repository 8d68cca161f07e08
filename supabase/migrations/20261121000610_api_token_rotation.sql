-- Rotation of API tokens: a successor takes over, and both are valid for a grace time.

create function private.check_replaced_api_token() returns trigger
language plpgsql set search_path = '' as $$
declare
    v_replaced record;
begin
    -- The lock needs the right to end the token. Of two successors at once, the second one finds the first.
    select t.company_id, t.role, t.expires_at, t.revoked_at
    into v_replaced
    from public.api_tokens t
    where t.org_id = new.org_id and t.id = new.replaces
    for no key update;
    if not found then
        perform private.raise_error(404, 'api_token_not_found', 'No such API token.');
    end if;
    -- Rotation without a grace time sets expires_at to now() in this transaction, so now() still counts as active.
    if v_replaced.revoked_at is not null or v_replaced.expires_at < now()
        or exists (select from public.api_tokens t where t.org_id = new.org_id and t.replaces = new.replaces) then
        perform private.raise_error(409, 'api_token_inactive', 'The API token is revoked, expired or replaced already.');
    end if;
    if (v_replaced.company_id, v_replaced.role) is distinct from (new.company_id, new.role) then
        perform private.raise_error(422, 'invalid_request', 'A token has the company and role of the one that it replaces.');
    end if;
    if v_replaced.expires_at is null or v_replaced.expires_at > now() + interval '7 days' then
        perform private.raise_error(422, 'invalid_request',
            'A token that is replaced ends within seven days: set its expires_at first.');
    end if;
    return new;
end;
$$;
comment on function private.check_replaced_api_token is
    'Trigger: a successor has the company and role of its predecessor, which is active, has no other successor and '
    'ends within seven days. '
    'Raises 404 api_token_not_found, 409 api_token_inactive, 422 invalid_request.';

create trigger api_tokens_check_replaced before insert on public.api_tokens
for each row when (new.replaces is not null) execute function private.check_replaced_api_token();

create function public.rotate_api_token(
    p_api_token_id uuid,
    p_token_hash text,
    p_prefix text,
    p_grace_seconds int default 86400,
    p_expires_at timestamptz default null
) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_replaced record;
    v_id uuid;
begin
    if not exists (select from public.api_tokens t where t.id = p_api_token_id) then
        perform private.raise_error(404, 'api_token_not_found', 'No such API token.');
    end if;
    if v_caller.auth_method <> 'supabase_jwt' then
        perform private.raise_error(403, 'forbidden', 'An API token cannot rotate another one or itself: sign in to do that.');
    end if;
    -- The lock needs the right to end the token. Of two rotations at once, the second one finds the first.
    select t.name, t.company_id, t.role, t.expires_at, t.revoked_at, t.created_at
    into v_replaced
    from public.api_tokens t
    where t.id = p_api_token_id
    for no key update;
    if not found then
        perform private.raise_error(403, 'forbidden', 'Only admins rotate API tokens, and only those of their company.');
    end if;
    if v_replaced.revoked_at is not null or v_replaced.expires_at <= now()
        or exists (
            select from public.api_tokens t where t.org_id = v_caller.org_id and t.replaces = p_api_token_id
        ) then
        perform private.raise_error(409, 'api_token_inactive', 'The API token is revoked, expired or replaced already.');
    end if;
    if p_grace_seconds is null or p_grace_seconds not between 0 and 604800 then
        perform private.raise_error(422, 'invalid_request', 'grace_seconds must be between 0 and 604800, which is seven days.');
    end if;
    if p_expires_at <= now() then
        perform private.raise_error(422, 'invalid_request', 'expires_at must lie in the future.');
    end if;

    update public.api_tokens
    set expires_at = least(expires_at, now() + make_interval(secs => p_grace_seconds))
    where id = p_api_token_id;
    insert into public.api_tokens (company_id, name, token_hash, prefix, role, expires_at, replaces)
    values (
        v_replaced.company_id, v_replaced.name, p_token_hash, p_prefix, v_replaced.role,
        -- It lasts as long as its predecessor was meant to, within the times that clients can read.
        coalesce(
            p_expires_at,
            case when v_replaced.expires_at is not null then
                least(now() + (v_replaced.expires_at - v_replaced.created_at), '9999-12-31T00:00:00Z')
            end
        ),
        p_api_token_id
    )
    returning id into v_id;
    return (
        select to_jsonb(t) || jsonb_build_object('replaced', to_jsonb(r))
        from private.api_tokens_readable t
        join private.api_tokens_readable r on r.id = t.replaces
        where t.id = v_id
    );
end;
$$;
comment on function public.rotate_api_token is
    'Registers a successor of a token for the caller, with the same name, company and role. The old token ends after '
    'the grace time, or earlier if it was to. Admins with a session, within their reach and up to their own role. '
    'Raises 403 forbidden, 404 api_token_not_found, 409 api_token_inactive (revoked, expired or replaced), 409 '
    'conflict, 422 invalid_request. Repeating it is refused with api_token_inactive.';
grant execute on function public.rotate_api_token to authenticated;
