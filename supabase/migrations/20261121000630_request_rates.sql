-- Request rates: each credential and each org has a bucket of requests, which fills at a steady rate.
--
-- The API takes requests from the buckets in batches, so that its workers share one limit and most requests cost no
-- statement.

-- Unlogged: after a crash of the server all buckets are full, which harms nobody.
create unlogged table private.request_buckets (
    org_id uuid not null references public.orgs (id) on delete cascade,
    -- The API token, the user of a session, or the org itself. No two of them share an id.
    holder_id uuid primary key,
    requests double precision not null,
    filled_at timestamptz not null default clock_timestamp()
)
with (fillfactor = 50);
comment on table private.request_buckets is
    'How many requests a credential or an org had left at filled_at. A full bucket holds five seconds of its rate.';

create index request_buckets_org_id_idx on private.request_buckets (org_id);

alter table private.request_buckets enable row level security;

create function private.fill_request_bucket(p_org_id uuid, p_holder_id uuid, p_rate bigint) returns double precision
language sql volatile set search_path = '' as $$
    insert into private.request_buckets as b (org_id, holder_id, requests)
    values (p_org_id, p_holder_id, p_rate * 5)
    on conflict (holder_id) do update set
        requests = least(
            p_rate * 5,
            b.requests + p_rate * greatest(extract(epoch from clock_timestamp() - b.filled_at)::double precision, 0)
        ),
        filled_at = clock_timestamp()
    returning b.requests;
$$;
comment on function private.fill_request_bucket is
    'Locks a bucket until the transaction ends, adds what has come in since it was last filled, and returns what it '
    'holds.';

-- Definer: no role may write the buckets; the function keeps to those of the caller.
create function public.take_request_tokens(p_count int) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
    v_caller private.caller := private.require_caller();
    v_holder_id uuid := coalesce(v_caller.api_token_id, v_caller.user_id);
    v_own_rate bigint := private.limit_of(v_caller.org_id, 'requests_per_second_of_a_credential');
    v_org_rate bigint := private.limit_of(v_caller.org_id, 'requests_per_second');
    v_own double precision;
    v_of_org double precision;
    v_granted int;
begin
    if p_count is null or p_count not between 1 and 1000 then
        perform private.raise_error(422, 'invalid_request', 'p_count must be between 1 and 1000.');
    end if;
    -- The org's bucket last: all of its callers wait for that lock.
    v_own := private.fill_request_bucket(v_caller.org_id, v_holder_id, v_own_rate);
    v_of_org := private.fill_request_bucket(v_caller.org_id, v_caller.org_id, v_org_rate);
    v_granted := least(p_count, floor(least(v_own, v_of_org)));
    update private.request_buckets
    set requests = requests - v_granted
    where holder_id in (v_holder_id, v_caller.org_id);
    return jsonb_build_object(
        'granted', v_granted,
        'limit_per_second', least(v_own_rate, v_org_rate),
        'remaining', floor(least(v_own, v_of_org) - v_granted),
        'retry_after_seconds', case
            when v_granted > 0 then 0
            else round(greatest((1 - v_own) / v_own_rate, (1 - v_of_org) / v_org_rate)::numeric, 3)
        end
    );
end;
$$;
comment on function public.take_request_tokens is
    'Takes up to p_count requests from the buckets of the caller''s credential and org: {granted, limit_per_second, '
    'remaining, retry_after_seconds}. granted is what the caller may send now, 0 if a bucket is empty; then the next '
    'request is possible after retry_after_seconds. Any caller. '
    'Raises 422 invalid_request, and what require_caller raises. Each call takes more.';
grant execute on function public.take_request_tokens to authenticated;
