-- The ledger: for every record of an input chunk, the output chunk says where it went.
--
-- records_in + records_added = records_out + records_rejected + records_dropped, counted from the ids that were
-- written, not from what was claimed.

create function private.input_chunk(p_step_result_id uuid, p_chunk_index int) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
    v_records jsonb;
begin
    select coalesce(previous.records, submitted.records) into v_records
    from public.step_results sr
    join public.pipeline_runs r on r.id = sr.pipeline_run_id
    cross join lateral (
        select case
            when sr.started_at is null then private.input_step_result_id(sr)
            else sr.input_step_result_id
        end as step_result_id
    ) taken
    left join public.submission_chunks submitted
        on taken.step_result_id is null
            and submitted.submission_id = r.submission_id and submitted.chunk_index = p_chunk_index
    left join public.step_result_chunks previous
        on previous.step_result_id = taken.step_result_id and previous.chunk_index = p_chunk_index
    where sr.id = p_step_result_id
        and (sr.started_at is not null or not exists (
            select from public.step_results before
            where before.pipeline_run_id = sr.pipeline_run_id and before.position < sr.position
                and before.status in ('pending', 'running')
        ));
    if v_records is null then
        perform private.raise_error(404, 'chunk_not_found', 'This step has no such input chunk.');
    end if;
    return v_records;
end;
$$;
comment on function private.input_chunk is
    'Records of an input chunk of a step, once the steps before it have ended: the output of the nearest one that '
    'succeeded, or the submission''s chunk. '
    'Raises 404 chunk_not_found.';
grant execute on function private.input_chunk to authenticated;

create function private.fill_step_result_chunk() returns trigger
language plpgsql set search_path = '' as $$
declare
    v_input jsonb;
    v_status public.step_result_status;
    v_ledger record;
begin
    select sr.org_id, sr.company_id, sr.status into new.org_id, new.company_id, v_status
    from public.step_results sr where sr.id = new.step_result_id;
    if v_status <> 'running' then
        perform private.raise_error(409, 'invalid_transition', format('The step is %s and takes no chunks.', v_status));
    end if;
    v_input := private.input_chunk(new.step_result_id, new.chunk_index);
    perform private.check_records(new.records);

    with input as (
        select r ->> 'id' as id from jsonb_array_elements(v_input) r
    ),
    outcome as (
        select r ->> 'id' as id, 'out' as place from jsonb_array_elements(new.records) r
        union all
        select d ->> 'id', 'dropped' from jsonb_array_elements(new.dropped) d
        union all
        select j.record_id, 'rejected' from public.rejected_records j
        where j.step_result_id = new.step_result_id and j.chunk_index = new.chunk_index
    ),
    added as (
        select o.id from outcome o where o.id not in (select i.id from input i)
    )
    select
        (select count(*) from input) as records_in,
        (select count(*) from added) as records_added,
        (select count(*) from outcome where place = 'out') as records_out,
        (select count(*) from outcome where place = 'rejected') as records_rejected,
        (select count(*) from outcome where place = 'dropped') as records_dropped,
        array(select i.id from input i except select o.id from outcome o order by 1 limit 5) as missing,
        array(select o.id from outcome o group by o.id having count(*) > 1 order by 1 limit 5) as repeated,
        array(
            select a.id from added a
            where regexp_replace(a.id, '\.[0-9]+$', '') not in (select i.id from input i) order by 1 limit 5
        ) as strange
    into v_ledger;

    if v_ledger.missing <> '{}' or v_ledger.repeated <> '{}' or v_ledger.strange <> '{}' then
        perform private.raise_error(422, 'ledger_unbalanced',
            'Every input record must end in exactly one of records, rejected and dropped; '
            'a new record must be named after its parent.',
            jsonb_build_object('missing', v_ledger.missing, 'repeated', v_ledger.repeated, 'strange', v_ledger.strange));
    end if;
    new.records_in := v_ledger.records_in;
    new.records_added := v_ledger.records_added;
    new.records_out := v_ledger.records_out;
    new.records_rejected := v_ledger.records_rejected;
    new.records_dropped := v_ledger.records_dropped;
    new.fields := array(
        select distinct k from jsonb_array_elements(new.records) r, jsonb_object_keys(r -> 'data') k order by k
    );
    return new;
end;
$$;
comment on function private.fill_step_result_chunk is
    'Trigger: counts the ledger of a chunk from the ids, and refuses one that loses, repeats or invents a record. '
    'Raises 404 chunk_not_found, 409 invalid_transition, 422 invalid_records, ledger_unbalanced.';

create trigger step_result_chunks_fill before insert on public.step_result_chunks
for each row execute function private.fill_step_result_chunk();

create function private.count_step_result_chunk() returns trigger
language plpgsql set search_path = '' as $$
begin
    update public.step_results
    set chunks_written = chunks_written + 1,
        records_in = records_in + new.records_in,
        records_added = records_added + new.records_added,
        records_out = records_out + new.records_out,
        records_rejected = records_rejected + new.records_rejected,
        records_dropped = records_dropped + new.records_dropped
    where id = new.step_result_id;
    return null;
end;
$$;
comment on function private.count_step_result_chunk is 'Trigger: adds a chunk to the counts of its step.';

create trigger step_result_chunks_count after insert on public.step_result_chunks
for each row execute function private.count_step_result_chunk();
