-- RPCs of invitations: create, list, revoke, resend, mark as sent.

create function private.show_invitation(p_invitation public.invitations) returns jsonb
language sql stable set search_path = '' as $$
    select to_jsonb(p_invitation) || jsonb_build_object('status',
        case
            when p_invitation.accepted_at is not null then 'accepted'
            when p_invitation.revoked_at is not null then 'revoked'
            when p_invitation.expires_at <= now() then 'expired'
            else 'open'
        end::public.invitation_status
    );
$$;
comment on function private.show_invitation is 'An invitation as clients see it: its columns and its status.';
grant execute on function private.show_invitation to authenticated;

create function private.lock_invitation(p_invitation_id uuid) returns public.invitations
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_invitation public.invitations;
begin
    if not exists (select from public.invitations i where i.id = p_invitation_id) then
        perform private.raise_error(404, 'invitation_not_found', 'No such invitation.');
    end if;
    -- A lock needs the policy for updates to pass.
    select i.* into v_invitation from public.invitations i where i.id = p_invitation_id for no key update;
    if not found then
        perform private.raise_error(403, 'forbidden', 'An API token cannot change invitations: sign in to do that.');
    end if;
    return v_invitation;
end;
$$;
comment on function private.lock_invitation is
    'Locks an invitation that the caller may change. '
    'Raises 403 forbidden, 404 invitation_not_found.';
grant execute on function private.lock_invitation to authenticated;

-- Definer: the user or the expired invitation may belong to a company that the caller cannot see.
create function private.prepare_invitation(p_email text) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
begin
    if v_caller.role = 'member' or v_caller.auth_method <> 'supabase_jwt' then
        perform private.raise_error(403, 'forbidden', 'Only signed-in admins invite people.');
    end if;
    if exists (
        select from public.users u
        where u.org_id = v_caller.org_id and lower(u.email) = p_email and u.left_at is null
    ) then
        perform private.raise_error(409, 'already_registered',
            'A user of the org has this e-mail. Change or reactivate that user.');
    end if;
    update public.invitations
    set revoked_at = now()
    where org_id = v_caller.org_id and email = p_email
        and accepted_at is null and revoked_at is null and expires_at <= now();
end;
$$;
comment on function private.prepare_invitation is
    'Makes room for an invitation of this e-mail to the caller''s org: revokes an open one that has expired. Looks at '
    'no other org. Admins with a session. '
    'Raises 403 forbidden, 409 already_registered. Safe to repeat.';
grant execute on function private.prepare_invitation to authenticated;

create function public.create_invitation(
    p_email text,
    p_role public.user_role,
    p_company_id uuid default null,
    p_full_name text default null,
    p_expires_at timestamptz default null,
    p_idempotency_key text default null,
    p_request_hash text default null
) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_email text := private.lower_ascii(btrim(p_email));
    v_company_id uuid := coalesce(p_company_id, v_caller.company_id);
    v_known_id uuid;
    v_invitation public.invitations;
begin
    if p_company_id is not null and not exists (select from public.companies c where c.id = p_company_id) then
        perform private.raise_error(404, 'company_not_found', 'No such company.');
    end if;
    if v_caller.auth_method <> 'supabase_jwt' then
        perform private.raise_error(403, 'forbidden', 'An API token cannot invite people: sign in to do that.');
    end if;
    if v_caller.role = 'member' or p_role > v_caller.role then
        perform private.raise_error(403, 'forbidden', 'Only admins invite people, and nobody above their own role.');
    end if;
    v_known_id := private.recall_result('create_invitation', p_idempotency_key, p_request_hash) ->> 'id';
    if v_known_id is not null then
        return private.show_invitation(private.lock_invitation(v_known_id));
    end if;
    if (p_role = 'org_admin') <> (v_company_id is null) then
        perform private.raise_error(422, 'invalid_request',
            'An invitation as org_admin has no company; one as company_admin or member needs a company_id.');
    end if;
    perform private.prepare_invitation(v_email);

    insert into public.invitations (company_id, email, full_name, role, expires_at)
    values (v_company_id, v_email, btrim(p_full_name), p_role, coalesce(p_expires_at, now() + interval '7 days'))
    on conflict (org_id, email) where accepted_at is null and revoked_at is null do nothing
    returning * into v_invitation;
    if not found then
        -- An invitation of another company is not shown: the caller cannot see or resend it.
        perform private.raise_error(409, 'conflict',
            'This e-mail has an open invitation to the org. Resend that one, or have it revoked.',
            coalesce(
                (
                    select jsonb_build_object('invitation_id', i.id)
                    from public.invitations i
                    where i.org_id = v_caller.org_id and i.email = v_email
                        and i.accepted_at is null and i.revoked_at is null
                ),
                '{}'
            ));
    end if;
    perform private.remember_result('create_invitation', p_idempotency_key, jsonb_build_object('id', v_invitation.id));
    return private.show_invitation(v_invitation);
