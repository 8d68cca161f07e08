-- How chunks are stored: written once, read a few times, up to 8 MB of JSON each.
--
-- By default Postgres compresses with pglz, which takes longer than the rest of a write: 50 ms for a chunk of 1 MB. lz4
-- takes a few ms. A server that is built without lz4, such as the local stack's, stores chunks uncompressed.
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
