-- Keyset pagination: the one form of every list.
--
-- A cursor is the sort key of the last item shown, as a JSON array in URL-safe base64. It grants nothing: row-level
-- security still filters the rows. A list compares its sort key with one bound: the cursor, or a value beyond all rows.
-- With `or p_cursor is null` instead, a generic plan could not enter the index where the page begins.

create function private.check_limit(p_limit int, p_most int default 200) returns int
language plpgsql immutable set search_path = '' as $$
begin
    if p_limit is null or p_limit < 1 or p_limit > p_most then
        perform private.raise_error(422, 'invalid_request', format('limit must be between 1 and %s.', p_most));
    end if;
    return p_limit;
end;
$$;
comment on function private.check_limit is 'The limit, if it is within bounds. Raises 422 invalid_request.';
grant execute on function private.check_limit to authenticated;

create function private.decode_cursor(p_cursor text, variadic p_types text[]) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_key jsonb;
begin
    if p_cursor is null then
        return null;
    end if;
    begin
        if length(p_cursor) > 2000 then
            raise exception 'No list makes such a long cursor.';
        end if;
        v_key := convert_from(decode(translate(p_cursor, '-_', '+/'), 'base64'), 'utf8')::jsonb;
    exception when others then
        v_key := null;
    end;
    if jsonb_typeof(v_key) is distinct from 'array' or jsonb_array_length(v_key) <> cardinality(p_types)
        or exists (
            select from unnest(p_types) with ordinality t (name, ordinal)
            where pg_input_is_valid(v_key ->> (t.ordinal - 1)::int, t.name) is not true
        ) then
        perform private.raise_error(422, 'invalid_cursor', 'This cursor was not made by this list. Start again without one.');
    end if;
    return v_key;
end;
$$;
comment on function private.decode_cursor is
    'The sort key in a cursor, its parts castable to the given types; null without a cursor. '
    'Raises 422 invalid_cursor.';
grant execute on function private.decode_cursor to authenticated;

create type private.sort_key as (
    created_at timestamptz,
    id uuid
);
comment on type private.sort_key is 'Sort key of the lists that show the newest first.';

create function private.decode_time_cursor(p_cursor text) returns private.sort_key
language plpgsql stable set search_path = '' as $$
declare
    v_key jsonb := private.decode_cursor(p_cursor, 'timestamptz', 'uuid');
begin
    return row(
        coalesce((v_key ->> 0)::timestamptz, 'infinity'),
        coalesce((v_key ->> 1)::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    )::private.sort_key;
end;
$$;
comment on function private.decode_time_cursor is
    'The bound of a list that shows the newest first: the cursor, or a value beyond all rows. '
    'Raises 422 invalid_cursor.';
grant execute on function private.decode_time_cursor to authenticated;

create function private.encode_cursor(p_key jsonb) returns text
language plpgsql immutable set search_path = '' as $$
begin
    return translate(encode(convert_to(p_key::text, 'utf8'), 'base64'), E'+/\n', '-_');
end;
$$;
comment on function private.encode_cursor is 'The cursor for a sort key (a JSON array).';
grant execute on function private.encode_cursor to authenticated;

create function private.page(p_entries jsonb[], p_limit int, p_is_cut boolean default false) returns jsonb
language sql immutable set search_path = '' as $$
    select jsonb_build_object(
        'items', (
            select coalesce(jsonb_agg(e.entry -> 'item' order by e.ordinality), '[]')
            from unnest(p_entries[:p_limit]) with ordinality e (entry, ordinality)
        ),
        'next_cursor', case when cardinality(p_entries) > p_limit or p_is_cut then
            private.encode_cursor(p_entries[least(p_limit, cardinality(p_entries))] -> 'key')
        end
    );
$$;
comment on function private.page is
    '{items, next_cursor} from up to limit + 1 entries {key, item}. There is a next page if there is an entry too '
    'many, or if reading was cut short.';
grant execute on function private.page to authenticated;