end;
$$;
comment on function public.create_invitation is
    'Invites an e-mail into the org, by default for 7 days and into the caller''s company. Admins with a session, up '
    'to their own role and company. '
    'Raises 403 forbidden, 404 company_not_found, 409 already_registered, 409 conflict (an open invitation, in details '
    'if the caller can see it), 409 idempotency_key_reused, 404 invitation_not_found (a repeat by a caller that no '
    'longer sees it), 422 invalid_request. With an idempotency key a repeat returns the same invitation as it is now.';
grant execute on function public.create_invitation to authenticated;

create function public.list_invitations(p_limit int default 50, p_cursor text default null) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_limit int := private.check_limit(p_limit);
    v_before private.sort_key := private.decode_time_cursor(p_cursor);
begin
    if v_caller.role = 'member' then
        perform private.raise_error(403, 'forbidden', 'Only admins list invitations.');
    end if;
    return private.page(
        array(
            select jsonb_build_object('key', jsonb_build_array(i.created_at, i.id), 'item', private.show_invitation(i))
            from public.invitations i
            where (i.created_at, i.id) < (v_before.created_at, v_before.id)
            order by i.created_at desc, i.id desc
            limit v_limit + 1
        ),
        v_limit
    );
end;
$$;
comment on function public.list_invitations is
    'Invitations that the caller can see, newest first. An org_admin sees those of the org, a company_admin those of '
    'its company. '
    'Raises 403 forbidden, 422 invalid_request, invalid_cursor.';
grant execute on function public.list_invitations to authenticated;

create function public.revoke_invitation(p_invitation_id uuid) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_invitation public.invitations := private.lock_invitation(p_invitation_id);
begin
    if v_invitation.accepted_at is not null then
        perform private.raise_error(409, 'invalid_transition', 'This invitation was accepted. Deactivate the user instead.');
    end if;
    if v_invitation.revoked_at is null then
        update public.invitations set revoked_at = now() where id = p_invitation_id returning * into v_invitation;
    end if;
    return private.show_invitation(v_invitation);
end;
$$;
comment on function public.revoke_invitation is
    'Revokes an invitation that was not accepted. Admins with a session, within their reach. '
    'Raises 403 forbidden, 404 invitation_not_found, 409 invalid_transition. Repeating it changes nothing.';
grant execute on function public.revoke_invitation to authenticated;

create function public.resend_invitation(p_invitation_id uuid) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_invitation public.invitations := private.lock_invitation(p_invitation_id);
begin
    if v_invitation.accepted_at is not null or v_invitation.revoked_at is not null then
        perform private.raise_error(409, 'invalid_transition', 'This invitation was accepted or revoked. Create another one.');
    end if;
    update public.invitations
    set expires_at = now() + interval '7 days'
    where id = p_invitation_id
    returning * into v_invitation;
    return private.show_invitation(v_invitation);
end;
$$;
comment on function public.resend_invitation is
    'Renews an invitation for 7 days, even an expired one; the caller answers for it from then on. The API sends the '
    'e-mail. Admins with a session, within their reach. '
    'Raises 403 forbidden, 404 invitation_not_found, 409 invalid_transition. Safe to repeat.';
grant execute on function public.resend_invitation to authenticated;

create function public.mark_invitation_sent(p_invitation_id uuid) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_invitation public.invitations := private.lock_invitation(p_invitation_id);
begin
    update public.invitations set sent_at = now() where id = p_invitation_id returning * into v_invitation;
    return private.show_invitation(v_invitation);
end;
$$;
comment on function public.mark_invitation_sent is
    'Records that Supabase Auth accepted the e-mail, even if the invitation was accepted meanwhile. Admins with a '
    'session, within their reach. '
    'Raises 403 forbidden, 404 invitation_not_found. Safe to repeat.';
grant execute on function public.mark_invitation_sent to authenticated;
