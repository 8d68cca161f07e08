-- Ground rules: the schemas, and default privileges that grant nothing.
--
-- Every later migration grants by name what it opens. Schema `private` holds what policies, triggers and RPCs share;
-- the Data API does not expose it.

create schema private;
create schema worker;

alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;

-- Policies and RPCs run as the calling role, so that role must reach the functions of `private`.
grant usage on schema private to authenticated;
grant usage on schema worker to service_role;

comment on schema private is 'Accessors, guards and shared functions. Not exposed through the Data API.';
comment on schema worker is
    'All that the Trigger.dev tasks may do. Exposed through the Data API, for service_role only.';

create function private.raise_error(p_status int, p_code text, p_message text, p_details jsonb default null)
returns void
language plpgsql immutable set search_path = '' as $$
begin
    if p_details is null then
        raise exception using errcode = 'PT' || p_status, message = p_message, hint = p_code;
    end if;
    raise exception using
        errcode = 'PT' || p_status, message = p_message, hint = p_code, detail = p_details::text;
end;
$$;
comment on function private.raise_error is
    'Raises PTnnn, which PostgREST turns into HTTP status nnn, with the stable code in hint. Never returns.';
grant execute on function private.raise_error to authenticated;

create function private.refuse_change() returns trigger
language plpgsql set search_path = '' as $$
begin
    perform private.raise_error(409, 'immutable', format('Rows of %s are history and cannot be changed.', tg_table_name));
    return null;
end;
$$;
comment on function private.refuse_change is 'Trigger: refuses the change, for every writer. Raises 409 immutable.';

create function private.touch_updated_at() returns trigger
language plpgsql set search_path = '' as $$
begin
    new.updated_at := now();
    return new;
end;
$$;
comment on function private.touch_updated_at is 'Trigger: sets updated_at.';

create function private.lower_ascii(p_text text) returns text
language sql immutable set search_path = '' as $$
    select translate(p_text, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');
$$;
comment on function private.lower_ascii is
    'The text with A to Z in lower case and all else as it is. Unlike lower(), it makes no ASCII letter of another one: '
    'the Kelvin sign is no k. For e-mail addresses.';
grant execute on function private.lower_ascii to authenticated;
