-- Step result chunks: what a step made of one input chunk.

create table public.step_result_chunks (
    org_id uuid not null,
    company_id uuid not null,
    step_result_id uuid not null,
    chunk_index int not null check (chunk_index >= 0),
    records jsonb not null,
    dropped jsonb not null default '[]',
    fields text[] not null,
    records_in int not null,
    records_added int not null,
    records_out int not null,
    records_rejected int not null,
    records_dropped int not null,
    -- SHA-256 over records, rejected and dropped: tells a repeated write from a different one.
    content_hash bytea not null,
    created_at timestamptz not null default now(),
    primary key (step_result_id, chunk_index),
    foreign key (org_id, company_id, step_result_id)
        references public.step_results (org_id, company_id, id) on delete cascade,
    check (records_in + records_added = records_out + records_rejected + records_dropped)
);
comment on table public.step_result_chunks is
    'What a step made of one input chunk: records [{"id", "data"}] and dropped [{"id", "reason", "message", '
    '"details"}]. Immutable.';
comment on column public.step_result_chunks.fields is 'Field names that occur in the records, sorted.';

create index step_result_chunks_org_id_company_id_idx
on public.step_result_chunks (org_id, company_id, step_result_id);

alter table public.step_result_chunks enable row level security;

create policy step_result_chunks_select_visible on public.step_result_chunks for select to authenticated
using (
    org_id = (select private.caller_org_id())
    and ((select private.caller_is_org_wide()) or company_id = (select private.caller_company_id()))
);

-- No write grant at all: only the worker functions write chunks.
grant select on public.step_result_chunks to authenticated;

create trigger step_result_chunks_immutable before update on public.step_result_chunks
for each row execute function private.refuse_change();
