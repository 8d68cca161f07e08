-- Quotas: how much an org's clients may create, store and send. They hold in the transaction that writes, for RPCs and
-- direct writes alike. The tasks and operators have none: a run that was taken in is finished.

create table private.usage_days (
    org_id uuid not null references public.orgs (id) on delete cascade,
    -- In UTC.
    day date not null,
    -- Uploads at the same time count in different rows, so that they do not wait for each other.
    shard smallint not null,
    rows_in bigint not null default 0,
    bytes bigint not null default 0,
    primary key (org_id, day, shard)
)
with (fillfactor = 50);
comment on table private.usage_days is
    'Rows that an org sent on a day, rejected ones too, and what is still stored of them, as it is on disk.';

alter table private.usage_days enable row level security;

create index submissions_open_uploads_idx on public.submissions (org_id) where status = 'receiving';

create function private.raise_quota_exceeded(
    p_limit text, p_value bigint, p_used bigint, p_resets_at timestamptz default null
)
returns void
language plpgsql stable set search_path = '' as $$
begin
    perform private.raise_error(429, 'quota_exceeded',
        format('The org may have %s of %s. %s', p_value, p_limit, case
            when p_resets_at is null then 'Free some, or ask the operator for more.'
            else 'Wait until the day is over, or ask the operator for more.'
        end),
        jsonb_build_object('limit_name', p_limit, 'limit', p_value, 'used', p_used, 'resets_at', p_resets_at));
end;
$$;
comment on function private.raise_quota_exceeded is
    'Raises 429 quota_exceeded with limit_name, limit, used and resets_at (null: not by itself).';

-- Definer: it counts all rows of the caller's org, whatever the caller sees.
create function private.check_quota() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
    v_org_id uuid := private.caller_org_id();
    v_limit bigint;
    v_used bigint;
begin
    if v_org_id is null then
        return null;
    end if;
    v_limit := private.limit_of(v_org_id, tg_argv[0]);
    execute format('select count(*) from (select from %I.%I t where t.org_id = $1 and %s limit $2) counted',
        tg_table_schema, tg_table_name, tg_argv[1])
    into v_used
    using v_org_id, v_limit + 1;
    if v_used > v_limit then
        perform private.raise_quota_exceeded(tg_argv[0], v_limit, v_used - 1);
    end if;
    return null;
end;
$$;
comment on function private.check_quota is
    'Trigger: the org of the caller has at most as many rows that match the second argument as its limit, the first '
    'argument, says. Calls at the same time may exceed it by their number. '
    'Raises 429 quota_exceeded, as private.raise_quota_exceeded does.';

create trigger companies_quota after insert on public.companies
for each statement execute function private.check_quota('companies', 'true');
create trigger blueprints_quota after insert on public.blueprints
for each statement execute function private.check_quota('blueprints', 'true');
create trigger api_tokens_quota after insert on public.api_tokens
for each statement execute function private.check_quota(
    'api_tokens', 't.revoked_at is null and (t.expires_at is null or t.expires_at > now())'
);
create trigger submissions_quota after insert on public.submissions
for each statement execute function private.check_quota('open_uploads', 't.status = ''receiving''');
create trigger pipeline_runs_quota after insert on public.pipeline_runs
for each statement execute function private.check_quota('queued_runs', 't.admitted_at is null and t.finished_at is null');

create function private.shard_of(p_submission_id uuid) returns smallint
language sql immutable set search_path = '' as $$ select (hashtext(p_submission_id::text) & 15)::smallint $$;
comment on function private.shard_of is 'In which row of private.usage_days a submission is counted.';

create function private.count_usage(p_org_id uuid, p_submission_id uuid, p_rows bigint, p_bytes bigint) returns void
language plpgsql volatile set search_path = '' as $$
declare
    v_day date := (now() at time zone 'UTC')::date;
    v_limit bigint;
    v_used bigint;
begin
    insert into private.usage_days as d (org_id, day, shard, rows_in, bytes)
    values (p_org_id, v_day, private.shard_of(p_submission_id), p_rows, p_bytes)
    on conflict (org_id, day, shard) do update
    set rows_in = d.rows_in + excluded.rows_in, bytes = d.bytes + excluded.bytes;
    if private.caller_org_id() is null then
        return;
    end if;
    v_limit := private.limit_of(p_org_id, 'rows_per_day');
    select sum(d.rows_in) into v_used from private.usage_days d where d.org_id = p_org_id and d.day = v_day;
    if v_used > v_limit then
        perform private.raise_quota_exceeded('rows_per_day', v_limit, v_used - p_rows, (v_day + 1)::timestamp at time zone 'UTC');
    end if;
    v_limit := private.limit_of(p_org_id, 'stored_bytes');
    select sum(d.bytes) into v_used from private.usage_days d where d.org_id = p_org_id;
    if v_used > v_limit then
        perform private.raise_quota_exceeded('stored_bytes', v_limit, v_used - p_bytes);
    end if;
end;
$$;
comment on function private.count_usage is
    'Counts rows that came in. '
    'Raises 429 quota_exceeded for a client whose org has no more rows a day or bytes, as private.raise_quota_exceeded '
    'does.';

-- Definer: only the database counts, so no role may write the counts.
create function private.count_chunk_usage() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    perform private.count_usage(new.org_id, new.submission_id, new.record_count, pg_column_size(new.records));
    return null;
end;
$$;
comment on function private.count_chunk_usage is 'Trigger: counts the records of a chunk against the quotas of the org.';

create trigger submission_chunks_usage after insert on public.submission_chunks
for each row execute function private.count_chunk_usage();

-- Definer: only the database counts, so no role may write the counts.
create function private.count_rejected_usage() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    perform private.count_usage(n.org_id, n.submission_id, count(*),
        sum(pg_column_size(n.details) + coalesce(pg_column_size(n.data), 0) + octet_length(n.message)))
    from new_rows n
    where n.step_result_id is null
    group by n.org_id, n.submission_id;
    return null;
end;
$$;
comment on function private.count_rejected_usage is
    'Trigger: counts rows that were rejected at ingestion against the quotas of the org.';

create trigger rejected_records_usage after insert on public.rejected_records
referencing new table as new_rows for each statement execute function private.count_rejected_usage();

-- Definer: only the database counts, so no role may write the counts.
create function private.uncount_chunk_usage() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    update private.usage_days d
    set bytes = greatest(d.bytes - freed.bytes, 0)
    from (
        select o.org_id, (o.created_at at time zone 'UTC')::date as day, private.shard_of(o.submission_id) as shard,
            sum(pg_column_size(o.records)) as bytes
        from old_rows o
        group by 1, 2, 3
    ) freed
    where d.org_id = freed.org_id and d.day = freed.day and d.shard = freed.shard;
    return null;
end;
$$;
comment on function private.uncount_chunk_usage is
    'Trigger: a chunk that is deleted is not stored any more. Rejected rows stay counted: they are few bytes.';

create trigger submission_chunks_freed after delete on public.submission_chunks
referencing old table as old_rows for each statement execute function private.uncount_chunk_usage();
