-- Operators' view of limits: how near each org is to each of its limits, and how to set one.

create view ops.limit_usage with (security_invoker = true) as
select o.slug as org, l.name as "limit", private.limit_of(o.id, l.name) as value, used.amount as used,
    round(100.0 * used.amount / private.limit_of(o.id, l.name), 1) as percent, s.value is not null as is_set
from public.orgs o
cross join private.limits l
left join private.org_limits s on s.org_id = o.id and s.name = l.name
cross join lateral (
    select case l.name
        when 'companies' then (select count(*) from public.companies c where c.org_id = o.id)
        when 'blueprints' then (select count(*) from public.blueprints b where b.org_id = o.id)
        when 'api_tokens' then (
            select count(*) from public.api_tokens t
            where t.org_id = o.id and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
        )
        when 'open_uploads' then (select count(*) from public.submissions s where s.org_id = o.id and s.status = 'receiving')
        when 'queued_runs' then (
            select count(*) from public.pipeline_runs r
            where r.org_id = o.id and r.admitted_at is null and r.finished_at is null
        )
        when 'rows_per_day' then (
            select coalesce(sum(d.rows_in), 0) from private.usage_days d
            where d.org_id = o.id and d.day = (now() at time zone 'UTC')::date
        )
        when 'stored_bytes' then (select coalesce(sum(d.bytes), 0) from private.usage_days d where d.org_id = o.id)
    end as amount
) used
order by percent desc nulls last, org, "limit";
comment on view ops.limit_usage is
    'Each limit of each org, what of it is used, in percent too, nearest first. is_set: operators set it for this org. '
    'used is null for rates and days.';

create function ops.set_org_limit(p_org_slug text, p_limit text, p_value bigint, dry_run boolean default true)
returns setof ops.report
language plpgsql volatile set search_path = '' as $$
declare
    v_org public.orgs := private.operated_org(p_org_slug);
    v_before bigint := private.limit_of(v_org.id, p_limit);
begin
    if v_before is null then
        perform private.raise_error(422, 'invalid_request',
            format('%L is no limit. List them: select * from private.limits;', p_limit));
    end if;
    if p_value < (case p_limit when 'audit_log_days' then 30 else 1 end) or p_value > 1000000000000000 then
        perform private.raise_error(422, 'invalid_request', 'The value is too small or too large.');
    end if;
    begin
        if p_value is null then
            delete from private.org_limits where org_id = v_org.id and name = p_limit;
        else
            insert into private.org_limits (org_id, name, value)
            values (v_org.id, p_limit, p_value)
            on conflict (org_id, name) do update set value = excluded.value;
        end if;
        return next row(private.report_action('set', 'set', dry_run), p_limit || ' of org ' || v_org.slug,
            format('%s; it was %s.', private.limit_of(v_org.id, p_limit), v_before))::ops.report;
        perform private.undo_dry_run(dry_run);
    exception when sqlstate 'DRYRN' then
        null;
    end;
    perform private.audit_operation(array[v_org.id], 'set_org_limit', jsonb_build_object(
        'org_slug', p_org_slug, 'limit', p_limit, 'value', p_value, 'dry_run', dry_run
    ));
end;
$$;
comment on function ops.set_org_limit is
    'Sets a limit of an org; null returns to the default. What exceeds a lower limit stays. Operators. '
    'Raises 404 org_not_found, 422 invalid_request. Safe to repeat.';
