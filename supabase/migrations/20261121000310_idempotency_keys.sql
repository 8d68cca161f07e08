-- Idempotency keys: a repeated creating call returns its first result.

create table private.idempotency_keys (
    org_id uuid not null references public.orgs (id) on delete cascade,
    -- The credential: an API token, or the user of a session. Another one may reach less.
    holder_id uuid not null,
    operation text not null,
    key text not null check (length(key) between 1 and 255),
    request_hash text check (length(request_hash) <= 200),
    result jsonb,
    created_at timestamptz not null default now(),
    primary key (org_id, holder_id, operation, key)
);
comment on table private.idempotency_keys is
    'What a creating call with an Idempotency-Key returned, kept for 24 hours. Reached only through recall_result and '
    'remember_result.';

create index idempotency_keys_created_at_idx on private.idempotency_keys (created_at);

alter table private.idempotency_keys enable row level security;

-- Definer: no role may read or write keys; the function keeps to those of the caller's credential.
create function private.recall_result(p_operation text, p_key text, p_request_hash text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_holder_id uuid := coalesce(v_caller.api_token_id, v_caller.user_id);
    v_known private.idempotency_keys;
begin
    if p_key is null then
        return null;
    end if;
    -- A concurrent call with the same key waits here until the first one has committed or failed.
    insert into private.idempotency_keys (org_id, holder_id, operation, key, request_hash)
    values (v_caller.org_id, v_holder_id, p_operation, p_key, p_request_hash)
    on conflict do nothing;
    if found then
        return null;
    end if;

    select k.* into v_known
    from private.idempotency_keys k
    where k.org_id = v_caller.org_id and k.holder_id = v_holder_id
        and k.operation = p_operation and k.key = p_key;
    if v_known.request_hash is distinct from p_request_hash then
        perform private.raise_error(409, 'idempotency_key_reused',
            'This Idempotency-Key was used with another body. Send a new key.');
    end if;
    return v_known.result;
end;
$$;
comment on function private.recall_result is
    'The result of the first call with this key and credential; null for the first call, or without a key. '
    'Raises 409 idempotency_key_reused.';
grant execute on function private.recall_result to authenticated;

-- Definer: no role may read or write keys; the function keeps to those of the caller's credential.
create function private.remember_result(p_operation text, p_key text, p_result jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_holder_id uuid := coalesce(v_caller.api_token_id, v_caller.user_id);
begin
    update private.idempotency_keys
    set result = p_result
    where org_id = v_caller.org_id and holder_id = v_holder_id
        and operation = p_operation and key = p_key and result is null;
    return p_result;
end;
$$;
comment on function private.remember_result is
    'Keeps the result for the key that recall_result took, and returns it. Repeating it changes nothing.';
grant execute on function private.remember_result to authenticated;
