-- Records: the shape of what submissions and steps write, and the numbers that a record may hold.

create function private.check_records(p_records jsonb) returns void
language plpgsql immutable set search_path = '' as $$
begin
    if jsonb_typeof(p_records) is distinct from 'array' then
        perform private.raise_error(422, 'invalid_records', 'Records must be an array of {"id", "data"}.');
    end if;
    if exists (
        select from jsonb_array_elements(p_records) r
        where jsonb_typeof(r) <> 'object'
            or jsonb_typeof(r -> 'id') is distinct from 'string'
            or r ->> 'id' !~ '^[1-9][0-9]{0,8}(\.[1-9][0-9]{0,8}){0,8}$'
            or jsonb_typeof(r -> 'data') is distinct from 'object'
            or r - '{id,data}'::text[] <> '{}'
    ) then
        perform private.raise_error(422, 'invalid_records', 'Each record must be {"id": row number as text, "data": object}.');
    end if;
end;
$$;
comment on function private.check_records is 'Checks the shape of a chunk''s records. Raises 422 invalid_records.';
grant execute on function private.check_records to authenticated;

-- The setting decides how a double is written, and so whether it equals the number.
create function private.is_double(p_number numeric) returns boolean
language sql immutable set search_path = ''
set extra_float_digits = 1
as $$
    select case
        when abs(p_number) <= 9007199254740991 then p_number = 0 or abs(p_number) > 2.4703282292062327e-324
        when abs(p_number) > 1.7976931348623157e308 then false
        -- Near the limit of a double's precision, JavaScript writes one digit less than Postgres.
        else (
            select p_number = d.number
                or length(rtrim(replace(abs(p_number)::text, '.', ''), '0')) < length(rtrim(abs(d.number)::text, '0'))
            from (select p_number::float8::text::numeric as number) d
        )
    end;
$$;
comment on function private.is_double is
    'Whether a program that uses doubles writes the number as it read it. Excess digits after the point are fine; '
    'beyond 2^53 no digit may be lost.';
grant execute on function private.is_double to authenticated;

create function private.check_numbers(p_records jsonb, p_text text) returns void
language plpgsql immutable set search_path = '' as $$
declare
    v_found record;
begin
    -- Nearly all chunks pass this cheap test.
    if not jsonb_path_exists(p_records, 'strict $.** ? (@ > 9007199254740991 || @ < -9007199254740991)')
        and strpos(p_text, '0.' || repeat('0', 300)) = 0
    then
        return;
    end if;
    select (r.value ->> 'id')::int as row, left(f.key, 100) as field into v_found
    from jsonb_array_elements(p_records) with ordinality r, jsonb_each(r.value -> 'data') f
    where exists (
        -- One array: a set-returning query takes time for each pair of its results.
        select from jsonb_array_elements(jsonb_path_query_array(f.value, 'strict $.** ? (@.type() == "number")')) n
        where not private.is_double(n::numeric)
    )
    order by r.ordinality, f.key
    limit 1;
    if found then
        perform private.raise_error(422, 'invalid_records',
            format('Record %s has a number in %s that would lose digits or is out of range; send it as text.',
                v_found.row, to_json(v_found.field)),
            jsonb_build_object('row', v_found.row, 'field', v_found.field));
    end if;
end;
$$;
comment on function private.check_numbers is
    'Refuses records with a number that the worker, which uses doubles, would change silently. p_text: the same '
    'records as text. '
    'Raises 422 invalid_records.';
grant execute on function private.check_numbers to authenticated;

create function private.check_verdicts(p_verdicts jsonb) returns void
language plpgsql immutable set search_path = '' as $$
begin
    if jsonb_typeof(p_verdicts) is distinct from 'array' then
        perform private.raise_error(422, 'invalid_records',
            'Verdicts must be an array of {"id", "reason", "message", "details"}.');
    end if;
    if exists (
        select from jsonb_array_elements(p_verdicts) v
        where jsonb_typeof(v) <> 'object'
            or jsonb_typeof(v -> 'id') is distinct from 'string'
            or length(v ->> 'id') not between 1 and 100
            or jsonb_typeof(v -> 'reason') is distinct from 'string'
            or v ->> 'reason' !~ '^[a-z][a-z0-9_]{0,62}$'
            or jsonb_typeof(v -> 'message') is distinct from 'string'
            or coalesce(jsonb_typeof(v -> 'details'), 'null') not in ('object', 'null')
    ) then
        perform private.raise_error(422, 'invalid_records',
            'Each verdict must be {"id": text, "reason": snake_case code, "message": text, "details": object}.');
    end if;
end;
$$;
comment on function private.check_verdicts is
    'Checks the shape of rejected or dropped records. '
    'Raises 422 invalid_records.';
grant execute on function private.check_verdicts to authenticated;
