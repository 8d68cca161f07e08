-- Secrets: values that a step's config refers to by name, such as the signing secret of a webhook. An org_admin writes
-- a secret; only a step that names it reads it (worker.read_secret).

create table public.secrets (
    org_id uuid not null default private.caller_org_id() references public.orgs (id) on delete cascade,
    name text not null check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    value text not null check (length(value) between 1 and 8192),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, name)
);
comment on table public.secrets is 'Named values of an org for its steps. No client can read a value back.';

alter table public.secrets enable row level security;

create policy secrets_select_org_admin on public.secrets for select to authenticated
using (org_id = (select private.caller_org_id()) and (select private.caller_is_org_wide()));
create policy secrets_insert_org_admin on public.secrets for insert to authenticated
with check (org_id = (select private.caller_org_id()) and (select private.caller_is_org_wide()));
create policy secrets_update_org_admin on public.secrets for update to authenticated
using (org_id = (select private.caller_org_id()) and (select private.caller_is_org_wide()))
with check (org_id = (select private.caller_org_id()) and (select private.caller_is_org_wide()));
create policy secrets_delete_org_admin on public.secrets for delete to authenticated
using (org_id = (select private.caller_org_id()) and (select private.caller_is_org_wide()));

-- No select on value.
grant select (org_id, name, created_at, updated_at), insert (name, value), update (value), delete
on public.secrets to authenticated;

create trigger secrets_touch_updated_at before update on public.secrets
for each row execute function private.touch_updated_at();

create function public.set_secret(p_name text, p_value text) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_org_wide('Only an org_admin sets secrets.');
begin
    insert into public.secrets (name, value)
    values (p_name, p_value)
    on conflict (org_id, name) do update set value = p_value;
    return (
        select jsonb_build_object('name', s.name, 'created_at', s.created_at, 'updated_at', s.updated_at)
        from public.secrets s
        where s.org_id = v_caller.org_id and s.name = p_name
    );
end;
$$;
comment on function public.set_secret is
    'Sets or replaces a secret. org_admin. '
    'Raises 403 forbidden, 422 for a malformed name. Safe to repeat.';
grant execute on function public.set_secret to authenticated;

create function public.list_secrets(p_limit int default 50, p_cursor text default null) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_caller private.caller := private.require_org_wide('Only an org_admin lists secrets.');
    v_limit int := private.check_limit(p_limit);
    v_after text := coalesce(private.decode_cursor(p_cursor, 'text') ->> 0, '');
begin
    return private.page(
        array(
            select jsonb_build_object(
                'key', jsonb_build_array(s.name),
                'item', jsonb_build_object('name', s.name, 'created_at', s.created_at, 'updated_at', s.updated_at)
            )
            from public.secrets s
            where s.name > v_after
            order by s.name
            limit v_limit + 1
        ),
        v_limit
    );
end;
$$;
comment on function public.list_secrets is
    'Names of the org''s secrets, never their values. org_admin. '
    'Raises 403 forbidden, 422 invalid_request, invalid_cursor.';
grant execute on function public.list_secrets to authenticated;

create function public.delete_secret(p_name text) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
    v_caller private.caller := private.require_org_wide('Only an org_admin deletes secrets.');
begin
    delete from public.secrets where org_id = v_caller.org_id and name = p_name;
    if not found then
        perform private.raise_error(404, 'secret_not_found', 'No such secret.');
    end if;
    return jsonb_build_object('name', p_name);
end;
$$;
comment on function public.delete_secret is
    'Deletes a secret; runs that still name it fail. org_admin. '
    'Raises 403 forbidden, 404 secret_not_found.';
grant execute on function public.delete_secret to authenticated;
