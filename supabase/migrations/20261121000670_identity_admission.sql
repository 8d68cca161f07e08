-- Admission of identities: how an identity of Supabase Auth joins an org and leaves it. The person accepts an
-- invitation to its verified e-mail; signing up or confirming an e-mail admits nobody.

create function private.lock_identity(p_identity_id uuid) returns void
language sql volatile set search_path = '' as $$
    select pg_advisory_xact_lock(hashtextextended('admission of ' || p_identity_id, 0));
$$;
comment on function private.lock_identity is
    'Keeps others from admitting this identity until the transaction ends. For the functions of this file.';

-- Definer: the identity is no user yet, so it sees no invitation.
create function private.acceptable_invitations(p_email text) returns setof public.invitations
language sql stable security definer set search_path = '' as $$
    select i.*
    from public.invitations i
    join public.orgs o on o.id = i.org_id
    left join public.users u on u.id = i.invited_by
    where i.email = private.lower_ascii(p_email)
        and i.accepted_at is null and i.revoked_at is null and i.expires_at > now()
        and o.disabled_at is null
        and (
            i.invited_by is null
            or (
                u.deactivated_at is null
                and u.role >= 'company_admin' and u.role >= i.role
                and (u.company_id is null or u.company_id = i.company_id)
            )
        );
$$;
comment on function private.acceptable_invitations is
    'Invitations that an e-mail can accept now: open, of an enabled org, and from a user who could still issue them. '
    'For the functions of this file, which verify the e-mail.';

