-- How chunks are stored. They are written once, read a few times and hold up to 8 MB of JSON.
--
-- pglz, which Postgres compresses with unless told otherwise, takes longer than all else that a write does together: 50 ms for a
-- chunk of 1 MB. lz4 takes a few. A server that was built without it (that of the local stack) stores them as they are.
do $$
declare
    v_has_lz4 constant boolean := exists (
        select from pg_catalog.pg_settings s where s.name = 'default_toast_compression' and 'lz4' = any (s.enumvals)
    );
    v_table text;
begin
    foreach v_table in array '{submission_chunks,step_result_chunks}'::text[] loop
        execute format('alter table public.%I alter column records set %s', v_table,
            case when v_has_lz4 then 'compression lz4' else 'storage external' end);
    end loop;
end;
$$;
