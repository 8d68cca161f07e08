-- Users mirror Supabase Auth identities. An identity without a row here is nobody.

create table public.users (
    -- Restrict: history names its users. Deactivate instead of deleting.
    id uuid primary key references auth.users (id) on delete restrict,
    org_id uuid not null references public.orgs (id) on delete cascade,
    company_id uuid,
    email text not null check (length(email) <= 320),
    full_name text check (length(full_name) <= 200),
    role public.user_role not null,
    deactivated_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (org_id, id),
    foreign key (org_id, company_id) references public.companies (org_id, id) on delete restrict,
    check ((role = 'org_admin') = (company_id is null))
);
comment on table public.users is 'A person of one org: the mirror of an auth.users row, with its role.';
comment on column public.users.company_id is 'Set for company_admin and member, who act for one company; null for org_admin, who acts for all.';
comment on column public.users.deactivated_at is 'Set: the user, and every API token that the user created, is refused.';

create index users_org_id_company_id_idx on public.users (org_id, company_id);

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

-- No insert, update or delete grant: users are registered by operators.
grant select on public.users to authenticated;

create trigger users_touch_updated_at before update on public.users
for each row execute function private.touch_updated_at();
