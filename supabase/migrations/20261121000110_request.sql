-- The request behind a statement, as PostgREST passes it in request.headers: its id and its trace.
--
-- A client may have sent both, so only their exact form is accepted. SQL run by hand has no request.

create function private.request_header(p_name text) returns text
language sql stable set search_path = '' as $$
    select nullif(current_setting('request.headers', true), '')::json ->> p_name;
$$;
comment on function private.request_header is 'A header of the request, named in lower case; null if it was not sent.';
grant execute on function private.request_header to authenticated;

create function private.request_id() returns text
language sql stable set search_path = '' as $$
    select h.value
    from private.request_header('x-request-id') h (value)
    where h.value ~ '^[A-Za-z0-9._-]+$' and length(h.value) between 8 and 64;
$$;
comment on function private.request_id is
    'X-Request-Id of the request; null if missing or malformed. A client of the Data API chooses it freely.';
grant execute on function private.request_id to authenticated;

create type private.trace as (
    id text,
    is_sampled boolean
);
comment on type private.trace is 'A W3C trace: its id of 32 hexadecimal digits, and whether the caller records it.';

create function private.request_trace() returns private.trace
language sql volatile set search_path = '' as $$
    -- Later versions may append fields; ff is no version. Neither trace nor parent may be all zeros.
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
    'The trace of the traceparent header; a new one if the header is missing or malformed.';
grant execute on function private.request_trace to authenticated;
