-- Orgs: the tenants. Operators create and disable them; clients only read their own.

create table public.orgs (
    id uuid primary key default gen_random_uuid(),
    name text not null check (length(btrim(name)) between 1 and 200),
    slug text not null unique check (slug ~ '^[a-z0-9](-?[a-z0-9])*$' and length(slug) <= 63),
    disabled_at timestamptz,
    max_runs_in_flight int not null default 10 check (max_runs_in_flight between 1 and 100),
    created_at timestamptz not null default now()
);
comment on table public.orgs is 'A tenant. Everything else belongs to exactly one org.';
comment on column public.orgs.disabled_at is 'Set: every credential of the org is refused with org_disabled.';
comment on column public.orgs.max_runs_in_flight is
    'How many of its runs are in flight at most. The queue of run-pipeline passes 100 for one org.';

alter table public.orgs enable row level security;

create policy orgs_select_own on public.orgs for select to authenticated
using (id = (select private.caller_org_id()));

-- No insert, update or delete grant: operators make orgs.
grant select on public.orgs to authenticated;
