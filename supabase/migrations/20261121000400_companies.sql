-- Companies: customers or business units of an org. Company data hangs off (org_id, company_id).

create table public.companies (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null default private.caller_org_id() references public.orgs (id) on delete cascade,
    name text not null check (length(btrim(name)) >= 1 and length(name) <= 200),
    external_id text check (length(external_id) between 1 and 200),
    created_at timestamptz not null default now(),
    -- Target of the composite keys that make a link across orgs impossible.
    unique (org_id, id),
    unique (org_id, external_id)
);
comment on table public.companies is 'A customer or business unit of an org.';
comment on column public.companies.external_id is 'Id of the company in the org''s own systems; unique in the org.';

create index companies_org_id_created_at_idx on public.companies (org_id, created_at desc, id desc);

alter table public.companies enable row level security;

create policy companies_select_visible on public.companies for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or id = (select private.caller_company_id()))
);

create policy companies_insert_org_admin on public.companies for insert to authenticated
with check (org_id = (select private.caller_org_id()) and (select private.caller_is_org_wide()));

-- No update or delete grant: renaming and removing companies is not offered yet.
grant select, insert (name, external_id) on public.companies to authenticated;

create function public.list_companies(p_limit int default 50, p_cursor text default null) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_limit int := private.check_limit(p_limit);
    v_before private.sort_key := private.decode_time_cursor(p_cursor);
begin
    return private.page(
        array(
            select jsonb_build_object('key', jsonb_build_array(c.created_at, c.id), 'item', to_jsonb(c))
            from public.companies c
            where (c.created_at, c.id) < (v_before.created_at, v_before.id)
            order by c.created_at desc, c.id desc
            limit v_limit + 1
        ),
        v_limit
    );
end;
$$;
comment on function public.list_companies is
    'Companies that the caller can see, newest first. Any caller. '
    'Raises 422 invalid_request, invalid_cursor.';
grant execute on function public.list_companies to authenticated;

create function public.get_company(p_company_id uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_company public.companies;
begin
    select c.* into v_company from public.companies c where c.id = p_company_id;
    if not found then
        perform private.raise_error(404, 'company_not_found', 'No such company.');
    end if;
    return to_jsonb(v_company);
end;
$$;
comment on function public.get_company is 'One company. Any caller who can see it. Raises 404 company_not_found.';
grant execute on function public.get_company to authenticated;

create function public.create_company(
    p_name text,
    p_external_id text default null,
    p_idempotency_key text default null,
    p_request_hash text default null
) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_org_wide('Only an org_admin creates companies.');
    v_result jsonb := private.recall_result('create_company', p_idempotency_key, p_request_hash);
    v_company public.companies;
begin
    if v_result is not null then
        return v_result;
    end if;
    insert into public.companies (name, external_id)
    values (btrim(p_name), p_external_id)
    on conflict (org_id, external_id) do nothing
    returning * into v_company;
    if not found then
        perform private.raise_error(409, 'conflict',
            'Another company of the org has this external_id. Use that one, or send another external_id.',
            jsonb_build_object('field', 'external_id'));
    end if;
    return private.remember_result('create_company', p_idempotency_key, to_jsonb(v_company));
end;
$$;
comment on function public.create_company is
    'Creates a company in the caller''s org. org_admin. '
    'Raises 403 forbidden, 409 conflict (external_id is taken), 409 idempotency_key_reused. Safe to repeat with an '
    'idempotency key.';
grant execute on function public.create_company to authenticated;
