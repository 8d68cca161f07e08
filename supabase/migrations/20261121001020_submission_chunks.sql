-- Submission chunks: the records of a submission in row order, up to 1,000 in each.

create table public.submission_chunks (
    org_id uuid not null,
    company_id uuid not null,
    submission_id uuid not null,
    chunk_index int not null check (chunk_index >= 0),
    records jsonb not null,
    record_count int not null,
    last_row int not null,
    created_at timestamptz not null default now(),
    primary key (submission_id, chunk_index),
    foreign key (org_id, company_id, submission_id)
        references public.submissions (org_id, company_id, id) on delete cascade
);
comment on table public.submission_chunks is
    'Up to 1,000 records of a submission: [{"id": row, "data": {…}}]. Immutable.';
comment on column public.submission_chunks.last_row is
    'Highest row number so far: row numbers increase from chunk to chunk.';

create index submission_chunks_org_id_company_id_idx on public.submission_chunks (org_id, company_id, submission_id);

alter table public.submission_chunks enable row level security;

create policy submission_chunks_select_visible on public.submission_chunks for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);
create policy submission_chunks_insert_visible on public.submission_chunks for insert to authenticated
with check (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);

-- No update or delete grant: chunks are immutable history.
grant select, insert (submission_id, chunk_index, records) on public.submission_chunks to authenticated;

create function private.fill_submission_chunk() returns trigger
language plpgsql set search_path = '' as $$
declare
    v_submission public.submissions := private.lock_receiving_submission(new.submission_id);
    v_fault text;
    v_previous_row int;
    v_increasing boolean;
begin
    -- Before anything prints it.
    v_fault := private.json_fault(new.records, 4194304);
    if v_fault is distinct from 'size' then
        perform private.check_records(new.records);
    end if;
    if v_fault = 'numbers' then
        perform private.check_numbers(new.records, '');
    end if;
    if v_fault is not null then
        perform private.check_json(new.records, 4194304, 'A chunk', 'invalid_records', 'chunk_too_large');
    end if;
    new.org_id := v_submission.org_id;
    new.company_id := v_submission.company_id;
    new.record_count := jsonb_array_length(new.records);

    if new.record_count > 1000 then
        perform private.raise_error(413, 'chunk_too_large', 'A chunk holds at most 1,000 records and 4 MB.');
    end if;
    if new.chunk_index <> v_submission.chunk_count then
        perform private.raise_error(409, 'conflict', format('The next chunk of this submission is %s.', v_submission.chunk_count),
            jsonb_build_object('next_chunk_index', v_submission.chunk_count));
    end if;

    select coalesce(max(c.last_row), 0) into v_previous_row
    from public.submission_chunks c
    where c.submission_id = new.submission_id and c.chunk_index = new.chunk_index - 1;
    if exists (select from jsonb_array_elements(new.records) r where r ->> 'id' like '%.%') then
        perform private.raise_error(422, 'invalid_records', 'Ids of submitted records are row numbers.');
    end if;
    select coalesce(bool_and(numbered.row > numbered.previous), true), coalesce(max(numbered.row), v_previous_row)
    into v_increasing, new.last_row
    from (
        select (r.value ->> 'id')::int as row,
            lag((r.value ->> 'id')::int, 1, v_previous_row) over (order by r.ordinality) as previous
        from jsonb_array_elements(new.records) with ordinality r
    ) numbered;
    if not v_increasing then
        perform private.raise_error(422, 'invalid_records', 'Row numbers must increase, within a chunk and from chunk to chunk.');
    end if;
    perform private.check_numbers(new.records, new.records::text);
    return new;
end;
$$;
comment on function private.fill_submission_chunk is
    'Trigger: checks a new chunk, and sets its tenant and counts. '
    'Raises 403 forbidden, 404 submission_not_found, 409 submission_not_receiving, conflict (not the next chunk), 413 '
    'chunk_too_large, 422 invalid_records.';

create trigger submission_chunks_fill before insert on public.submission_chunks
for each row execute function private.fill_submission_chunk();

create trigger submission_chunks_immutable before update on public.submission_chunks
for each row execute function private.refuse_change();

-- Definer: only the database counts, so no role may write the counts.
create function private.count_submission_chunk() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    update public.submissions
    set record_count = record_count + new.record_count, chunk_count = chunk_count + 1
    where id = new.submission_id;
    return null;
end;
$$;
comment on function private.count_submission_chunk is 'Trigger: keeps record_count and chunk_count of the submission.';

create trigger submission_chunks_count after insert on public.submission_chunks
for each row execute function private.count_submission_chunk();
