-- Step options: what blueprint_steps.retry and the configs of all steps may contain.

create function private.is_backoff(p_backoff jsonb) returns boolean
language sql immutable set search_path = '' as $$
    select case
        when jsonb_typeof(p_backoff) <> 'object' then false
        when p_backoff - '{initial_seconds,max_seconds,factor}'::text[] <> '{}' then false
        when exists (select from jsonb_each(p_backoff) e where jsonb_typeof(e.value) <> 'number') then false
        else coalesce((p_backoff ->> 'initial_seconds')::numeric, 1) between 0.1 and 3600
            and coalesce((p_backoff ->> 'max_seconds')::numeric, 60) between 0.1 and 3600
            and coalesce((p_backoff ->> 'factor')::numeric, 2) between 1 and 10
    end;
$$;
comment on function private.is_backoff is
    'Whether this is {"initial_seconds"?, "max_seconds"?, "factor"?}: seconds from 0.1 to 3600, the factor from 1 to '
    '10.';

create function private.is_list_of_codes(p_codes jsonb) returns boolean
language sql immutable set search_path = '' as $$
    select case
        when jsonb_typeof(p_codes) <> 'array' then false
        else jsonb_array_length(p_codes) between 1 and 20 and not exists (
            select from jsonb_array_elements(p_codes) c
            where jsonb_typeof(c) <> 'string' or c #>> '{}' !~ '^[a-z][a-z0-9_]{0,62}$'
        )
    end;
$$;
comment on function private.is_list_of_codes is 'Whether this is a list of 1 to 20 error codes.';

create function private.is_retry(p_retry jsonb) returns boolean
language sql immutable set search_path = '' as $$
    select case
        when jsonb_typeof(p_retry) <> 'object' or p_retry - '{max_attempts,backoff,on}'::text[] <> '{}' then false
        when jsonb_typeof(p_retry -> 'max_attempts') is distinct from 'number' then false
        when (p_retry ->> 'max_attempts')::numeric not in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10) then false
        else private.is_backoff(coalesce(nullif(p_retry -> 'backoff', 'null'), '{}'))
            and private.is_list_of_codes(coalesce(nullif(p_retry -> 'on', 'null'), '["any"]'))
    end;
$$;
comment on function private.is_retry is
    'Whether this is {"max_attempts": 1..10, "backoff"?, "on"?}, as blueprint_steps.retry holds it.';
grant execute on function private.is_retry, private.is_backoff, private.is_list_of_codes
to authenticated;

create function private.may_be_delivered_to(p_config jsonb) returns boolean
language sql immutable set search_path = '' as $$
    select coalesce(p_config ->> 'url', 'https://') ~* '^https?://'
        -- A password would stand in the audit log and in every snapshot.
        and coalesce(p_config ->> 'url', '') !~ '^[^/?#]*//[^/?#]*@'
        and coalesce(p_config ->> 'url', '') !~ '[[:cntrl:][:space:]\\]'
        -- The end of a line would begin another header.
        and not jsonb_path_exists(p_config, 'lax $.headers.* ? (@ like_regex "[\\u0000-\\u001f\\u007f]")')
        and not exists (
            select
            from jsonb_object_keys(
                case jsonb_typeof(p_config -> 'headers') when 'object' then p_config -> 'headers' else '{}' end
            ) h
            where h !~ '^[A-Za-z0-9!#$%&''*+.^_`|~-]{1,100}$'
        );
$$;
comment on function private.may_be_delivered_to is
    'Whether url, if a config has one, is http(s) without a user name, and its headers are one line each. The schema of '
    'the step says the rest, which the API checks and the worker again.';
grant execute on function private.may_be_delivered_to to authenticated;
