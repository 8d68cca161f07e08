-- Bounds on JSON: what a client sends is measured before anything prints it, casts it or reads it as numbers.
--
-- jsonb holds 1e131000 in twelve bytes and prints it in 131,000 digits, and so it holds 0e-16383. A body of kilobytes
-- would become gigabytes of text.

create type private.number_digits as (largest numeric, digits bigint);
comment on type private.number_digits is 'The largest number of some JSON, and roughly the digits that its long numbers print.';

create function private.digits_of(p_json jsonb) returns private.number_digits
language sql immutable set search_path = '' as $$
    -- No arithmetic in the path, and one array: both would keep memory for each number, or time for each pair of them.
    select max(abs(n.value::numeric)),
        coalesce(sum(case when abs(n.value::numeric) > 1 then 309 else scale(n.value::numeric) end), 0)
    from jsonb_array_elements(
        jsonb_path_query_array(p_json, 'strict $.** ? (@ > 1e40 || @ < -1e40 || (@ < 1e-40 && @ > -1e-40))')
    ) n;
$$;
comment on function private.digits_of is
    'The largest absolute number, and the digits of those that are written with more than forty. Prints nothing.';
grant execute on function private.digits_of to authenticated;

create function private.json_fault(p_json jsonb, p_max_bytes int) returns text
language plpgsql immutable set search_path = '' as $$
declare
    v_whole constant int := 4194304;
    v_size int := pg_column_size(p_json);
    v_parts jsonb;
    v_numbers private.number_digits;
begin
    -- No JSON needs more than four times the bytes of its text.
    if v_size > 4 * p_max_bytes::bigint + 64 then
        return 'size';
    end if;
    if v_size > 800 and jsonb_path_exists(p_json, 'strict $.**{101}') then
        return 'depth';
    end if;
    if v_size <= v_whole then
        v_numbers := private.digits_of(p_json);
    else
        -- Part by part, so that the memory of each is freed.
        v_parts := case jsonb_typeof(p_json) when 'object' then jsonb_path_query_array(p_json, 'strict $.*') else p_json end;
        if jsonb_typeof(v_parts) <> 'array' or jsonb_array_length(v_parts) > 10000
            or (select max(pg_column_size(e.value)) from jsonb_array_elements(v_parts) e) > v_whole then
            return 'size';
        end if;
        select max(d.largest), sum(d.digits) into v_numbers
        from jsonb_array_elements(v_parts) e
        cross join lateral private.digits_of(e.value) d;
    end if;
    if v_numbers.largest > 1.7976931348623157e308 then
        return 'numbers';
    end if;
    return case when v_numbers.digits > 16777216 + p_max_bytes or octet_length(p_json::text) > p_max_bytes then 'size' end;
end;
$$;
comment on function private.json_fault is
    'Why JSON is not accepted: size (its text has more than p_max_bytes), depth (more than 100 levels), numbers (one is '
    'larger than any double); null if it is accepted or null. Prints it only when its text cannot be much longer.';
grant execute on function private.json_fault to authenticated;

create function private.is_bounded(p_json jsonb, p_max_bytes int) returns boolean
language plpgsql immutable set search_path = '' as $$ begin return private.json_fault(p_json, p_max_bytes) is null; end $$;
comment on function private.is_bounded is 'Whether private.json_fault finds nothing. For check constraints.';
grant execute on function private.is_bounded to authenticated;

create function private.check_json(
    p_json jsonb, p_max_bytes int, p_name text,
    p_code text default 'invalid_request', p_too_large text default 'payload_too_large'
) returns void
language plpgsql immutable set search_path = '' as $$
declare
    v_fault text := private.json_fault(p_json, p_max_bytes);
begin
    case
        when v_fault is null then
            return;
        when v_fault = 'size' then
            perform private.raise_error(413, p_too_large, format('%s may have at most %s bytes.', p_name, p_max_bytes));
        when v_fault = 'depth' then
            perform private.raise_error(422, p_code, format('%s may be nested in at most 100 levels.', p_name));
        else
            perform private.raise_error(422, p_code,
                format('%s has a number that is out of range (beyond 1.8e308). Send it as text.', p_name));
    end case;
end;
$$;
comment on function private.check_json is
    'The door for a jsonb argument: raises 413 p_too_large (payload_too_large) if its text is too long, and 422 p_code '
    '(invalid_request) if it is nested too deeply or has a number that no double holds.';
grant execute on function private.check_json to authenticated;
