-- The request that a statement is part of, as PostgREST tells it in request.headers: its id, and the trace that it belongs to.
--
-- Both are text that a client may have sent, so nothing but their exact form is taken. In SQL by hand there is no request.

create function private.request_header(p_name text) returns text
language sql stable set search_path = '' as $$
    select nullif(current_setting('request.headers', true), '')::json ->> p_name;
$$;
comment on function private.request_header is 'A header of the request as it was sent, its name in lower case; null without it.';
grant execute on function private.request_header to authenticated;

create function private.request_id() returns text
language sql stable set search_path = '' as $$
    select h.value
    from private.request_header('x-request-id') h (value)
    where h.value ~ '^[A-Za-z0-9._-]+$' and length(h.value) between 8 and 64;
$$;
comment on function private.request_id is 'X-Request-Id of the request, null when it has none that could be one. Whoever calls the Data API directly chooses it.';
grant execute on function private.request_id to authenticated;

create type private.trace as (
    id text,
    is_sampled boolean
);
comment on type private.trace is 'A trace in the sense of W3C Trace Context: 32 hexadecimal digits, and whether its callers record it.';

create function private.request_trace() returns private.trace
language sql volatile set search_path = '' as $$
    -- A later version may have more fields at its end; ff is none. Neither a trace nor its parent is all zeros.
    -- https://www.w3.org/TR/trace-context/#traceparent-header
    select coalesce(
        (
            select row(parts[2], get_bit(decode(parts[4], 'hex'), 0) = 1)::private.trace
            from private.request_header('traceparent') h (value)
            cross join lateral regexp_match(h.value, '^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$') parts
            where length(h.value) <= 512 and parts[1] <> 'ff' and (parts[1] <> '00' or parts[5] is null)
                and parts[2] !~ '^0+$' and parts[3] !~ '^0+$'
        ),
        row(replace(gen_random_uuid()::text, '-', ''), true)::private.trace
    );
$$;
comment on function private.request_trace is
    'The trace that traceparent names; a new one when it is missing or not of the form that W3C Trace Context gives it.';
grant execute on function private.request_trace to authenticated;
