-- Users: the people of an org. An identity of Supabase Auth is one user at most; without one it has no access.
-- …_identity_admission.sql says how it joins an org and leaves it.

create table public.users (
    id uuid primary key default gen_random_uuid(),
    -- Restrict: deactivate a user instead of deleting its identity.
    identity_id uuid unique references auth.users (id) on delete restrict,
    org_id uuid not null references public.orgs (id) on delete cascade,
    company_id uuid,
    email text not null check (length(email) <= 320),
    full_name text check (length(btrim(full_name)) >= 1 and length(full_name) <= 200),
    role public.user_role not null,
    deactivated_at timestamptz,
    left_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (org_id, id),
    foreign key (org_id, company_id) references public.companies (org_id, id) on delete restrict,
    check ((role = 'org_admin') = (company_id is null)),
    check ((identity_id is null) = (left_at is not null)),
    check (left_at is null or deactivated_at is not null)
);
comment on table public.users is
    'A person in an org, with its role. A person who joins another org later is another user there.';
comment on column public.users.identity_id is 'The auth.users row that signs in as this user. Null once the person has left.';
comment on column public.users.left_at is
    'When the person left the org, for good: history names the user, but nobody signs in as it.';
comment on column public.users.company_id is
    'Set for company_admin and member, who act for one company; null for org_admin, who acts for all.';
comment on column public.users.deactivated_at is
    'Set: the user, and every API token that the user created, is refused.';

create index users_org_id_created_at_idx on public.users (org_id, created_at desc, id desc);
create index users_org_id_company_id_created_at_idx on public.users (org_id, company_id, created_at desc, id desc);
create index users_email_idx on public.users (lower(email));

alter table public.users enable row level security;

create policy users_select_visible on public.users for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and (
        (select private.caller_is_org_wide())
        or company_id = (select private.caller_company_id())
        or id = (select private.caller_user_id())
    )
);

-- Nobody grants a role above their own. Only people grant roles: a leaked token must not appoint anybody.
create policy users_update_admin on public.users for update to authenticated
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

-- No insert grant: users come by invitation. No delete grant: history names its users, so they are deactivated.
grant select, update (company_id, full_name, role, deactivated_at) on public.users to authenticated;

create function private.guard_user() returns trigger
language plpgsql set search_path = '' as $$
begin
    if (new.id, new.org_id, new.created_at) is distinct from (old.id, old.org_id, old.created_at)
        or (new.identity_id is distinct from old.identity_id and new.left_at is null) then
        perform private.raise_error(409, 'immutable', 'Id, org, identity and origin of a user do not change.');
    end if;
    if old.left_at is not null and (new.left_at, new.deactivated_at) is distinct from (old.left_at, old.deactivated_at) then
        perform private.raise_error(409, 'invalid_transition', 'This person has left the org. Invite the person again.');
    end if;
    if new.deactivated_at is not null then
        new.deactivated_at := coalesce(old.deactivated_at, now());
    end if;
    return new;
end;
$$;
comment on function private.guard_user is
    'Trigger: a user stays in its org until the person leaves, and a deactivation has the time at which it happens. '
    'Raises 409 immutable, invalid_transition.';

create trigger users_guard before update on public.users for each row execute function private.guard_user();

create trigger users_touch_updated_at before update on public.users
for each row execute function private.touch_updated_at();

-- Definer: it locks the org and counts users that the writer may not see.
create function private.keep_an_org_admin() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    -- A second writer that removes an org_admin waits here, and sees below what the first one did.
    perform 1 from public.orgs where id = old.org_id for no key update;
    if not found then
        return null; -- the org itself is being deleted
    end if;
    if not exists (
        select from public.users u
        where u.org_id = old.org_id and u.role = 'org_admin' and u.deactivated_at is null
    ) then
        perform private.raise_error(409, 'last_org_admin',
            'This is the last active org_admin of the org. Appoint another one first.');
    end if;
    return null;
end;
$$;
comment on function private.keep_an_org_admin is
    'Trigger: an org that has an active org_admin keeps one, for every writer. '
    'Raises 409 last_org_admin.';

create trigger users_keep_an_org_admin_on_update after update on public.users
for each row
when (
    old.role = 'org_admin' and old.deactivated_at is null
    and (new.role <> 'org_admin' or new.deactivated_at is not null)
)
execute function private.keep_an_org_admin();

create trigger users_keep_an_org_admin_on_delete after delete on public.users
for each row
when (old.role = 'org_admin' and old.deactivated_at is null)
execute function private.keep_an_org_admin();

create function public.list_users(p_company_id uuid default null, p_limit int default 50, p_cursor text default null)
returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_limit int := private.check_limit(p_limit);
    v_before private.sort_key := private.decode_time_cursor(p_cursor);
