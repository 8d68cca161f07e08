-- Keyset pagination: the one shape of every list.
--
-- A cursor is the sort key of the last item, as a JSON array in URL-safe base64. It grants nothing: the rows
-- behind it are still filtered by row-level security.

create function private.check_limit(p_limit int, p_most int default 200) returns int
language plpgsql immutable set search_path = '' as $$
begin
    if p_limit is null or p_limit < 1 or p_limit > p_most then
        perform private.raise_error(422, 'invalid_request', format('limit must be between 1 and %s.', p_most));
    end if;
    return p_limit;
end;
$$;
comment on function private.check_limit is 'The limit, or 422 invalid_request.';
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
comment on function private.decode_cursor is 'Sort key behind a cursor, null for none; its parts can be cast to the given types. Raises 422 invalid_cursor.';
grant execute on function private.decode_cursor to authenticated;

create function private.encode_cursor(p_key jsonb) returns text
language plpgsql immutable set search_path = '' as $$
begin
    return translate(encode(convert_to(p_key::text, 'utf8'), 'base64'), E'+/\n', '-_');
end;
$$;
comment on function private.encode_cursor is 'Cursor for a sort key (a JSON array).';
grant execute on function private.encode_cursor to authenticated;

create function private.page(p_items jsonb[], p_limit int, variadic p_sort_key text[]) returns jsonb
language plpgsql immutable set search_path = '' as $$
declare
    v_last_key jsonb;
begin
    if cardinality(p_items) > p_limit then
        select jsonb_agg(p_items[p_limit] -> k.name order by k.ordinal) into v_last_key
        from unnest(p_sort_key) with ordinality k (name, ordinal);
    end if;
    return jsonb_build_object(
        'items', to_jsonb(p_items[:p_limit]),
        'next_cursor', private.encode_cursor(v_last_key)
    );
end;
$$;
comment on function private.page is
    'List envelope from up to limit + 1 items: the extra one only tells that there is a next page. The sort key names fields of the items.';
grant execute on function private.page to authenticated;

create function private.page_of_entries(p_entries jsonb[], p_limit int, p_is_cut boolean) returns jsonb
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
comment on function private.page_of_entries is
    'List envelope from up to limit + 1 entries {"key", "item"}. It has a next page when there is one entry too many, or when reading was cut short.';
grant execute on function private.page_of_entries to authenticated;
