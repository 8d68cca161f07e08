-- Invitations: how people join an org. An invitation names an e-mail, a role and a company; …_identity_admission.sql
-- says how the person with that e-mail becomes a user.

create type public.invitation_status as enum ('open', 'accepted', 'revoked', 'expired');
comment on type public.invitation_status is 'State of an invitation. accepted and revoked are final.';

create table public.invitations (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null default private.caller_org_id() references public.orgs (id) on delete cascade,
    company_id uuid,
    -- ASCII, as in Supabase Auth.
    email text not null
        check (length(email) <= 320 and email ~ '^[!-?A-~]+@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$')
        check (email = lower(email)),
    full_name text check (length(btrim(full_name)) >= 1 and length(full_name) <= 200),
    role public.user_role not null,
    invited_by uuid default private.caller_user_id(),
    expires_at timestamptz not null default now() + interval '7 days',
    sent_at timestamptz,
    accepted_at timestamptz,
    accepted_by uuid,
    revoked_at timestamptz,
    created_at timestamptz not null default now(),
    foreign key (org_id, company_id) references public.companies (org_id, id) on delete restrict,
    foreign key (org_id, invited_by) references public.users (org_id, id) on delete restrict,
    foreign key (org_id, accepted_by) references public.users (org_id, id) on delete restrict,
    check ((role = 'org_admin') = (company_id is null)),
    check ((accepted_at is null) = (accepted_by is null)),
    check (accepted_at is null or revoked_at is null)
);
comment on table public.invitations is
    'An offer to become a user of the org in a role. Accepted once, by the person who has verified its e-mail.';
comment on column public.invitations.email is 'In lower case.';
comment on column public.invitations.invited_by is
    'The user who made or last renewed it, and answers for it. Null: an operator.';
comment on column public.invitations.sent_at is
    'When Supabase Auth last accepted the e-mail with the sign-in link. Null: never.';

-- An e-mail has at most one open invitation in an org.
create unique index invitations_open_key on public.invitations (org_id, email)
where accepted_at is null and revoked_at is null;
create index invitations_open_email_idx on public.invitations (email)
where accepted_at is null and revoked_at is null;
create index invitations_org_id_created_at_idx on public.invitations (org_id, created_at desc, id desc);
create index invitations_org_id_company_id_created_at_idx
on public.invitations (org_id, company_id, created_at desc, id desc);
create index invitations_org_id_invited_by_idx on public.invitations (org_id, invited_by);
create index invitations_org_id_accepted_by_idx on public.invitations (org_id, accepted_by);

alter table public.invitations enable row level security;

create policy invitations_select_admin on public.invitations for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and (
        (select private.caller_is_org_wide())
        or ((select private.caller_role()) = 'company_admin' and company_id = (select private.caller_company_id()))
    )
);

-- Nobody grants a role above their own. Only people grant roles: a leaked token must not leave successors.
create policy invitations_insert_admin on public.invitations for insert to authenticated
with check (
    org_id = (select private.caller_org_id())
    and invited_by = (select private.caller_user_id())
    and (select private.caller_auth_method()) = 'supabase_jwt'
    and (select private.caller_role()) >= 'company_admin'
    and role <= (select private.caller_role())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);

create policy invitations_update_admin on public.invitations for update to authenticated
using (
    org_id = (select private.caller_org_id())
    and (select private.caller_auth_method()) = 'supabase_jwt'
    and (select private.caller_role()) >= 'company_admin'
    and role <= (select private.caller_role())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
)
with check (
    org_id = (select private.caller_org_id())
    and (select private.caller_auth_method()) = 'supabase_jwt'
    and (select private.caller_role()) >= 'company_admin'
    and role <= (select private.caller_role())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);

-- Accepting is not granted: the invited person accepts through private.admit_identity. No delete grant: a closed
-- invitation stays on record.
grant select,
    insert (company_id, email, full_name, role, expires_at),
    update (expires_at, sent_at, revoked_at)
on public.invitations to authenticated;

create function private.guard_invitation() returns trigger
language plpgsql set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        if new.expires_at <= new.created_at or new.expires_at > new.created_at + interval '30 days' then
            perform private.raise_error(422, 'invalid_request', 'expires_at must lie in the future, at most 30 days ahead.');
        end if;
        return new;
    end if;

    if new.sent_at is distinct from old.sent_at then
        new.sent_at := now();
    end if;
    if old.accepted_at is not null or old.revoked_at is not null then
        if (to_jsonb(new) - 'sent_at') is distinct from (to_jsonb(old) - 'sent_at') then
            perform private.raise_error(409, 'immutable', 'An invitation that was accepted or revoked stays so.');
        end if;
        return new;
    end if;

    if (to_jsonb(new) - '{expires_at,sent_at,accepted_at,accepted_by,revoked_at}'::text[])
        is distinct from (to_jsonb(old) - '{expires_at,sent_at,accepted_at,accepted_by,revoked_at}'::text[]) then
        perform private.raise_error(409, 'immutable', 'An invitation can be renewed, revoked and accepted, not changed.');
    end if;
    if new.accepted_at is not null then
        new.accepted_at := now();
    end if;
    if new.revoked_at is not null then
        new.revoked_at := now();
    end if;
    if new.expires_at is distinct from old.expires_at then
        if new.expires_at <= now() or new.expires_at > now() + interval '30 days' then
            perform private.raise_error(422, 'invalid_request', 'expires_at must lie in the future, at most 30 days ahead.');
        end if;
        new.invited_by := private.caller_user_id();
    end if;
    return new;
end;
$$;
comment on function private.guard_invitation is
    'Trigger: an invitation lasts 30 days at most, and is accepted or revoked once. The user who renews it answers for '
    'it from then on. '
    'Raises 409 immutable, 422 invalid_request.';

create trigger invitations_guard before insert or update on public.invitations
for each row execute function private.guard_invitation();