begin
    return private.page(
        array(
            select jsonb_build_object('key', jsonb_build_array(u.created_at, u.id), 'item', to_jsonb(u))
            from public.users u
            where (p_company_id is null or u.company_id = p_company_id)
                and (u.created_at, u.id) < (v_before.created_at, v_before.id)
            order by u.created_at desc, u.id desc
            limit v_limit + 1
        ),
        v_limit
    );
end;
$$;
comment on function public.list_users is
    'Users that the caller can see, newest first, of one company if it is given. An org_admin sees those of the org, '
    'others those of their company. Any caller. '
    'Raises 422 invalid_request, invalid_cursor.';
grant execute on function public.list_users to authenticated;

create function public.get_user(p_user_id uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_user public.users;
begin
    select u.* into v_user from public.users u where u.id = p_user_id;
    if not found then
        perform private.raise_error(404, 'user_not_found', 'No such user.');
    end if;
    return to_jsonb(v_user);
end;
$$;
comment on function public.get_user is 'One user. Any caller who can see it. Raises 404 user_not_found.';
grant execute on function public.get_user to authenticated;

create function private.lock_user(p_user_id uuid) returns public.users
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_user public.users;
begin
    if not exists (select from public.users u where u.id = p_user_id) then
        perform private.raise_error(404, 'user_not_found', 'No such user.');
    end if;
    -- A lock needs the policy for updates to pass.
    select u.* into v_user from public.users u where u.id = p_user_id for no key update;
    if not found then
        perform private.raise_error(403, 'forbidden', 'Only signed-in admins change users, up to their own role.');
    end if;
    return v_user;
end;
$$;
comment on function private.lock_user is
    'Locks a user that the caller may change. '
    'Raises 403 forbidden, 404 user_not_found.';
grant execute on function private.lock_user to authenticated;

create function public.update_user(
    p_user_id uuid,
    p_role public.user_role default null,
    p_company_id uuid default null,
    p_full_name text default null
) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_user public.users := private.lock_user(p_user_id);
    v_role public.user_role := coalesce(p_role, v_user.role);
    v_company_id uuid := coalesce(p_company_id, case when v_role <> 'org_admin' then v_user.company_id end);
begin
    if p_company_id is not null and not exists (select from public.companies c where c.id = p_company_id) then
        perform private.raise_error(404, 'company_not_found', 'No such company.');
    end if;
    if v_role > v_caller.role then
        perform private.raise_error(403, 'forbidden', 'Nobody grants a role above their own.');
    end if;
    if (v_role = 'org_admin') <> (v_company_id is null) then
        perform private.raise_error(422, 'invalid_request',
            'A user of role org_admin has no company; one of role company_admin or member needs a company_id.');
    end if;
    -- Returned by the update: a caller that demotes itself may not see the row afterwards.
    update public.users
    set role = v_role, company_id = v_company_id, full_name = coalesce(btrim(p_full_name), full_name)
    where id = p_user_id
    returning * into v_user;
    return to_jsonb(v_user);
end;
$$;
comment on function public.update_user is
    'Changes role, company or name of a user. Null leaves a value as it is, but an org_admin has no company. Admins '
    'with a session: an org_admin changes all users of the org, a company_admin those of its company up to its own '
    'role. '
    'Raises 403 forbidden, 404 user_not_found, company_not_found, 409 last_org_admin, 422 invalid_request. Safe to '
    'repeat.';
grant execute on function public.update_user to authenticated;

create function public.deactivate_user(p_user_id uuid) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_user public.users := private.lock_user(p_user_id);
begin
    if v_user.deactivated_at is null then
        update public.users set deactivated_at = now() where id = p_user_id returning * into v_user;
    end if;
    return to_jsonb(v_user);
end;
$$;
comment on function public.deactivate_user is
    'Refuses a user and all its API tokens from the next request on. Callers: as for update_user. '
    'Raises 403 forbidden, 404 user_not_found, 409 last_org_admin. Repeating it changes nothing.';
grant execute on function public.deactivate_user to authenticated;

create function public.reactivate_user(p_user_id uuid) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_user public.users := private.lock_user(p_user_id);
begin
    if v_user.deactivated_at is not null then
        update public.users set deactivated_at = null where id = p_user_id returning * into v_user;
    end if;
    return to_jsonb(v_user);
end;
$$;
comment on function public.reactivate_user is
    'Lets a deactivated user and its API tokens in again. Callers: as for update_user. '
    'Raises 403 forbidden, 404 user_not_found, 409 invalid_transition (the person has left). Repeating it changes '
    'nothing.';
grant execute on function public.reactivate_user to authenticated;
