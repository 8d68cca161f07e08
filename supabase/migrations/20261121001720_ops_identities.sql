-- Operators' functions for access: find people, API tokens and invitations across orgs, and revoke tokens.

create view ops.identities with (security_invoker = true) as
select found.kind, found.email, found.name, found.prefix, found.role, o.slug as org, c.name as company, found.status,
    date_trunc('second', found.since) as since, date_trunc('second', found.last_used) as last_used, found.id
from (
    select 'user' as kind, u.email, u.full_name as name, null as prefix, u.role, u.org_id, u.company_id,
        case when u.left_at is not null then 'left' when u.deactivated_at is not null then 'deactivated' else 'active' end
            as status,
        u.created_at as since, a.last_sign_in_at as last_used, u.id
    from public.users u
    left join auth.users a on a.id = u.identity_id
    union all
    select 'API token', u.email, t.name, t.prefix, t.role, t.org_id, t.company_id,
        case
            when t.revoked_at is not null then 'revoked'
            when t.expires_at <= now() then 'expired'
            when u.deactivated_at is not null then 'user deactivated'
            else 'active'
        end,
        t.created_at, t.last_used_at, t.id
    from public.api_tokens t
    join public.users u on u.org_id = t.org_id and u.id = t.user_id
    union all
    select 'invitation', i.email, i.full_name, null, i.role, i.org_id, i.company_id,
        case
            when i.accepted_at is not null then 'accepted'
            when i.revoked_at is not null then 'revoked'
            when i.expires_at <= now() then 'expired'
            else 'open'
        end,
        i.created_at, null, i.id
    from public.invitations i
    union all
    select 'identity', a.email, null, null, null, null, null,
        case when a.email_confirmed_at is null then 'e-mail not confirmed' else 'user of no org' end,
        a.created_at, a.last_sign_in_at, a.id
    from auth.users a
    where not exists (select from public.users u where u.identity_id = a.id)
) found
left join public.orgs o on o.id = found.org_id
left join public.companies c on c.org_id = found.org_id and c.id = found.company_id;
comment on view ops.identities is
    'Users, API tokens (with their owner''s e-mail), invitations, and identities that signed up without becoming a '
    'user. last_used: last sign-in, or last use of a token. Leaves no audit row; ops.find does.';

create function private.hide_tokens(p_text text) returns text
language sql immutable set search_path = '' as $$
    select regexp_replace(p_text, '(dex_[0-9A-Za-z]{8})[0-9A-Za-z]+', '\1…', 'g');
$$;
comment on function private.hide_tokens is
    'The text with each API token cut to the prefix that lists show. For schema ops.';

create function ops.find(p_text text) returns setof ops.identities
language plpgsql volatile set search_path = '' as $$
declare
    v_most constant int := 100;
    v_text text := lower(btrim(p_text));
    -- An e-mail address may contain dex_ too.
    v_token text := case when position('@' in p_text) = 0 then substring(p_text from 'dex_[0-9A-Za-z]*') end;
    v_ids uuid[];
begin
    if v_text is null or length(v_text) < 3 then
        perform private.raise_error(422, 'invalid_request',
            'Give at least three characters of an e-mail address, an id, or an API token or its prefix.');
    end if;
    if v_token is not null then
        v_ids := array(
            select t.id
            from public.api_tokens t
            where case
                -- Longer than a prefix, it is a whole token.
                when length(v_token) > 12 then t.token_hash = encode(sha256(convert_to(v_token, 'utf8')), 'hex')
                else starts_with(t.prefix, v_token)
            end
        );
    elsif pg_input_is_valid(v_text, 'uuid') then
        v_ids := array[v_text::uuid];
    else
        v_ids := array(select i.id from ops.identities i where position(v_text in lower(i.email)) > 0);
    end if;

    perform private.audit_operation(
        array(select o.id from ops.identities i join public.orgs o on o.slug = i.org where i.id = any (v_ids)),
        'find', jsonb_build_object('text', private.hide_tokens(p_text))
    );
    return query
    select i.*
    from ops.identities i
    where i.id = any (v_ids)
    order by i.email, i.kind desc, i.org, i.since desc, i.id
    limit v_most;
    if cardinality(v_ids) > v_most then
        return query
        select 'more', private.counted(cardinality(v_ids) - v_most, 'other') || ': give more of the text', null, null,
            null::public.user_role, null, null, null, null::timestamptz, null::timestamptz, null::uuid;
    end if;
end;
$$;
comment on function ops.find is
    'Users, API tokens, invitations and identities by e-mail or a part of it, by id, by token prefix, or by a whole '
    'token: only its hash is compared and only its prefix is logged. The first hundred. Operators. '
    'Raises 422 invalid_request. Changes nothing but the audit log.';

create function ops.revoke_api_tokens(
    p_org_slug text default null, p_email text default null, p_prefix text default null, dry_run boolean default true
) returns setof ops.report
language plpgsql volatile set search_path = '' as $$
declare
    v_org_id uuid;
    v_token record;
    v_org_ids uuid[] := '{}';
begin
    if p_org_slug is null and p_email is null and p_prefix is null then
        perform private.raise_error(422, 'invalid_request',
            'Say which: give p_org_slug, p_email or p_prefix, or several of them.');
    end if;
    if length(p_prefix) < 12 then
        perform private.raise_error(422, 'invalid_request',
            'A prefix has 12 characters, dex_ included. Look: select * from ops.find(''dex_…'');');
    end if;
    if p_org_slug is not null then
        v_org_id := (private.operated_org(p_org_slug)).id;
    end if;
    begin
        for v_token in
            select t.id, t.org_id, t.prefix, t.name, t.role, o.slug, u.email
            from public.api_tokens t
            join public.orgs o on o.id = t.org_id
            join public.users u on u.org_id = t.org_id and u.id = t.user_id
            where t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
                and (v_org_id is null or t.org_id = v_org_id)
                and (p_email is null or lower(u.email) = lower(btrim(p_email)))
                and (p_prefix is null or t.prefix = left(p_prefix, 12))
            order by o.slug, t.created_at, t.id
            for update of t
        loop
            update public.api_tokens set revoked_at = now() where id = v_token.id;
            v_org_ids := v_org_ids || v_token.org_id;
            return next row(private.report_action('revoke', 'revoked', dry_run), 'API token ' || v_token.prefix || '…',
                format('%L, %s of org %s, created by %s', v_token.name, v_token.role, v_token.slug, v_token.email))::ops.report;
        end loop;
        if v_org_ids = '{}' then
            return next row('nothing to do', 'API tokens', 'No valid one matches. Look: select * from ops.find(…);')::ops.report;
        end if;
        perform private.undo_dry_run(dry_run);
    exception when sqlstate 'DRYRN' then
        null;
    end;
    perform private.audit_operation(v_org_ids, 'revoke_api_tokens', jsonb_build_object(
        'org_slug', p_org_slug, 'email', p_email, 'prefix', private.hide_tokens(p_prefix), 'dry_run', dry_run
    ));
end;
$$;
comment on function ops.revoke_api_tokens is
    'Revokes every valid API token of an org, of a person, or of a prefix (all that are given must match), from the '
    'next request on. Operators. '
    'Raises 404 org_not_found, 422 invalid_request. A repeat finds nothing to do.';