-- Definer: the identity may write nothing yet.
create function private.admit_identity(p_identity_id uuid, p_email text, p_invitation_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_invitation public.invitations;
    v_user_id uuid;
begin
    -- Waits for a revocation at the same time.
    select i.* into v_invitation from public.invitations i where i.id = p_invitation_id for update;
    if not exists (select from private.acceptable_invitations(p_email) a where a.id = p_invitation_id) then
        perform private.raise_error(404, 'invitation_not_found',
            'There is no invitation for this e-mail that can be accepted. Ask an admin to invite you.');
    end if;
    -- The first user of an identity has its id.
    insert into public.users (id, identity_id, org_id, company_id, email, full_name, role)
    values (
        case
            when exists (select from public.users u where u.id = p_identity_id) then gen_random_uuid()
            else p_identity_id
        end,
        p_identity_id, v_invitation.org_id, v_invitation.company_id, v_invitation.email, v_invitation.full_name,
        v_invitation.role
    )
    on conflict (identity_id) do nothing
    returning id into v_user_id;
    if not found then
        perform private.raise_error(409, 'already_registered', 'This identity is a user of an org already.');
    end if;
    update public.invitations set accepted_at = now(), accepted_by = v_user_id where id = p_invitation_id;
end;
$$;
comment on function private.admit_identity is
    'Makes the identity a user by an invitation, which is used up. Its caller has verified the e-mail and locked the '
    'identity. '
    'Raises 404 invitation_not_found, 409 already_registered.';

-- Definer: it reads auth.users, and the person has no rights yet.
create function private.accept_invitation(p_invitation_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_claims jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    v_caller private.caller;
    v_identity record;
    v_acceptable public.invitations[];
begin
    if v_claims ? 'api_token_hash' then
        v_caller := private.require_caller();
        perform private.raise_error(403, 'forbidden', 'An API token cannot accept an invitation: sign in to do that.');
    end if;
    if pg_input_is_valid(v_claims ->> 'sub', 'uuid') then
        perform private.lock_identity((v_claims ->> 'sub')::uuid);
        select u.id, u.email, u.email_confirmed_at into v_identity
        from auth.users u
        where u.id = (v_claims ->> 'sub')::uuid;
    end if;
    v_caller := private.resolve_caller();
    if v_caller.refusal is distinct from 'identity_not_registered' or v_identity is null then
        v_caller := private.require_caller();
    end if;
    if v_caller.user_id is null and (v_identity.email is null or v_identity.email_confirmed_at is null) then
        perform private.raise_error(403, 'email_not_confirmed',
            'Confirm your e-mail first: an invitation is for the person who receives its e-mails.');
    end if;

    v_acceptable := array(
        select a from private.acceptable_invitations(v_identity.email) a order by a.created_at, a.id
    );
    if v_caller.user_id is not null then
        -- A repeat is fine; accepting another invitation is not.
        if not exists (
            select from public.invitations i
            where i.accepted_by = v_caller.user_id and i.org_id = v_caller.org_id
                and (i.id = p_invitation_id or (p_invitation_id is null and cardinality(v_acceptable) = 0))
        ) then
            perform private.raise_error(409, 'already_registered', 'This identity is a user of an org already.');
        end if;
        return;
    end if;
    if p_invitation_id is null and cardinality(v_acceptable) > 1 then
        perform private.raise_error(409, 'several_invitations',
            'There are several invitations for you. Send the invitation_id of the one to accept.',
            jsonb_build_object('invitations', (
                select jsonb_agg(
                    jsonb_build_object('invitation_id', a.id, 'org_name', o.name, 'role', a.role) order by a.created_at, a.id
                )
                from unnest(v_acceptable) a
                join public.orgs o on o.id = a.org_id
            )));
    end if;
    perform private.admit_identity(v_identity.id, v_identity.email, coalesce(p_invitation_id, v_acceptable[1].id));
end;
$$;
comment on function private.accept_invitation is
    'Accepts an invitation for public.accept_invitation. Reads the e-mail in auth.users, never in the claims. '
    'Raises 403 email_not_confirmed, forbidden, 409 already_registered, several_invitations, and what '
    'private.admit_identity and private.require_caller raise.';
grant execute on function private.accept_invitation to authenticated;

create function public.accept_invitation(p_invitation_id uuid default null) returns jsonb
language plpgsql volatile set search_path = '' as $$
begin
    perform private.accept_invitation(p_invitation_id);
    return public.auth_context();
end;
$$;
comment on function public.accept_invitation is
    'Makes the signed-in person a user by the invitation of its verified e-mail, and returns its AuthContext. Any '
    'session, even of an identity that is no user yet; no API token. p_invitation_id is needed only if there are '
    'several invitations. '
    'Raises 403 email_not_confirmed, forbidden, user_deactivated, org_disabled, 404 invitation_not_found, 409 '
    'already_registered, several_invitations. Repeating it changes nothing.';
grant execute on function public.accept_invitation to authenticated;

-- Definer: a person leaves also when it is deactivated or its org is disabled, and so is no caller.
create function public.leave_org() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_claims jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    v_caller private.caller;
    v_user public.users;
    v_noted text;
begin
    if v_claims ? 'api_token_hash' then
        v_caller := private.require_caller();
        perform private.raise_error(403, 'forbidden', 'An API token cannot leave an org: sign in to do that.');
    end if;
    if pg_input_is_valid(v_claims ->> 'sub', 'uuid') then
        perform private.lock_identity((v_claims ->> 'sub')::uuid);
        select u.* into v_user from public.users u where u.identity_id = (v_claims ->> 'sub')::uuid for update;
    end if;
    if v_user.id is null then
        v_caller := private.require_caller();
    end if;
    -- The audit log's look-up of the actor would find nobody by the identity any more.
    v_noted := set_config('private.leaving_user_id', v_user.id::text, true);
    update public.users
    set left_at = now(), deactivated_at = coalesce(deactivated_at, now()), identity_id = null
    where id = v_user.id;
    return jsonb_build_object(
        'org_id', v_user.org_id,
        'user_id', v_user.id,
        'company_id', v_user.company_id,
        'role', v_user.role,
        'auth_method', 'supabase_jwt'
    );
end;
$$;
comment on function public.leave_org is
    'Takes the signed-in person out of its org for good: the user and its API tokens are refused from now on, and the '
    'person can accept another invitation. Returns the AuthContext that the session had. Any session of a user, even '
    'of a deactivated one; no API token. '
    'Raises 401 missing_credential, 403 forbidden, identity_not_registered (a repeat too), 409 last_org_admin.';
grant execute on function public.leave_org to authenticated;

-- Definer: Supabase Auth's role has no rights on our tables.
create function private.follow_identity() returns trigger
language plpgsql security definer set search_path = ''
set lock_timeout = '2s'
as $$
begin
    if new.email is null or new.email_confirmed_at is null then
        return null;
    end if;
    begin
        update public.users set email = private.lower_ascii(new.email)
        where identity_id = new.id and email <> private.lower_ascii(new.email);
    exception when others then
        raise warning 'the new e-mail of identity % was not mirrored: % %', new.id, sqlstate, sqlerrm;
    end;
    return null;
end;
$$;
comment on function private.follow_identity is
    'Trigger on auth.users: mirrors a changed e-mail once it is confirmed. It admits nobody. Never fails a change of '
    'the identity: an error becomes a warning in the log.';

create trigger data_engine_x_follow_identity after update of email, email_confirmed_at on auth.users
for each row execute function private.follow_identity();
