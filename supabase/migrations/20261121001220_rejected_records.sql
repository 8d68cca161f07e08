-- Rejected records: what ingestion or a step refused, with the reason.

create table public.rejected_records (
    id bigint generated always as identity primary key,
    org_id uuid not null,
    company_id uuid not null,
    submission_id uuid not null,
    step_result_id uuid,
    chunk_index int not null,
    record_id text not null check (length(record_id) between 1 and 100),
    reason text not null check (reason ~ '^[a-z][a-z0-9_]{0,62}$'),
    message text not null check (length(message) <= 10000),
    details jsonb not null default '{}' check (jsonb_typeof(details) = 'object' and private.is_bounded(details, 4096)),
    data jsonb check (jsonb_typeof(data) = 'object' and private.is_bounded(data, 8388608)),
    created_at timestamptz not null default now(),
    foreign key (org_id, company_id, submission_id)
        references public.submissions (org_id, company_id, id) on delete cascade,
    foreign key (org_id, company_id, step_result_id)
        references public.step_results (org_id, company_id, id) on delete cascade
);
comment on table public.rejected_records is
    'A record that a step or ingestion (step_result_id is null) refused, with a machine-readable reason. Immutable.';
comment on column public.rejected_records.data is 'The record as it came in; null when it could not be read.';

create unique index rejected_records_submission_record_idx on public.rejected_records (submission_id, record_id)
where step_result_id is null;
create unique index rejected_records_step_result_record_idx
on public.rejected_records (step_result_id, chunk_index, record_id)
where step_result_id is not null;
create index rejected_records_submission_idx on public.rejected_records (org_id, company_id, submission_id, id);
create index rejected_records_step_result_idx on public.rejected_records (org_id, company_id, step_result_id, id);

alter table public.rejected_records enable row level security;

create policy rejected_records_select_visible on public.rejected_records for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);
-- Clients report the rows that they refused at ingestion, while the submission takes records.
create policy rejected_records_insert_ingestion on public.rejected_records for insert to authenticated
with check (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
    and step_result_id is null
);

grant select, insert (submission_id, chunk_index, record_id, reason, message, details, data)
on public.rejected_records to authenticated;

create function private.fill_rejected_record() returns trigger
language plpgsql set search_path = '' as $$
declare
    v_submission public.submissions;
begin
    if new.step_result_id is null then
        v_submission := private.lock_receiving_submission(new.submission_id);
        new.org_id := v_submission.org_id;
        new.company_id := v_submission.company_id;
    elsif exists (
        select from public.step_result_chunks c
        where c.step_result_id = new.step_result_id and c.chunk_index = new.chunk_index
    ) then
        perform private.raise_error(409, 'immutable', 'The ledger of this chunk is closed.');
    end if;
    return new;
end;
$$;
comment on function private.fill_rejected_record is
    'Trigger: ingestion rejects records while the submission is receiving, a step before it writes their chunk. '
    'Raises 404 submission_not_found, 409 submission_not_receiving, immutable.';

create trigger rejected_records_fill before insert on public.rejected_records
for each row execute function private.fill_rejected_record();

create trigger rejected_records_immutable before update on public.rejected_records
for each row execute function private.refuse_change();

-- Definer: only the database counts, so no role may write the counts.
create function private.count_rejected_records() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    update public.submissions s
    set rejected_count = s.rejected_count + counted.rejected
    from (
        select n.submission_id, count(*) as rejected
        from new_rows n
        where n.step_result_id is null
        group by n.submission_id
    ) counted
    where s.id = counted.submission_id;
    return null;
end;
$$;
comment on function private.count_rejected_records is 'Trigger: keeps rejected_count of the submission.';

create trigger rejected_records_count after insert on public.rejected_records
referencing new table as new_rows
for each statement execute function private.count_rejected_records();
