-- Usage of each org by month (UTC), and an overview of the orgs.

create function private.usage_of_month(p_org_id uuid, p_month date) returns table (
    submissions bigint,
    records_in bigint,
    rejected bigint,
    bytes bigint,
    runs bigint,
    succeeded bigint,
    failed bigint,
    cancelled bigint,
    records_out bigint,
    users bigint,
    tokens bigint
)
language sql stable set search_path = '' as $$
    with span as (
        select p_month::timestamp at time zone 'UTC' as since, (p_month + interval '1 month') at time zone 'UTC' as until
    )
    select received.submissions, received.records, received.rejected, received.bytes,
        executed.runs, executed.succeeded, executed.failed, executed.cancelled, executed.records_out,
        seen.users, seen.tokens
    from span
    cross join lateral (
        select count(*) as submissions, coalesce(sum(s.record_count), 0) as records,
            coalesce(sum(s.rejected_count), 0) as rejected, coalesce(sum(stored.bytes), 0)::bigint as bytes
        from public.submissions s
        cross join lateral (
            -- Size on disk: nothing is decompressed for it.
            select sum(pg_column_size(c.records)) as bytes from public.submission_chunks c where c.submission_id = s.id
        ) stored
        where s.org_id = p_org_id and s.created_at >= span.since and s.created_at < span.until
    ) received
    cross join lateral (
        select count(*) as runs, count(*) filter (where r.status = 'succeeded') as succeeded,
            count(*) filter (where r.status = 'failed') as failed, count(*) filter (where r.status = 'cancelled') as cancelled,
            coalesce(sum(ended.records_out) filter (where r.status = 'succeeded'), 0) as records_out
        from public.pipeline_runs r
        left join lateral (
            select sr.records_out from public.step_results sr where sr.pipeline_run_id = r.id order by sr.position desc limit 1
        ) ended on true
        where r.org_id = p_org_id and r.created_at >= span.since and r.created_at < span.until
    ) executed
    cross join lateral (
        select count(distinct a.actor_user_id) as users, count(distinct a.actor_api_token_id) as tokens
        from public.audit_log a
        where a.org_id = p_org_id and a.occurred_at >= span.since and a.occurred_at < span.until
    ) seen;
$$;
comment on function private.usage_of_month is
    'Usage of an org in the month that begins on the date, as one row. For schema ops.';

create view ops.usage_by_month with (security_invoker = true) as
select m.at::date as month, o.slug as org, u.submissions, u.records_in, u.rejected, u.bytes, u.runs, u.succeeded,
    u.failed, u.cancelled, u.records_out, u.users, u.tokens
from generate_series(
    (select date_trunc('month', min(o.created_at) at time zone 'UTC') from public.orgs o),
    date_trunc('month', now() at time zone 'UTC'),
    interval '1 month'
) m (at)
join public.orgs o on o.created_at < (m.at + interval '1 month') at time zone 'UTC'
cross join lateral private.usage_of_month(o.id, m.at::date) u;
comment on view ops.usage_by_month is
    'For each org and month (UTC): submissions with their records, rows refused at ingestion and bytes on disk; runs '
    'by outcome, with the output records of those that succeeded; users and API tokens that changed something. Filter '
    'by month.';

create function ops.usage(p_month date default null, p_org_slug text default null)
returns setof ops.usage_by_month
language plpgsql volatile set search_path = '' as $$
declare
    v_month date := date_trunc('month', coalesce(p_month::timestamp, now() at time zone 'UTC'));
    v_org_id uuid;
begin
    if p_org_slug is not null then
        v_org_id := (private.operated_org(p_org_slug)).id;
    end if;
    perform private.audit_operation(
        array(
            select o.id from public.orgs o
            where (v_org_id is null or o.id = v_org_id) and o.created_at < (v_month + interval '1 month') at time zone 'UTC'
        ),
        'usage', jsonb_build_object('month', v_month, 'org_slug', p_org_slug)
    );
    return query
    select u.*
    from ops.usage_by_month u
    where u.month = v_month and (p_org_slug is null or u.org = p_org_slug)
    order by u.records_in desc, u.org;
end;
$$;
comment on function ops.usage is
    'Usage in the month of the date (this month by default), of one org or of all. Operators. '
    'Raises 404 org_not_found. Changes nothing but the audit log.';

create view ops.org_overview with (security_invoker = true) as
select
    o.slug as org,
    o.name,
    case when o.disabled_at is null then 'active' else 'disabled' end as status,
    (select count(*) from public.companies c where c.org_id = o.id) as companies,
    (select count(*) from public.users u where u.org_id = o.id and u.deactivated_at is null) as users,
    (
        select count(*) from public.users u
        where u.org_id = o.id and u.deactivated_at is null and u.role = 'org_admin'
    ) as admins,
    (
        select count(*) from public.invitations i
        where i.org_id = o.id and i.accepted_at is null and i.revoked_at is null and i.expires_at > now()
    ) as invitations,
    (
        select count(*) from public.api_tokens t
        where t.org_id = o.id and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
    ) as tokens,
    (select count(*) from public.pipeline_runs r where r.org_id = o.id and r.status in ('queued', 'running')) as unfinished_runs,
    (
        select date_trunc('second', max(s.created_at)) from public.submissions s where s.org_id = o.id
    ) as last_submission,
    date_trunc('second', o.created_at) as created
from public.orgs o
order by o.slug;
comment on view ops.org_overview is
    'Each org: its status, companies, active users and admins, open invitations, valid API tokens, unfinished runs, '
    'last submission.';
